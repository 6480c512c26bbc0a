"""A generator in eight bits, as a bundle that says what it is."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from untrained import VOCABULARY, write_run

from t2i.export import single_file
from t2i.export.fitting import CAPTIONS as NEEDED
from t2i.export.publish import Request, export
from t2i.export.quantise import FLOOR_DB
from t2i.export.trained import load as load_run
from t2i.runtime import processor, runs
from t2i.runtime.bundle import Bundle
from t2i.runtime.draw import Painter, load
from t2i.runtime.errors import DeviceError

CAPTIONS = ["a red bird", "blue", "a small yellow bird with black wings"]
VNNI, AVX2 = "flags\t\t: avx2 avx512_vnni\n", "flags\t\t: avx2 avx512f\n"

pytestmark = pytest.mark.slow


def on(monkeypatch: pytest.MonkeyPatch, folder: Path, flags: str) -> None:
    """Let the processor be one of x86 with these flags."""
    (folder / "cpuinfo").write_text(f"processor\t: 0\n{flags}")
    monkeypatch.setattr(processor, "CPUINFO", folder / "cpuinfo")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def run_with_captions(folder: Path) -> runs.Run:
    run = write_run(folder)
    dice = np.random.default_rng(0)
    lines = [" ".join(dice.choice(VOCABULARY, 5)) for _ in range(NEEDED)]
    (run.folder / runs.CAPTIONS).write_text("\n".join(lines))
    return run


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The same run in eight bits and in float32."""
    root = tmp_path_factory.mktemp("eight")
    run = run_with_captions(root / "run")
    with pytest.MonkeyPatch.context() as patch:
        on(patch, root, VNNI)
        export(Request(load_run(run), "int8", root / "eight.t2i"))
        export(Request(load_run(run), "fp32", root / "full.t2i"))
        yield {name: root / f"{name}.t2i" for name in ("eight", "full")}


def test_the_manifest_says_how_it_came_to_eight_bits_and_what_that_costs(
    paths: dict[str, Path],
) -> None:
    manifest = Bundle.load(paths["eight"]).manifest
    assert manifest.precision == "int8"
    assert manifest.rounding is not None
    assert manifest.rounding.range == "full"
    assert manifest.rounding.captions == NEEDED
    assert {each.role: each.precision for each in manifest.graphs} == {
        "text": "fp16-stored",
        "generator": "int8",
    }
    scores = {each.metric: each for each in manifest.scores}
    assert set(scores) == {"psnr", "attributes"}
    assert scores["psnr"].value >= FLOOR_DB
    assert scores["psnr"].protocol["reference"] == "the same in float32"
    seen = scores["attributes"]  # of the few test captions that its words can say
    assert set(seen.parts) == {"fp32", "int8"}
    assert seen.value == seen.parts["int8"]
    assert abs(seen.parts["fp32"] - seen.parts["int8"]) < 0.2


def test_pictures_are_as_near_as_it_says(paths: dict[str, Path]) -> None:
    eight_bits, full = (load(paths[name], device="cpu") for name in ("eight", "full"))
    captions = [*CAPTIONS, "a long white tail", "green wings", "a bird facing left"]
    apart = eight_bits.draw(captions, seed=5).astype(float) - full.draw(captions, seed=5)
    assert 10 * np.log10(255**2 / np.square(apart).mean()) > FLOOR_DB - 3  # these are but a few
    assert eight_bits.selftest().ok


def test_neighbours_change_no_picture(paths: dict[str, Path]) -> None:
    painter = load(paths["eight"], device="cpu")
    together = painter.draw(CAPTIONS, seed=3)
    for place, caption in enumerate(CAPTIONS):
        alone = painter.draw([caption], seed=3 + place)[0].astype(int)
        assert np.abs(alone - together[place]).max() <= 1


def test_a_single_picture_is_the_same(paths: dict[str, Path]) -> None:
    """For which graphs of floats are not optimised: this one would then be no faster."""
    drawn = [
        load(paths["eight"], device="cpu", quick=quick).draw(CAPTIONS[:1], seed=3)
        for quick in (False, True)
    ]
    assert (drawn[0] == drawn[1]).all()


def test_it_becomes_a_single_file(paths: dict[str, Path]) -> None:
    path = paths["eight"].with_suffix(".onnx")
    single_file.write(Bundle.load(paths["eight"]), path)  # which compares their pictures
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert "QuantizeLinear" in kinds


def test_without_vnni_weights_have_a_bit_less_and_full_ones_are_refused(
    paths: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    on(monkeypatch, tmp_path, AVX2)
    with pytest.raises(DeviceError, match="need VNNI") as refused:
        load(paths["eight"], device="cpu")
    assert "--set range=reduced" in str(refused.value.hint)
    export(Request(load_run(write_run(tmp_path / "run")), "int8", tmp_path / "less.t2i"))
    assert "reduced range: this processor shows no VNNI" in capsys.readouterr().err
    bundle = Bundle.load(tmp_path / "less.t2i")
    assert bundle.manifest.rounding is not None
    assert bundle.manifest.rounding.range == "reduced"
    assert bundle.manifest.rounding.captions == 0  # this run keeps none
    assert "words at random" in bundle.manifest.scores[0].protocol["extractor"]
    assert len(Painter(bundle, device="cpu").draw(CAPTIONS)) == len(CAPTIONS)
