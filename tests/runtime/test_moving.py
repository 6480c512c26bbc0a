"""`t2i-edit` with a bundle that tells latents and moves them: your picture, edited."""

import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundles import DRAWN, PX, E, add_line_drawing, manifest, refused, save_manifest
from commands import differ, failed, names, pixels, records
from PIL import Image
from typer.testing import CliRunner, Result

from t2i.runtime.bundle import Bundle, Tensor, Training
from t2i.runtime.cli.edit import app
from t2i.runtime.draw import load
from t2i.runtime.editor import PATIENCE, Editor, Moved, Wish
from t2i.runtime.pictures import Pixels, grid, to_pixels, to_planes
from t2i.runtime.rules import problems


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a picture that a latent draws."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Image.fromarray(drawn(np.linspace(-0.4, 0.4, E))).save("bird.png")
    return folder


@pytest.fixture(scope="session")
def edits(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that can."""
    copy = shutil.copytree(tiny_bundle, tmp_path_factory.mktemp("edits") / "lines.t2i")
    return add_line_drawing(Path(copy))


@pytest.fixture(scope="session")
def editor(edits: Path) -> Editor:
    return Editor(load(edits, device="cpu", threads=1))


def drawn(latent: np.ndarray) -> Pixels:
    """What a latent (E,) draws."""
    lines = (latent @ DRAWN).clip(-1, 1).reshape(1, 3, PX, PX)
    return to_pixels(lines.astype(np.float32), "round")[0]


def loss(latent: np.ndarray, wish: Wish, picture: Pixels, strength: float) -> float:
    away = latent @ DRAWN - to_planes([picture]).ravel()
    return float(strength * ((latent - wish.latent) ** 2).sum() + (1 - strength) * (away**2).sum())


def last(ways: Iterator[Moved]) -> Moved:
    *_, moved = ways
    return moved


def edit(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--device=cpu", "--threads=1"])


# How a latent moves


@pytest.mark.parametrize("strength", [0.97, 0.99, 1.0])
def test_a_latent_comes_to_where_caption_and_picture_pull_alike(
    here: Path, editor: Editor, strength: float
) -> None:
    picture, wish = pixels(here / "bird.png"), editor.wish(editor.painter.read("a red bird"))
    moved = last(editor.move(editor.tell(picture), wish, strength=strength, steps=300))
    square = strength * np.eye(E) + (1 - strength) * DRAWN @ DRAWN.T
    pulled = strength * wish.latent + (1 - strength) * DRAWN @ to_planes([picture]).ravel()
    best = np.linalg.solve(square, pulled)
    least = loss(best, wish, picture, strength)
    assert moved.losses[0] > 1.2 * least
    assert min(moved.losses) == pytest.approx(least, rel=0.05, abs=0.02)
    assert min(moved.losses) == pytest.approx(loss(moved.latent, wish, picture, strength), abs=1e-3)
    assert differ(moved.picture, drawn(moved.latent)) <= 1


def test_a_latent_that_nothing_improves_stays(here: Path, editor: Editor) -> None:
    told = editor.tell(pixels(here / "bird.png"))
    np.testing.assert_allclose(told.latent, np.linspace(-0.4, 0.4, E), atol=0.01)
    moved = last(editor.move(told, Wish(told.latent, 0.0), strength=0.0, steps=60))
    assert len(moved.losses) == PATIENCE + 1
    assert np.array_equal(moved.latent, told.latent)
    assert differ(moved.picture, editor.draw(told.latent[None])[0]) == 0


def test_no_steps_are_none(here: Path, editor: Editor) -> None:
    told = editor.tell(pixels(here / "bird.png"))
    moved = last(editor.move(told, Wish(np.zeros(E, np.float32), 0.0), steps=0))
    assert (len(moved.losses), moved.done) == (1, True)
    assert np.array_equal(moved.latent, told.latent)


def test_what_faces_the_other_way_is_edited_in_a_mirror(
    here: Path, editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = pixels(here / "bird.png")
    monkeypatch.setitem(vars(editor), "_turns", True)
    for given, mirrored in ((picture, False), (picture[:, ::-1], True)):
        told = editor.tell(given)
        assert told.mirrored == mirrored
        assert differ(told.picture, picture) == 0
        assert differ(told.shown(told.picture), given) == 0
        assert differ(told.shown(told.picture, facing=1.0), picture) == 0
        assert differ(told.shown(told.picture, facing=-1.0), picture[:, ::-1]) == 0


# What is written


def test_picture_inversion_and_results_stand_side_by_side(
    here: Path, edits: Path, editor: Editor
) -> None:
    order = ("bird.png", "a red bird", "a blue bird", "--model", edits, "--steps", "20")
    done = edit(*order)
    assert done.exit_code == 0, done.stderr
    assert "seed" not in done.stderr
    told = editor.tell(pixels(here / "bird.png"))
    moved = [
        last(editor.move(told, editor.wish(editor.painter.read(caption)), steps=20)).picture
        for caption in ("a red bird", "a blue bird")
    ]
    wanted = grid(np.stack([told.picture, drawn(told.latent), *moved]), columns=4)
    assert differ(pixels(here / "a-red-bird.png"), wanted) <= 1
    said = done.stdout.splitlines()
    assert said[0].startswith("a red bird: 20 steps, loss ")
    assert said[-1].startswith("wrote a-red-bird.png (picture, inversion at ")
    first, second = records(edit(*order, "--strength", "0.97", "--json").stdout)
    assert (first["caption"], second["caption"]) == ("a red bird", "a blue bird")
    assert first["losses"][1] < first["losses"][0]
    assert (first["steps"], first["strength"], first["bundle"]) == (20, 0.97, "tiny")
    assert first["inversion_db"] > 40


def test_a_kept_latent_serves_in_place_of_its_picture(here: Path, edits: Path) -> None:
    done = edit("bird.png", "--invert", "--out", "w.npz", "--model", edits)
    assert done.exit_code == 0, done.stderr
    assert "wrote w.npz (draws the picture again at " in done.stdout
    assert 'next: t2i-edit w.npz "a blue bird" --model tiny' in done.stdout
    for source, out in (("bird.png", "one.png"), ("w.npz", "other.png")):
        order = ("a red bird", "--model", edits, "--steps", "5", "--out", out)
        assert edit(source, *order).exit_code == 0
    assert differ(pixels(here / "one.png"), pixels(here / "other.png")) == 0
    assert edit("bird.png", "--invert", "--steps", "4", "--model", edits).exit_code == 0
    assert "bird.npz" in names(here)


def test_a_direction_is_added_at_once(here: Path, edits: Path, editor: Editor) -> None:
    order = ("bird.png", "--direction", "a red bird", "a blue bird", "--model", edits)
    done = edit(*order, "--strength", "0.5")
    assert done.exit_code == 0, done.stderr
    red, blue = (editor.wish(editor.painter.read(f"a {name} bird")) for name in ("red", "blue"))
    told = editor.tell(pixels(here / "bird.png"))
    wanted = drawn(told.latent + 0.5 * (blue.latent - red.latent))
    found = pixels(here / "a-red-bird-to-a-blue-bird.png")
    assert differ(found[:, -PX:], wanted) <= 1


def test_a_walk_goes_from_a_picture_to_another_or_to_a_caption(
    here: Path, edits: Path, editor: Editor
) -> None:
    Image.fromarray(drawn(np.full(E, 0.3))).save("other.png")
    walk = ("--interpolate", "--frames", "3", "--model", edits)
    done = edit("bird.png", "other.png", *walk, "--grid")
    assert done.exit_code == 0, done.stderr
    ends = np.linspace(-0.4, 0.4, E), np.full(E, 0.3)
    wanted = [drawn(ends[0]), drawn((ends[0] + ends[1]) / 2), drawn(ends[1])]
    found = pixels(here / "bird-to-other.png")
    assert differ(found, grid(np.stack(wanted), columns=3)) <= 3  # latents are told of bytes
    assert edit("bird.png", "a red bird", *walk, "--out", "way.webp").exit_code == 0
    with Image.open("way.webp") as way:
        assert way.n_frames == 3
        way.seek(2)
        end = editor.wish(editor.painter.read("a red bird")).latent
        assert differ(np.asarray(way.convert("RGB")), drawn(end)) <= 1


def test_pictures_of_all_kinds_are_edited_as_people_see_them(here: Path, edits: Path) -> None:
    grey = Image.fromarray(pixels(here / "bird.png")).convert("L")
    grey.save("grey.png")
    grey.convert("RGBA").save("alpha.png")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save("deep.png")
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    grey.rotate(180).save("turned.png", exif=exif)
    order = ("a red bird", "--model", edits, "--steps", "2", "--out")
    for name in ("grey", "alpha", "deep", "turned"):
        assert edit(f"{name}.png", *order, f"{name}-red.png").exit_code == 0
        assert differ(pixels(here / f"{name}-red.png"), pixels(here / "grey-red.png")) == 0
    grey.convert("CMYK").resize((3 * PX, 2 * PX)).save("print.jpg")
    done = edit("print.jpg", *order, "print-red.png")
    assert done.exit_code == 0, done.stderr
    assert "print.jpg is 48 × 32: the square in its middle is resized to 16 × 16" in done.stderr


# What goes wrong


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "say what the picture becomes"),
        (["a bird", "--seed", "3", "--strength", "2"], 2, "--strength 2 is no share"),
        (["a bird", "--frames", "3"], 2, "--frames does nothing towards a caption"),
        (["a bird", "--grid"], 2, "--grid does nothing"),
        (["a bird", "--out", "x.npz"], 2, "x.npz is no .png"),
        (["--invert", "--out", "x.png"], 2, "x.png is no .npz"),
        (["a bird", "--invert"], 2, "--invert takes a picture alone"),
        (["--invert", "--interpolate"], 2, "exclude each other"),
        (["--interpolate"], 2, "from one to another, and there are 1"),
        (["a bird", "--interpolate", "--frames", "1"], 2, "1 is too few"),
        (["🐦"], 1, "there are no words in the caption"),
        (["purple"], 1, "purple"),
        (["a bird", "--out", "bird.png"], 1, "bird.png is there already"),
    ],
)
def test_a_wrong_command_line_is_refused_with_a_hint(
    here: Path, edits: Path, arguments: list[str], status: int, said: str
) -> None:
    assert said in failed(edit("bird.png", *arguments, "--model", edits), status)
    assert names(here) == ["bird.png"]


def test_a_picture_too_small_is_refused(edits: Path) -> None:
    Image.new("RGB", (40, 7)).save("small.png")
    said = failed(edit("small.png", "a bird", "--model", edits))
    assert "the picture is 40 × 7: too small" in said
    assert "take one of at least 8 × 8" in said


def test_a_latent_of_another_model_or_none_is_refused(edits: Path, tmp_path: Path) -> None:
    assert edit("bird.png", "--invert", "--out", "w.npz", "--model", edits).exit_code == 0
    other = Path(shutil.copytree(edits, tmp_path / "other.t2i"))
    about = Bundle.load(edits).manifest
    save_manifest(other, replace(about, paper="another"))
    said = failed(edit("w.npz", "a bird", "--model", other))
    assert "w.npz is a latent of another model than tiny" in said
    Path("w.npz").write_bytes(b"PK\x03\x04")
    assert "w.npz holds no latent" in failed(edit("w.npz", "a bird", "--model", edits))
    assert "none.npz does not exist" in failed(edit("none.npz", "a bird", "--model", edits))


def test_a_bundle_whose_weights_have_no_hash_is_refused(own_bundle: Path) -> None:
    """Latents name the weights that they fit by it."""
    training = Training("toy", "", {}, needs={}, checkpoint="latest", images_seen=0)
    save_manifest(own_bundle, replace(manifest(own_bundle), training=training))
    assert "training.checkpoint: its sha256 is not 64 hexadecimal digits" in refused(own_bundle)


def test_other_ways_to_edit_refuse_what_moves_latents(edits: Path, tiny_bundle: Path) -> None:
    said = failed(edit("--from", "a bird", "red", "--steps", "3", "--model", tiny_bundle), 2)
    assert "--steps moves the latent of a picture" in said


def test_graphs_that_do_not_fit_each_other_are_refused(edits: Path) -> None:
    sound = manifest(edits), Bundle.load(edits).manifest
    assert sound[0].graphs == sound[1].graphs[:2]
    text, generator, image, step = sound[1].graphs
    half = Tensor("latent", "float32", ("B", E // 2))
    for graphs in (
        (text, generator, step),
        (text, generator, replace(image, outputs=(half,)), step),
        (text, generator, image, replace(step, inputs=step.inputs[1:])),
        (text, generator, image, replace(step, outputs=step.outputs[:2])),
        (text, generator, image, replace(step, inputs=(*step.inputs, half))),
    ):
        found = list(problems(replace(sound[1], graphs=graphs)))
        assert any(problem.startswith("edit: ") for problem in found)
    assert list(problems(sound[1])) == []


def test_a_loss_that_is_not_a_number_is_an_error(here: Path, editor: Editor) -> None:
    told = editor.tell(pixels(here / "bird.png"))
    wish = Wish(np.full(E, math.nan, np.float32), 0.0)
    with pytest.raises(Exception, match="not a number"):
        last(editor.move(told, wish))
