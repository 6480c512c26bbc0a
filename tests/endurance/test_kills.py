"""Killed at any moment, a command has lost nothing: the same order again comes to the same end."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bundles import write_tiny_bundle
from endurance.conftest import Record
from endurance.killing import Work, endure, run
from judges import write_judge
from PIL import Image

from t2i.runtime.bundle import Bundle

TINY = "tiny_recipe:typed"
KILLS, FEW = 25, 1
"""Of each command: a hundred together."""

pytestmark = pytest.mark.slow


def hashes(folder: Path, pattern: str = "*") -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob(pattern))
        if path.is_file()
    }


def training(root: Path) -> Work:
    """A training with a checkpoint every third step."""
    seedling = root / "seedling"
    run(TINY, ["seedling", "--preset=toy", f"--out={seedling}"], root)

    def order(folder: Path) -> list[str]:
        out = f"--out={folder / 'run'}"
        if (folder / "run").exists():
            return ["tiny", out, "--resume"]
        changes = ["--set=steps=200", "--set=checkpoint_every=3"]
        return ["tiny", "--preset=toy", out, f"--with=seedling={seedling}", *changes]

    def sound(folder: Path) -> int:
        """The newest checkpoint, of which there may be none."""
        return max(
            (int(each.name[:8]) for each in (folder / "run").glob("checkpoints/0*")), default=0
        )

    def result(folder: Path) -> object:
        return hashes(folder / "run", "weights.safetensors")

    return Work(TINY, order, sound, result)


def exporting(root: Path) -> Work:
    """An export that takes the place of an earlier one."""

    def order(folder: Path) -> list[str]:
        return ["parts", f"--out={folder / 'birds.t2i'}"]

    def sound(folder: Path) -> int:
        """Whether there is a bundle, which is whole then."""
        bundle = folder / "birds.t2i"
        return int(bundle.exists() and bool(Bundle.load(bundle).files))

    def result(folder: Path) -> object:
        return hashes(folder / "birds.t2i", "*.onnx")

    return Work("t2i.export.cli:main", order, sound, result)


def drawing(root: Path) -> Work:
    """Three hundred pictures and their stages."""
    bundle = write_tiny_bundle(root)
    words = ("red", "blue", "grey", "black", "white", "yellow", "green", "brown")
    captions = root / "captions.txt"
    captions.write_text(
        "".join(f"a {one} bird with {two} wings\n" for one in words for two in words)
    )

    def order(folder: Path) -> list[str]:
        order = ["--captions", str(captions), "--out", str(folder / "drawn"), "--resume"]
        options = [f"--model={bundle}", "--count=5", "--stages", "--device=cpu", "--threads=1"]
        return order + options

    def sound(folder: Path) -> int:
        """How many pictures the index tells of, each of which is whole."""
        index = folder / "drawn" / "index.jsonl"
        lines = index.read_bytes().split(b"\n")[:-1] if index.exists() else []
        for line in lines:
            with Image.open(folder / "drawn" / json.loads(line)["file"]) as picture:
                picture.load()
        return len(lines)

    def result(folder: Path) -> object:
        return hashes(folder / "drawn")

    return Work("t2i.runtime.cli.run:main", order, sound, result)


def scoring(root: Path) -> Work:
    """What a judge sees of two sets of pictures."""
    judge = write_judge(root)
    for name, seed in (("real", 1), ("fake", 2)):
        (root / name).mkdir()
        levels = np.random.default_rng(seed).integers(0, 256, (160, 64, 64, 3), np.uint8)
        for n, each in enumerate(levels):
            Image.fromarray(each).save(root / name / f"{n:03}.png")

    def order(folder: Path) -> list[str]:
        looked = [f"--with={metric}={judge}" for metric in ("fid", "is", "kid")]
        options = ["--resume", "--json", "--subset=20", "--device=cpu", "--threads=1"]
        return ["fid,is,kid", str(root / "real"), str(root / "fake"), *looked, *options]

    def result(folder: Path) -> object:
        said = (folder / "said").read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["value"] for line in said if line.startswith("{")]

    return Work("t2i.runtime.cli.score:main", order, lambda folder: 0, result)


@pytest.mark.parametrize("made", [training, exporting, drawing, scoring])
def test_what_is_killed_goes_on_and_has_lost_nothing(
    made: Callable[[Path], Work], in_full: bool, record: Record, tmp_path: Path
) -> None:
    endured = endure(made(tmp_path), tmp_path, KILLS if in_full else FEW, seed=7)
    record(f"kills-{made.__name__}", {"kills": endured.kills, "finished": endured.finished})
