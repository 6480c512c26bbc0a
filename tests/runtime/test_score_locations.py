"""Sets that lie in stores of objects are the same sets."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from commands import failed
from PIL import Image
from typer.testing import CliRunner, Result
from upath import UPath

from t2i.runtime.cli.score import app
from t2i.runtime.errors import ScoreError
from t2i.runtime.score.locations import location
from t2i.runtime.score.sources import Stored

STORE = "memory://bucket"


@pytest.fixture(autouse=True)
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two folders of noise and archives of them, here and in a store."""
    random = np.random.default_rng(0)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for n in range(3):
            levels = random.integers(0, 256, (16, 24, 3), np.uint8)
            Image.fromarray(levels).save(tmp_path / folder / f"{n}.png")
        for kind in ("zip", "tar", "gztar"):
            shutil.make_archive(str(tmp_path / folder), kind, tmp_path, folder)
    (tmp_path / "a.txt").write_text("".join(f"a/{n}.png\n" for n in range(3)))
    (tmp_path / "b.txt").write_text("".join(f"{STORE}/b/{n}.png\n" for n in range(3)))
    store = UPath(STORE)
    for path in tmp_path.rglob("*.*"):
        there = store / path.relative_to(tmp_path).as_posix()
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    yield
    store.fs.rm("/", recursive=True)


def score(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["psnr,ssim", *arguments])


@pytest.mark.parametrize("ending", ["", ".zip", ".tar", ".tar.gz", ".txt"])
def test_a_set_scores_alike_wherever_it_lies(ending: str) -> None:
    here = score("a", "b")
    assert here.exit_code == 0
    assert score("a", f"{STORE}/b{ending}").stdout == here.stdout
    assert score(f"{STORE}/a{ending}", "b").stdout == here.stdout


def test_shards_and_captions_lie_there_too() -> None:
    folder = UPath(f"{STORE}/told")
    folder.mkdir()
    for n in range(2):
        (folder / f"{n}.png").write_bytes(Path(f"a/{n}.png").read_bytes())
    (folder / "metadata.jsonl").write_text(
        '{"file_name": "1.png", "text": "a bird"}\n{"file_name": "0.png", "text": "another"}\n'
    )
    told = Stored(location(f"{STORE}/told"))
    assert [each.text for each in told.captions] == ["a bird", "another"]
    shards = UPath(f"{STORE}/shards")
    shards.mkdir()
    for n, name in enumerate("ab"):
        (shards / f"data-{n:03}.tar").write_bytes(Path(f"{name}.tar").read_bytes())
    assert len(Stored(location(f"{STORE}/shards/data-{{000..001}}.tar"))) == 6
    assert len(Stored(location(f"{STORE}/shards"))) == 6


def test_what_is_not_there_is_an_error() -> None:
    assert "hint" in failed(score("a", f"{STORE}/nothing"))
    assert "foo" in failed(score("a", "foo://bucket/b"))
    said = failed(score("a", "s3://bucket/b"))
    assert "s3fs" in said


def test_a_picture_that_is_gone_is_left_out_and_a_network_that_fails_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Stored(location("b.txt"), workers=1)
    assert len(source.items) == 3
    UPath(f"{STORE}/b/1.png").unlink()
    assert len([each for batch in source.batches(8) for each in batch]) == 2
    assert list(source.unreadable) == [f"{STORE}/b/1.png"]

    def fail(self: UPath) -> bytes:
        raise RuntimeError("the store does not answer")

    monkeypatch.setattr(type(UPath(STORE)), "read_bytes", fail)
    with pytest.raises(ScoreError, match="the store does not answer") as caught:
        list(Stored(location("b.txt")).batches(8))
    assert "--resume" in caught.value.hint


def test_a_path_of_this_machine_stays_one() -> None:
    assert location("a/0.png") == Path("a/0.png")
    assert not isinstance(cast(object, location(f"{STORE}/a")), Path)


def test_without_the_extra_the_hint_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "upath", None)
    assert "pip install 't2i[scale]'" in failed(score("a", f"{STORE}/b"))
