"""`t2i-edit --from`: another caption from the same noise, and what it changed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundles import PX, save_manifest
from commands import differ, failed, names, pixels, records
from judges import write_sorter
from PIL import Image
from typer.testing import CliRunner, Result

from t2i.runtime.bundle import Bundle
from t2i.runtime.cli import changing
from t2i.runtime.cli.edit import app
from t2i.runtime.difference import STAYS, Difference, is_turned
from t2i.runtime.draw import Painter
from t2i.runtime.pictures import grid


@pytest.fixture(autouse=True)
def here(tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and a small bundle in place of the one that draws by default."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(changing, "MODEL", str(tiny_bundle))
    return folder


def edit(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--device=cpu", "--threads=1"])


# How pictures differ


def test_a_pixel_stays_until_one_channel_differs_by_more_than_8_levels() -> None:
    before = np.full((2, 3, 3), 100, np.uint8)
    after = before.copy()
    after[0, 0] += np.uint8(STAYS)
    after[1, 2, 1] -= np.uint8(STAYS + 1)
    found = Difference.between(before, after)
    assert STAYS == 8
    assert found.changed.tolist() == [[False] * 3, [False, False, True]]
    assert found.share == pytest.approx(1 / 6)
    assert found.mean == pytest.approx((3 * 8 + 9) / 18)
    assert found.map[:, :, 0].tolist() == [[8, 0, 0], [0, 0, 9]]


def test_differences_know_no_sign_and_do_not_wrap() -> None:
    black, white = np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8)
    for pair in ((black, white), (white, black)):
        assert Difference.between(*pair).mean == 255


def test_a_mirror_image_is_turned_and_a_picture_itself_is_not() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    assert is_turned(picture, picture[:, ::-1])
    assert not is_turned(picture, picture)
    plain = np.zeros_like(picture)
    assert not is_turned(plain, plain)


# What is drawn


def test_before_after_and_where_they_differ_stand_side_by_side(
    here: Path, painter: Painter
) -> None:
    done = edit("--from", "a red bird", "--seed", "7", "a blue bird")
    assert done.exit_code == 0, done.stderr
    before, after = painter.draw(["a red bird", "a blue bird"], seed=7, hold=["noise", "detail"])
    assert differ(before, painter.draw(["a red bird"], seed=7)[0]) <= 1
    expected = grid(np.stack([before, after]), columns=2)
    sheet = pixels(here / "a-red-bird-to-a-blue-bird.png")
    assert sheet.shape == (PX, 3 * PX + 8, 3)
    assert differ(sheet[:, : expected.shape[1]], expected) <= 1
    gap = np.abs(before.astype(int) - after)
    compared = np.abs(before.astype(int) - after[:, ::-1])
    if compared.mean() < gap.mean():
        gap = compared
    assert differ(sheet[:, -PX:, 0], gap.max(axis=2)) <= 1
    with Image.open(here / "a-red-bird-to-a-blue-bird.png") as picture:
        told = (picture.info["from"], picture.info["caption"], picture.info["seed"])
    assert told == ("a red bird", "a blue bird", "7")


def test_it_says_in_words_and_in_json_how_much_changed(here: Path) -> None:
    order = ("--from=a red bird", "a blue bird", "--seed=7")
    first, last = edit(*order, "--out=x.png").stdout.splitlines()
    (told,) = records(edit(*order, "--out=y.png", "--json").stdout)
    sheet = pixels(here / "y.png").astype(int)
    worst = sheet[:, -PX:, 0]
    assert told["changed"] == pytest.approx((worst > STAYS).mean(), abs=1e-6)
    assert worst.mean() / 3 <= told["mean_levels"] <= worst.mean()
    share, levels = f"{100 * told['changed']:.1f} %", f"{told['mean_levels']:.1f} of 255 levels"
    assert f"{share} of the pixels changed, {levels} on average" in first
    assert first.startswith("a blue bird: ")
    assert last.startswith("wrote x.png (before, after, difference; 56 × 16, ")
    assert (told["from"], told["caption"], told["seed"]) == ("a red bird", "a blue bird", 7)
    assert (told["words"], told["file"], told["bundle"]) == (["a", "blue", "bird"], "y.png", "tiny")


def test_each_caption_has_a_row_and_a_record(here: Path) -> None:
    done = edit("--from=a red bird", "a blue bird", "a small grey bird with a tail", "--json")
    first, second = records(done.stdout)
    assert first["file"] == second["file"] == "a-red-bird-to-a-blue-bird.png"
    assert (first["seed"], second["seed"]) == (0, 0)
    sheet = pixels(here / first["file"])
    assert sheet.shape == (2 * PX + 4, 3 * PX + 8, 3)
    assert differ(sheet[:PX, :PX], sheet[-PX:, :PX]) == 0


def test_a_caption_that_turns_the_picture_is_compared_with_the_mirror_image() -> None:
    random = np.random.default_rng(0)
    before = random.integers(0, 256, (8, 8, 3), np.uint8)
    after = before[:, ::-1].copy()
    after[0, 0] ^= 128
    job = changing.Drawn(None, before, {}, {}, 0.0)  # type: ignore[arg-type]
    made = changing.Changed.between(job, replace(job, pixels=after))
    assert made.turned
    assert made.difference.share == pytest.approx(1 / 64)
    assert made.difference.map[0, 7].tolist() == [128] * 3
    assert made.cells[1] is after


def test_captions_that_read_alike_change_nothing_and_are_named(here: Path) -> None:
    done = edit("--from=a bird", "a purple bird", "--json")
    assert "does not know 'purple'" in done.stderr
    assert "reads the same in 'a purple bird' as in 'a bird': nothing changes" in done.stderr
    (told,) = records(done.stdout)
    assert (told["changed"], told["mirrored"], told["unknown"]) == (0, False, ["purple"])
    assert told["mean_levels"] <= 1


def test_classes_are_changed_by_their_names(tmp_path: Path) -> None:
    sorter = write_sorter(tmp_path)
    (told,) = records(edit("--from=red", "blue", "--model", sorter, "--json").stdout)
    assert told["changed"] == 1, "all of the picture is of the class's colour"


# What goes wrong


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "say what the caption of --from becomes"),
        (["bird.png", "a blue bird"], 2, "--from draws from noise, and bird.png is a picture"),
        (["a blue bird", "--grid"], 2, "--from always makes one sheet\n hint: leave out --grid"),
        (["a blue bird", "--out", "x.jpg"], 2, "x.jpg is no .png"),
        (["a blue bird", "--seed", str(2**38)], 2, "the seed is too large"),
        (["🐦"], 1, "there are no words in the caption"),
        (["a blue bird", "--model", "dodo"], 1, "dodo"),
        (["a blue bird", "--out", "there.png"], 1, "there.png is there already"),
    ],
)
def test_a_wrong_command_line_is_refused_with_a_hint(
    here: Path, arguments: list[str], status: int, said: str
) -> None:
    Path("there.png").write_bytes(b"")
    assert said in failed(edit("--from=a red bird", *arguments), status)
    assert names(here) == ["there.png"]


def test_noise_that_cannot_be_held_is_an_error_with_a_hint(own_bundle: Path) -> None:
    manifest = Bundle.load(own_bundle).manifest
    text, generator = manifest.graphs
    noises = {each.name for each in manifest.noise}
    read = tuple(each for each in generator.inputs if each.name not in noises)
    still = replace(manifest, noise=(), graphs=(text, replace(generator, inputs=read)))
    save_manifest(own_bundle, still)
    said = failed(edit("--from=a red bird", "a blue bird", "--model", own_bundle))
    assert "tiny draws from no noise" in said
    assert "hint: take a bundle that draws from noise, such as " in said


def test_what_reads_no_captions_cannot_be_edited_by_them(tmp_path: Path, own_bundle: Path) -> None:
    manifest = Bundle.load(own_bundle).manifest
    _, generator = manifest.graphs
    own = tuple(each for each in generator.inputs if each.name in ("noise", "detail"))
    bare = replace(
        manifest,
        condition="none",
        text=None,
        noise=tuple(each for each in manifest.noise if each.name in {one.name for one in own}),
        graphs=(replace(generator, inputs=own),),
    )
    save_manifest(own_bundle, bare)
    said = failed(edit("--from=a red bird", "a blue bird", "--model", own_bundle), status=2)
    assert "tiny reads no captions, so none can change its pictures" in said


def test_nothing_to_do_names_both_ways() -> None:
    said = failed(edit(), status=2)
    assert "say which picture becomes what" in said
    assert 't2i-edit --from "a red bird" "a blue bird"' in said
