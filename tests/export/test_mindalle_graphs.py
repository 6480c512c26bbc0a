"""min-dalle's files become a bundle that draws, token by token, what the networks tell."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from commands import failed
from PIL import Image
from typer.testing import CliRunner

from t2i.export import beside
from t2i.export import trace as tracing
from t2i.export.cli import app
from t2i.export.contents import plans_of
from t2i.export.official import mindalle as published
from t2i.export.official.load import load as load_official
from t2i.export.official.published import Files
from t2i.models import mindalle, renames, vqgan
from t2i.runtime import bundle, noise
from t2i.runtime.cli.run import app as run_app
from t2i.runtime.decode import Decoder, Sampling, pick
from t2i.runtime.draw import Painter, load
from t2i.runtime.errors import ExportError

PIECES = ["<s>", "<pad>", "</s>", "<unk>", *"\u0120abderi", "\u0120b", "re", "\u0120bi"]
MERGES = "#version: 0.2\n\u0120 b\nr e\n\u0120b i\n"
SIZES = mindalle.Settings(
    vocabulary=len(PIECES) + 2,  # as published ones, it has ids that stand for nothing
    length=12,
    layers=2,
    heads=2,
    width=16,
    gate_width=12,
    image_vocabulary=14,
    begin=9,
    detoker=vqgan.Settings(side=3, codes=10, code_size=4, width=4, groups=2),
)
CAPTIONS = ["a red bird", "bird", "a bird, red \u00e9"]
REDUNDANT = ("look.first_norm.weight", "gated.first_norm.weight")
COUNT = 9


def networks() -> dict[str, torch.nn.Module]:
    """First weights that tell tokens apart; a linear layer follows norms without a gain."""
    torch.manual_seed(0)
    made = mindalle.networks(SIZES)
    for prefix in ("encoder", "decoder"):
        for name, weight in made[prefix].named_parameters():
            if name.endswith(REDUNDANT):
                torch.nn.init.ones_(weight)
            else:
                torch.nn.init.normal_(weight, std=0.3)
    return {prefix: network.eval() for prefix, network in made.items()}


def write_official(folder: Path) -> Path:
    """Files as min-dalle has them, in half precision but for the detoker."""
    transformer = folder / "dalle_bart_mini"
    for each in (transformer, folder / "vqgan"):
        each.mkdir(parents=True)
    for prefix, network in networks().items():
        theirs = {ours: official for official, ours in mindalle.RENAMES[prefix].items()}
        state = {
            str(renames.new_name(name, theirs)): value
            for name, value in network.state_dict().items()
            if not name.endswith(REDUNDANT)
        }
        place = folder / "vqgan" if prefix == "detoker" else transformer
        torch.save(state, place / f"{prefix}.pt")
    vocabulary = {piece: number for number, piece in enumerate(PIECES)}
    (transformer / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (transformer / "merges.txt").write_text(MERGES, encoding="utf-8")
    return transformer


@pytest.fixture(scope="module")
def small() -> Any:
    """A min-dalle of few channels in the place of the published ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published, "SIZES", (SIZES,))
        yield


