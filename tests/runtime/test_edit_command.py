"""`t2i-edit`: captions drawn in the style of a picture, whatever kind of picture it is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundles import DETAIL, NOISE, PX, add_inversion
from commands import differ, failed, names, pixels, records
from PIL import Image
from typer.testing import CliRunner, Result

from t2i.runtime.bundle import Bundle, Noise, Tensor
from t2i.runtime.cli.edit import app
from t2i.runtime.draw import Painter, load
from t2i.runtime.errors import BundleError
from t2i.runtime.pictures import fitted, grid, read_picture, to_pixels, to_planes
from t2i.runtime.rules import problems


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a picture of the bundle's size."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Image.fromarray(speckled(PX, PX)).save("bird.png")
    return folder


@pytest.fixture
def editor(own_bundle: Path) -> Path:
    """A bundle that can."""
    return add_inversion(own_bundle)


@pytest.fixture
def painter(editor: Path) -> Painter:
    return load(editor, device="cpu", threads=1)


def speckled(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def edit(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--device=cpu", "--threads=1"])


# What is drawn


def test_a_caption_is_drawn_from_the_noise_of_the_picture(
    here: Path, editor: Path, painter: Painter
) -> None:
    done = edit("bird.png", "a red bird", "--model", editor, "--seed", "5")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("wrote a-red-bird.png (16 × 16, ")
    style = painter.invert(pixels(here / "bird.png"))
    assert {name: values.shape for name, values in style.items()} == {"noise": (8,)}
    drawn = painter.paint(["a red bird"], seeds=[5], hold=style).pictures[0]
    assert differ(pixels(here / "a-red-bird.png"), drawn) <= 1
    assert differ(painter.draw(["a red bird"], seed=5, hold=style)[0], drawn) <= 1
    assert differ(painter.draw(["a red bird"], seed=5)[0], drawn) > 1
    with Image.open("a-red-bird.png") as picture:
        assert (picture.info["style"], picture.info["seed"]) == ("bird.png", "5")


def test_what_the_picture_does_not_tell_comes_from_the_seed(here: Path, editor: Path) -> None:
    order = ("bird.png", "a red bird", "--model", editor)
    for name, seed in (("one", 5), ("again", 5), ("other", 6)):
        done = edit(*order, "--seed", str(seed), "--out", f"{name}.png")
        assert "changes nothing" not in done.stderr
    assert differ(pixels(here / "one.png"), pixels(here / "again.png")) == 0
    assert differ(pixels(here / "one.png"), pixels(here / "other.png")) > 0


def test_a_seed_that_decides_nothing_is_named(editor: Path) -> None:
    add_inversion(editor, outputs=(NOISE, DETAIL))
    order = ("bird.png", "a bird", "--model", editor)
    assert "so --seed changes nothing\n hint: leave out --seed" in edit(*order, "--seed=3").stderr
    assert "--seed" not in edit(*order).stderr
    assert differ(pixels(Path("a-bird.png")), pixels(Path("a-bird-2.png"))) <= 1


def test_a_sheet_begins_with_the_picture(here: Path, editor: Path, painter: Painter) -> None:
    captions = ("a red bird", "a blue bird")
    done = edit("bird.png", *captions, "--model", editor, "--grid")
    assert done.stdout.startswith("wrote a-red-bird-grid.png (3 pictures, 56 × 16, ")
    picture = pixels(here / "bird.png")
    drawn = painter.draw(captions, hold=painter.invert(picture))
    expected = grid(np.stack([picture, *drawn]), columns=3)
    assert differ(pixels(here / "a-red-bird-grid.png"), expected) <= 1


def test_json_is_one_record_a_picture_or_a_sheet(editor: Path) -> None:
    order = ("bird.png", "a purple bird", "a bird", "--model", editor, "--json")
    first, second = records(edit(*order).stdout)
    assert (first["picture"], first["file"]) == ("bird.png", "a-purple-bird.png")
    assert (first["words"], first["unknown"]) == (["a", "bird"], ["purple"])
    assert (first["seed"], second["seed"]) == (0, 1)
    (sheet,) = records(edit(*order, "--grid").stdout)
    assert sheet["captions"] == ["a purple bird", "a bird"]
    assert sheet["bundle"] == first["bundle"] == "tiny"


# What it looks at


def test_the_middle_of_a_picture_of_any_size_is_looked_at(editor: Path, painter: Painter) -> None:
    wide = np.full((20, 60, 3), 255, np.uint8)
    wide[:, 20:40] = speckled(20, 20)
    Image.fromarray(wide).save("wide.png")
    Image.fromarray(wide[:, 20:40]).save("square.png")
    said = edit("wide.png", "a bird", "--model", editor, "--out", "wide-bird.png").stderr
    assert "wide.png is 60 × 20: the square in its middle is resized to 16 × 16" in said
    said = edit("square.png", "a bird", "--model", editor, "--out", "square-bird.png").stderr
    assert "square.png is 20 × 20: resized to 16 × 16" in said
    assert differ(pixels(Path("wide-bird.png")), pixels(Path("square-bird.png"))) == 0
    assert "resized" not in edit("bird.png", "a bird", "--model", editor).stderr


def test_a_fitted_picture_keeps_its_colours() -> None:
    plain = np.full((300, 200, 3), (10, 200, 90), np.uint8)
    for px in (16, 64, 512):
        assert (fitted(plain, px) == plain[0, 0]).all()
        assert fitted(plain, px).shape == (px, px, 3)
    assert fitted(speckled(1, 5), 16).shape == (16, 16, 3)


def test_planes_are_the_pixels_again() -> None:
    picture = speckled(5, 7)
    assert to_planes([picture]).shape == (1, 3, 5, 7)
    np.testing.assert_array_equal(to_pixels(to_planes([picture]), "round")[0], picture)


def test_pictures_of_all_kinds_are_looked_at_as_people_see_them(here: Path, editor: Path) -> None:
    grey = np.arange(PX * PX, dtype=np.uint8).reshape(PX, PX)
    plain = Image.fromarray(grey)
    plain.save("grey.png")
    plain.convert("RGB").save("rgb.png")
    plain.convert("RGBA").save("alpha.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save("deep.png")
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    plain.rotate(180).save("turned.png", exif=exif)
    for name in ("grey", "rgb", "alpha", "deep", "turned"):
        done = edit(f"{name}.png", "a bird", "--model", editor, "--out", f"{name}-bird.png")
        assert done.exit_code == 0, done.stderr
        assert differ(pixels(here / f"{name}-bird.png"), pixels(here / "grey-bird.png")) == 0
    Image.fromarray(speckled(PX, PX)).convert("CMYK").save("print.jpg")
    assert read_picture(Path("print.jpg")).shape == (PX, PX, 3)
    assert edit("print.jpg", "a bird", "--model", editor).exit_code == 0


# What goes wrong


def test_a_bundle_that_cannot_names_those_that_can(
    editor: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("T2I_HOME", str(tmp_path / "home"))
    said = failed(edit("bird.png", "a bird", "--model", tiny_bundle))
    assert "tiny edits no pictures" in said
    assert "none here can" in said
    (tmp_path / "home" / "bundles").mkdir(parents=True)
    editor.rename(tmp_path / "home" / "bundles" / "stylist.t2i")
    assert "these can: stylist" in failed(edit("bird.png", "a bird", "--model", tiny_bundle))
    said = failed(edit("bird.png", "a bird"), status=2)
    assert "say with --model which bundle edits\n hint: these can: stylist" in said
    with pytest.raises(BundleError):
        load(tiny_bundle, device="cpu").invert(speckled(PX, PX))


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["bird.png"], 2, "say what to draw in the style"),
        (["bird.png", "a bird", "--out", "x.jpg"], 2, "x.jpg is no .png"),
        (["bird.png", "a bird", "red", "--out", "x.png"], 2, "2 pictures do not fit into x.png"),
        (["bird.png", "a bird", "--seed", str(2**38)], 2, "seed is too large"),
        (["dodo.png", "a bird"], 1, "dodo.png does not exist"),
        (["page.png", "a bird"], 1, "page.png cannot be read as a picture"),
        (["bird.png", "a bird", "🐦"], 1, "there are no words in the caption"),
        (["bird.png", "a bird", "--out", "bird.png"], 1, "bird.png is there already"),
    ],
)
def test_a_wrong_command_line_is_refused_with_a_hint(
    here: Path, editor: Path, arguments: list[str], status: int, said: str
) -> None:
    Path("page.png").write_text("<html>", encoding="utf-8")
    assert said in failed(edit(*arguments, "--model", editor), status)
    assert names(here) == ["bird.png", "page.png"]


def test_what_exists_is_replaced_only_by_force(here: Path, editor: Path) -> None:
    before = pixels(here / "bird.png")
    done = edit("bird.png", "a bird", "--model", editor, "--out", "bird.png", "--force")
    assert done.exit_code == 0, done.stderr
    assert differ(pixels(here / "bird.png"), before) > 1


def test_an_inversion_that_does_not_fit_its_generator_is_refused(editor: Path) -> None:
    sound = Bundle.load(editor).manifest
    *drawing, invert = sound.graphs
    large = Tensor("image", "float32", ("B", 3, 2 * PX, 2 * PX))
    for change in (
        {"inputs": (large,)},
        {"inputs": (*invert.inputs, Tensor("noise", "float32", ("B", 8)))},
        {"outputs": (Tensor("noise", "float32", ("B", 9)),)},
        {"outputs": (Tensor("style", "float32", ("B", 8)),)},
    ):
        other = replace(sound, graphs=(*drawing, replace(invert, **change)))
        assert any(problem.startswith("invert: ") for problem in problems(other)), change
    renamed = replace(sound, noise=(Noise("noise", (9,)), sound.noise[1]))
    assert any(problem.startswith("invert: ") for problem in problems(renamed))


def test_help_opens_with_examples() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    assert shown.splitlines()[2].strip() == "Examples:"
    for option in ("--model", "--seed", "--out", "--grid", "--force", "--device", "--json"):
        assert f"  {option}" in shown
