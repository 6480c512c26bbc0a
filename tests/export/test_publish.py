"""A bundle appears whole and right, or not at all."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from t2i.export import contents, publish
from t2i.export.plan import BATCHES, Plan
from t2i.export.precision import Precision
from t2i.export.publish import Request, drafted, export, refuse_others
from t2i.export.trained import Trained, load
from t2i.runtime import runs
from t2i.runtime.bundle import Bundle
from t2i.runtime.errors import ExportError, UsageError
from t2i.runtime.proof import read_arrays

Exported = Callable[[Precision], Bundle]


@pytest.mark.slow
def test_a_manifest_says_how_the_bundle_came_about(exported: Exported) -> None:
    manifest = exported("fp16-stored").manifest
    assert manifest.name == "birds-fp16-stored"
    assert manifest.check.batches == BATCHES == (2, 1, 5)
    assert [graph.role for graph in manifest.graphs] == ["text", "generator"]
    names = [each.name for each in manifest.graphs[1].outputs]
    assert names == ["image", "image_16", "image_8", "attention_1", "attention_2"]
    assert [noise.name for noise in manifest.noise] == ["noise", "detail"]
    assert manifest.training is not None
    assert (manifest.training.preset, manifest.training.images_seen) == ("toy", 16)
    assert manifest.training.data == "kind birds, pictures 192"
    assert (manifest.licence, manifest.paper[:8]) == ("Apache-2.0", "https://")


@pytest.mark.slow
def test_a_bundle_tells_its_cost_and_shows_itself(exported: Exported) -> None:
    bundle = exported("fp16-stored")
    cost = bundle.manifest.cost
    assert cost is not None
    assert cost.cpu_ms > 0
    # Python with NumPy and ONNX Runtime, and nothing of the exporter's.
    assert 20 < cost.peak_mb < 300
    with Image.open(bundle.archive.path / "preview.png") as preview:
        assert preview.height == bundle.manifest.image_px
    card = bundle.read("card.md").decode()
    assert card.startswith("# AttnGAN\n\n## This bundle: birds-fp16-stored\n")
    assert f"{cost.parameters:,} parameters" in card
    assert "](../" not in card
    assert "![" not in card


@pytest.mark.slow
def test_a_proof_is_small_and_holds_two_pictures_of_pytorch(exported: Exported) -> None:
    bundle = exported("fp32")
    proof = read_arrays(bundle.read("proof.npz"), "proof.npz")
    assert sum(each.nbytes for each in proof.values()) < 2 * contents.PROOF_BYTES
    assert proof["text.in.tokens"].shape[0] == 2
    px = bundle.manifest.image_px
    assert proof["generator.out.image"].shape == (2, 3, px, px)
    assert np.abs(proof["generator.out.image"]).max() <= 1


def spoilt(rewrite: Callable[[nn.Module], nn.Module]) -> Callable[[nn.Module], nn.Module]:
    def spoil(module: nn.Module) -> nn.Module:
        wrong = rewrite(module)
        with torch.no_grad():
            list(wrong.parameters())[-1].mul_(1.5)
        return wrong

    return spoil


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 1], ids=["text", "generator"])
def test_a_graph_that_differs_is_refused_and_leaves_nothing_behind(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    def one_wrong(trained: Trained) -> tuple[Plan, ...]:
        plans = list(planned(trained))
        plans[place] = replace(plans[place], rewrite=spoilt(plans[place].rewrite))
        return tuple(plans)

    planned = contents.plans_of
    monkeypatch.setattr(publish.contents, "plans_of", one_wrong)
    out = tmp_path / "out" / "birds.t2i"
    with pytest.raises(ExportError, match="differs from PyTorch") as caught:
        export(Request(trained, "fp32", out))
    assert caught.value.hint
    assert list(out.parent.iterdir()) == []


def refused(request: Request) -> str:
    with pytest.raises(ExportError) as caught:
        refuse_others(request)
    assert caught.value.hint
    return str(caught.value)


@pytest.mark.slow
def test_only_an_earlier_export_of_the_same_run_is_replaced(
    trained: Trained, run: runs.Run, tmp_path: Path
) -> None:
    request = Request(trained, out=tmp_path / "birds.t2i")
    export(request)
    recipe = json.loads((run.folder / runs.RECIPE).read_text())
    # The same run, some steps later.
    later = recipe | {"steps": 9, "images_seen": 144}
    (run.folder / runs.RECIPE).write_text(json.dumps(later))
    refuse_others(replace(request, trained=load(runs.Run(run.folder))))
    # Another run.
    (run.folder / runs.RECIPE).write_text(json.dumps(recipe | {"settings": {"steps": 2}}))
    other = replace(request, trained=load(runs.Run(run.folder)))
    assert "from another run" in refused(other)
    refuse_others(replace(other, force=True))


def test_what_is_no_bundle_is_never_replaced(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "letters.t2i"
    out.mkdir()
    (out / "to-my-sister.txt").write_text("Dear sister")
    assert "no bundle" in refused(Request(trained, out=out, force=True))


def test_a_bundle_takes_its_place_in_one_rename(tmp_path: Path) -> None:
    place = tmp_path / "here" / "birds.t2i"
    for text in ("first", "second"):
        with drafted(place) as draft:
            (draft / "card.md").write_text(text)
            assert not place.exists() or (place / "card.md").read_text() == "first"
        assert (place / "card.md").read_text() == text
    with pytest.raises(KeyboardInterrupt), drafted(place) as draft:
        raise KeyboardInterrupt
    assert (place / "card.md").read_text() == "second"
    assert [each.name for each in place.parent.iterdir()] == ["birds.t2i"]


def test_what_killed_exports_left_is_put_in_order(tmp_path: Path) -> None:
    """Drafts go after a day; a bundle that one of them had put aside gets its place again."""
    for name, age in ((".draft-old", 1.1), (".draft-new", 0.0)):
        for each in ("replaced-birds.t2i", "birds.t2i"):
            (tmp_path / name / each).mkdir(parents=True)
            (tmp_path / name / each / "card.md").write_text(each)
        began = time.time() - age * publish.STALE_SECONDS
        os.utime(tmp_path / name, (began, began))
    with drafted(tmp_path / "other.t2i") as draft:
        (draft / "card.md").write_text("other")
    left = sorted(each.name for each in tmp_path.iterdir())
    assert left == [".draft-new", "birds.t2i", "other.t2i"]
    assert (tmp_path / "birds.t2i" / "card.md").read_text() == "replaced-birds.t2i"


def test_a_bundle_is_named_after_system_preset_and_precision(
    trained: Trained, home: Path, tmp_path: Path
) -> None:
    assert Request(trained).path == home / "bundles" / "attngan-toy.t2i"
    assert Request(trained, "fp16").name == "attngan-toy-fp16"
    assert Request(trained, out=tmp_path / "birds").path == tmp_path / "birds.t2i"
    with pytest.raises(UsageError, match="cannot be the name"):
        export(Request(trained, out=tmp_path / "rød fugl"))