@pytest.fixture(scope="module")
def path(small: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of these files."""
    root = tmp_path_factory.mktemp("mindalle")
    folder, out = write_official(root / "pretrained"), root / "small.t2i"
    done = CliRunner().invoke(app, ["mindalle", f"--weights={folder}", f"--out={out}"])
    assert done.exit_code == 0, done.output
    return out


@torch.no_grad()
def told_tokens(painter: Painter, captions: list[str], seed: int, sampling: Sampling) -> np.ndarray:
    """What the networks tell without a cache, captions padded to all places by id 1."""
    encoder, decoder, _ = networks().values()
    assert isinstance(encoder, mindalle.Encoder)
    assert isinstance(decoder, mindalle.Decoder)
    rows = torch.ones(2, len(captions), SIZES.length, dtype=torch.int64)
    rows[0, :, :2] = torch.tensor([0, 2])
    for row, caption in zip(rows[1], captions, strict=True):
        tokens = painter.read(caption).tokens
        row[: len(tokens)] = torch.tensor(tokens)
    seen = []
    for each in rows:
        mask = (each != 1).float()
        seen.append(decoder.caption(encoder(each, mask), mask))
    seeds = range(seed, seed + len(captions))
    draws = (noise.draw(seeds, painter.manifest.noise)["noise"].astype(float) + 1) / 2
    codes = torch.zeros(len(captions), COUNT, dtype=torch.int64)
    for place in range(COUNT):
        without, told = (decoder(codes, each)[:, place, :10].numpy() for each in seen)
        logits = without + np.float32(sampling.guidance) * (told - without)
        codes[:, place] = torch.from_numpy(pick(logits, draws[:, place], sampling))
    return codes.numpy()


@pytest.mark.slow
@pytest.mark.parametrize("captions", [CAPTIONS[:1], CAPTIONS])
@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.8, 6, guidance=3.0)])
def test_the_bundle_draws_the_tokens_that_the_networks_tell(
    path: Path, captions: list[str], sampling: Sampling
) -> None:
    painter = load(path, device="cpu", threads=1, sampling=sampling)
    decoder = painter._generator
    assert isinstance(decoder, Decoder)
    seeds = range(5, 5 + len(captions))
    feeds = {**noise.draw(seeds, painter.manifest.noise), **painter._read(captions)}
    found = decoder.tokens(feeds)
    np.testing.assert_array_equal(found, told_tokens(painter, captions, 5, sampling))
    assert len(np.unique(found)) > 2, "tokens differ, or this shows nothing"


@pytest.mark.slow
def test_the_picture_is_that_of_its_tokens_cut_to_whole_levels(path: Path) -> None:
    painter = load(path, device="cpu", threads=1)
    detoker = networks()["detoker"]
    assert isinstance(detoker, vqgan.Detoker)
    tokens = torch.from_numpy(told_tokens(painter, CAPTIONS, 5, Sampling()))
    pixels = detoker(tokens.unflatten(1, (3, 3))).detach().clamp(0, 1).permute(0, 2, 3, 1)
    levels = 255 * pixels.numpy()
    found = painter.draw(CAPTIONS, seed=5)
    assert found.shape == (3, 48, 48, 3)
    assert np.abs(found - np.floor(levels)).max() <= 1
    assert np.abs(found + 0.5 - levels).max() <= 0.51


@pytest.mark.slow
def test_the_bundle_says_where_it_comes_from_and_what_it_cannot_do(
    path: Path, tmp_path: Path
) -> None:
    manifest = bundle.Bundle.load(path).manifest
    assert manifest.check.worst <= manifest.check.tolerance == 1e-4
    assert manifest.training is not None
    assert manifest.training.data.startswith("weights dalle_bart_mini")
    assert [graph.role for graph in manifest.graphs] == ["prefill", "step", "pixels"]
    step = bundle.Bundle.load(path).graph("step")
    assert step.outputs[0].shape == ("B", SIZES.detoker.codes), "not all that the network tells"
    Image.new("RGB", (48, 48)).save(tmp_path / "given.png")
    order = ["a bird", f"--model={path}", f"--complete={tmp_path / 'given.png'}"]
    assert "no graph 'codes'" in failed(CliRunner().invoke(run_app, order), 1)


def test_what_is_no_folder_of_min_dalle_is_refused(small: None, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"no encoder\.pt, decoder\.pt, detoker\.pt") as caught:
        load_official("mindalle", Files({"weights": tmp_path}))
    assert "pip install min-dalle" in caught.value.hint
    folder = write_official(tmp_path / "pretrained")
    assert load_official("mindalle", Files({"weights": folder})).vocabulary == len(PIECES)
    state = {"lm_head.weight": torch.ones(3, 4), "embed_tokens.weight": torch.ones(3, 4)}
    torch.save(state, folder / "decoder.pt")
    with pytest.raises(ExportError, match="neither the mini nor the mega"):
        load_official("mindalle", Files({"weights": folder}))


@pytest.mark.slow
def test_what_tells_tokens_lies_once_beside_both_graphs_that_are_too_large(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As do those of mega: all large weights of the step are among those of prefill."""
    monkeypatch.setattr(tracing, "INSIDE_BYTES", 0)
    monkeypatch.setattr(beside, "LEAST_BYTES", 512)
    trained = load_official("mindalle", Files({"weights": write_official(tmp_path / "pretrained")}))
    kept = beside.Beside(tmp_path)
    prefill, step = (tracing.trace(plan, kept) for plan in plans_of(trained)[:2])

    def places(model: onnx.ModelProto) -> set[str]:
        return {
            entry.value
            for each in model.graph.initializer
            for entry in each.external_data
            if entry.key == "offset"
        }

    products = SIZES.layers * (4 + 2 + 3) + 1  # a decoder's: it looks, reads, gates; and tells
    assert len(places(step)) >= products
    # What a step reads and a beginning does not: the places of all tokens.
    assert len(places(step) - places(prefill)) <= 1
    assert len(places(prefill)) > len(places(step))
