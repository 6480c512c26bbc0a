"""Controlled sampling with `t2i-run`: noises that pictures share, and ways between captions."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from bundles import PX
from commands import contents, differ, failed, names, pixels, records
from PIL import Image, ImageSequence
from typer.testing import CliRunner, Result

from t2i.runtime.cli.run import app
from t2i.runtime.draw import Painter

CAPTIONS = ("a red bird", "the bird is small and yellow with black wings")
FOLDER = "a-red-bird-to-the-bird-is-small-and-yellow-with-black-wings"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to draw into."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def bundle(tiny_bundle: Path) -> tuple[str, ...]:
    return ("--model", str(tiny_bundle), "--device", "cpu", "--threads", "1")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def drawn(result: Result) -> list[np.ndarray]:
    assert result.exit_code == 0, result.stderr
    return [pixels(Path(each["file"])) for each in records(result.stdout)]


# Noises that pictures share


def test_a_held_noise_is_that_of_the_first_seed(bundle: tuple[str, ...], painter: Painter) -> None:
    done = run(*CAPTIONS, "--hold", "noise", "--seed", "7", "--json", *bundle)
    first, second = drawn(done)
    assert differ(first, painter.draw([CAPTIONS[0]], seed=7)[0]) <= 1
    expected = painter.paint([CAPTIONS[1]], seeds=[8], hold={"noise": 7}).pictures[0]
    assert differ(second, expected) <= 1
    assert differ(second, painter.draw([CAPTIONS[1]], seed=8)[0]) > 1
    assert [each["hold"] for each in records(done.stdout)] == [{"noise": 7}] * 2


def test_what_is_not_held_is_drawn_anew(bundle: tuple[str, ...], painter: Painter) -> None:
    pictures = drawn(run("a bird", "--hold", "noise", "--count", "3", "--json", *bundle))
    assert differ(pictures[0], pictures[1]) > 0
    assert differ(pictures[1], pictures[2]) > 0
    expected = painter.draw(["a bird"] * 3, hold=["noise"])
    assert differ(np.stack(pictures), expected) <= 1


def test_batches_change_nothing_about_what_is_held(bundle: tuple[str, ...]) -> None:
    order = ("a bird", "--hold", "noise", "--count", "5", "--grid", *bundle)
    run(*order, "--out", "wide.png")
    run(*order, "--out", "narrow.png", "--batch-size", "2")
    assert differ(pixels(Path("wide.png")), pixels(Path("narrow.png"))) <= 1


def test_a_caption_of_which_all_is_held_draws_one_picture_and_says_so(
    bundle: tuple[str, ...],
) -> None:
    done = run("a bird", "--hold", "noise, detail", "--count", "2", "--json", *bundle)
    assert "the 2 pictures of a caption are all the same" in done.stderr
    one, other = drawn(done)
    assert differ(one, other) <= 1
    assert "the same" not in run(*CAPTIONS, "--hold", "noise,detail", *bundle).stderr


@pytest.mark.parametrize("name", ["nose", "", "noise,details"])
def test_an_unknown_noise_is_refused_with_those_there_are(
    here: Path, bundle: tuple[str, ...], name: str
) -> None:
    said = failed(run("a bird", "--hold", name, *bundle), status=2)
    assert "its noises are: noise, detail" in said
    assert names(here) == []


def test_a_picture_tells_what_was_held(here: Path, bundle: tuple[str, ...]) -> None:
    run("a bird", "--hold", "noise", "--seed", "5", *bundle)
    run("a red bird", *bundle)
    with Image.open(here / "a-bird.png") as picture:
        assert picture.info["hold"] == "noise 5"
    with Image.open(here / "a-red-bird.png") as picture:
        assert "hold" not in picture.info


def test_going_on_holds_the_same_noise(here: Path, bundle: tuple[str, ...]) -> None:
    order = (
        "a bird",
        "--count",
        "5",
        "--batch-size",
        "2",
        "--out",
    )
    held = ("--hold", "noise", *bundle)
    run(*order, "whole", *held)
    shutil.copytree("whole", "part")
    index = here / "part" / "index.jsonl"
    index.write_bytes(b"".join(index.read_bytes().splitlines(keepends=True)[:2]))
    assert "without --hold" not in failed(run(*order, "part", "--resume", *bundle))
    assert run(*order, "part", "--resume", *held).exit_code == 0
    assert contents(here / "part") == contents(here / "whole")


# The way from one caption to another


def test_a_way_becomes_a_folder_of_frames(
    here: Path, bundle: tuple[str, ...], painter: Painter
) -> None:
    done = run("--interpolate", *CAPTIONS, "--frames", "5", "--seed", "3", *bundle)
    assert done.stdout.startswith(f"wrote 5 pictures to {FOLDER} (16 × 16")
    index = records((here / FOLDER / "index.jsonl").read_text())
    assert [each["share"] for each in index] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert {each["seed"] for each in index} == {3}
    expected = painter.interpolate(*CAPTIONS, frames=5, seed=3)
    for each, picture in zip(index, expected, strict=True):
        assert each["caption"] == " → ".join(CAPTIONS)
        assert differ(pixels(here / FOLDER / each["file"]), picture) <= 1
    with Image.open(here / FOLDER / index[1]["file"]) as picture:
        assert picture.info["share"] == "0.25"
    run("--interpolate", *CAPTIONS, *bundle)
    assert len(records((here / f"{FOLDER}-2" / "index.jsonl").read_text())) == 9


def test_a_grid_is_a_row_of_frames(bundle: tuple[str, ...], painter: Painter) -> None:
    done = run("--interpolate", *CAPTIONS, "--frames", "3", "--grid", "--json", *bundle)
    (record,) = records(done.stdout)
    assert (record["frames"], record["captions"]) == (3, list(CAPTIONS))
    sheet = pixels(Path(record["file"]))
    assert sheet.shape == (PX, 3 * PX + 2 * 4, 3)
    for place, frame in enumerate(painter.interpolate(*CAPTIONS, frames=3)):
        left = place * (PX + 4)
        assert differ(sheet[:, left : left + PX], frame) <= 1


@pytest.mark.parametrize("name", ["way.png", "way.webp", "WAY.WEBP"])
def test_a_file_plays_all_frames(bundle: tuple[str, ...], painter: Painter, name: str) -> None:
    order = ("--interpolate", *CAPTIONS, "--frames", "4", "--out", name, *bundle)
    done = run(*order)
    assert f"wrote {name} (4 pictures, 16 × 16, " in done.stdout
    with Image.open(name) as played:
        assert played.format == name.rpartition(".")[2].upper()
        frames = [np.asarray(each.convert("RGB")) for each in ImageSequence.Iterator(played)]
        assert played.info["loop"] == 0
    assert differ(np.stack(frames), painter.interpolate(*CAPTIONS, frames=4)) <= 1
    before = Path(name).read_bytes()
    assert "is there already" in failed(run(*order))
    assert run(*order, "--force").exit_code == 0
    assert Path(name).read_bytes() == before, "the same command gives the same file"


def test_a_way_can_be_gone_on_with(here: Path, bundle: tuple[str, ...]) -> None:
    order = ("--interpolate", *CAPTIONS, "--batch-size", "4", *bundle)
    run(*order, "--out", "whole", "--stages")
    shutil.copytree("whole", "part")
    index = here / "part" / "index.jsonl"
    index.write_bytes(b"".join(index.read_bytes().splitlines(keepends=True)[:5]))
    assert run(*order, "--out", "part", "--stages", "--resume").exit_code == 0
    assert contents(here / "part") == contents(here / "whole")
    fewer = ("--frames", "4", "--out", "part", "--stages", "--resume")
    assert "--interpolate --frames 9" in failed(run(*order, *fewer))


def test_the_captions_of_a_way_may_stand_in_a_file(here: Path, bundle: tuple[str, ...]) -> None:
    Path("two.txt").write_text("\n".join(CAPTIONS), encoding="utf-8")
    assert run("--interpolate", "--captions", "two.txt", *bundle).exit_code == 0
    Path("bad.txt").write_text(f"{CAPTIONS[0]}\n🐦", encoding="utf-8")
    said = failed(run("--interpolate", "--captions", "bad.txt", *bundle))
    assert "one of the two captions cannot be drawn" in said
    assert names(here) == [FOLDER, "bad.txt", "two.txt"]


def test_what_is_not_read_of_either_caption_is_said(bundle: tuple[str, ...]) -> None:
    said = run("--interpolate", "a gray bird", "a blue zebra", *bundle).stderr
    assert "does not know 'gray', 'zebra'" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--interpolate", "a bird"], "from one caption to another, and there are 1"),
        (["--interpolate", "a bird", "a bird", "a bird"], "and there are 3"),
        (["--interpolate", "a bird", "red", "--frames", "1"], "1 is too few"),
        (["--interpolate", "a bird", "red", "--frames", "-3"], "-3 is too few"),
        (["a bird", "red", "--frames", "3"], "add --interpolate"),
        (["--interpolate", "a bird", "red", "--count", "2"], "all noise is held"),
        (["--interpolate", "a bird", "red", "--hold", "noise"], "all noise is held"),
        (["--interpolate", "a bird", "red", "--attention"], "there is no attention"),
        (["--interpolate", "a bird", "red", "--stages", "--out", "x.webp"], "has no stages"),
        (["--interpolate", "a bird", "red", "--out", "x.gif"], "not written as .gif"),
        (["--interpolate", "a bird", "red", "--grid", "--out", "x.webp"], "not written as .webp"),
        (["--interpolate", "a bird", "red", "--resume", "--out", "x.webp"], "--resume goes on"),
        (["a bird", "--out", "x.webp"], "not written as .webp"),
        (["--interpolate", "a", "red", "--frames", "9999999", "--grid"], "do not fit into one"),
    ],
)
def test_a_wrong_command_line_is_refused_with_a_hint(
    here: Path, bundle: tuple[str, ...], arguments: list[str], said: str
) -> None:
    assert said in failed(run(*bundle, *arguments), status=2)
    assert names(here) == []
