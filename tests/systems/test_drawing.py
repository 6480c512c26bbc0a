"""What every system that draws must do."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from systems.columns import Column, command
from typer.testing import CliRunner

from t2i.export.cli import app as export_app
from t2i.runtime.cli.edit import app as edit_app
from t2i.runtime.cli.run import app as run_app
from t2i.runtime.difference import STAYS
from t2i.runtime.draw import load

pytestmark = pytest.mark.slow


def test_a_caption_draws_alike_alone_and_in_company(drawing: Column) -> None:
    painter = load(drawing.path, device="cpu", threads=1)
    together = painter.draw(drawing.captions, seed=7)
    for place, caption in enumerate(drawing.captions):
        alone = painter.draw([caption], seed=7 + place)[0]
        assert np.abs(alone.astype(int) - together[place]).max() <= 1


def test_one_thread_draws_what_two_draw(drawing: Column) -> None:
    one, two = (load(drawing.path, device="cpu", threads=threads) for threads in (1, 2))
    pictures = [each.draw(drawing.captions, seed=3).astype(int) for each in (one, two)]
    assert np.abs(pictures[0] - pictures[1]).max() <= 1


def test_one_file_draws_what_the_bundle_draws(drawing: Column, tmp_path: Path) -> None:
    path, captions = tmp_path / "birds.onnx", drawing.captions
    order = [f"--bundle={drawing.path}", "--single-file", f"--out={path}"]
    if drawing.bundle.manifest.pipeline == "tokens":
        done = CliRunner().invoke(export_app, order)
        assert done.exit_code == 1
        assert "token by token" in done.stderr
        return
    command(export_app, order)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {"caption": np.array(captions, object), "seed": np.arange(3, 3 + len(captions))}
    image, known, _ = session.run(None, feeds)
    wanted = load(drawing.path, device="cpu", threads=1).draw(captions, seed=3)
    assert np.abs(wanted.astype(int) - image).max() <= 1
    assert (known > 0).all()


def test_another_seed_and_another_caption_draw_another_picture(drawing: Column) -> None:
    painter = load(drawing.path, device="cpu", threads=1)
    one, other, *_ = drawing.captions
    first = painter.draw([one], seed=0)
    assert (painter.draw([one], seed=1) != first).any()
    assert (painter.draw([other], seed=0) != first).any()
    px = painter.manifest.image_px
    assert first.shape == (1, px, px, 3)


def test_the_command_line_draws_from_the_bundle(drawing: Column, tmp_path: Path) -> None:
    out, caption = tmp_path / "bird.png", drawing.captions[0]
    arguments = [caption, f"--model={drawing.path}", f"--out={out}", "--seed=7", "--json"]
    record = json.loads(command(run_app, arguments))
    assert out.is_file()
    assert (record["seed"], record["caption"]) == (7, caption)
    assert record["sha256"] == drawing.bundle.sha256
    command(run_app, [f"--model={drawing.path}", "--selftest"])


def test_every_noise_can_be_held(drawing: Column) -> None:
    painter = load(drawing.path, device="cpu", threads=1)
    names, caption = [each.name for each in painter.manifest.noise], drawing.captions[0]
    apart = painter.draw([caption] * 2, seed=7)
    for held in ([name] for name in names):
        drawn = painter.draw([caption] * 2, seed=7, hold=held)
        assert np.abs(drawn[0].astype(int) - apart[0]).max() <= 1
        assert (len(names) == 1) == (np.abs(drawn[1].astype(int) - drawn[0]).max() <= 1)
    alike = painter.draw([caption] * 2, seed=7, hold=names).astype(int)
    assert np.abs(alike[1] - alike[0]).max() <= 1


def test_the_way_between_two_captions_has_their_pictures_at_its_ends(drawing: Column) -> None:
    painter = load(drawing.path, device="cpu", threads=1)
    start, end, *_ = drawing.captions
    drawn = painter.interpolate(start, end, frames=3, seed=7)
    for frame, caption in ((drawn[0], start), (drawn[2], end)):
        assert np.abs(frame.astype(int) - painter.draw([caption], seed=7)[0]).max() <= 1
    assert (drawn[1] != drawn[0]).any()


def test_a_picture_is_edited_where_there_are_graphs_for_it(drawing: Column, tmp_path: Path) -> None:
    painter = load(drawing.path, device="cpu", threads=1)
    given, out = tmp_path / "given.png", tmp_path / "bird.png"
    painter(drawing.captions[0], seed=3).save(given)
    arguments = [str(given), drawing.captions[1], f"--model={drawing.path}", f"--out={out}"]
    done = CliRunner().invoke(edit_app, arguments)
    roles, px = {graph.role for graph in drawing.bundle.manifest.graphs}, painter.manifest.image_px
    if roles & {"invert", "edit"}:
        assert done.exit_code == 0, done.output
        with Image.open(out) as picture:
            # Beside what becomes of a latent stand the picture and how the latent draws it.
            assert picture.size == ((3 * px + 8, px) if "edit" in roles else (px, px))
    else:
        assert done.exit_code == 1, done.output
        assert "edits no pictures" in done.stderr


def test_another_caption_from_the_same_noise_tells_what_changed(
    drawing: Column, tmp_path: Path
) -> None:
    start, end, *_ = drawing.captions
    order = [f"--from={start}", end, f"--model={drawing.path}", f"--out={tmp_path / 'x.png'}"]
    told = json.loads(command(edit_app, [*order, "--seed=7", "--json"]))
    painter = load(drawing.path, device="cpu", threads=1)
    noises = [each.name for each in painter.manifest.noise]
    before, after = painter.draw([start, end], seed=7, hold=noises).astype(int)
    compared = after[:, ::-1] if told["mirrored"] else after
    levels = np.abs(compared - before)
    assert told["mean_levels"] == pytest.approx(levels.mean(), abs=1)
    assert told["mean_levels"] > 0
    # Few steps teach little, so that it may be nothing; one level more or less is rounding.
    assert (levels.max(axis=2) > STAYS + 2).mean() <= told["changed"]
    assert told["changed"] <= (levels.max(axis=2) > STAYS - 2).mean()


def test_a_caption_is_taken_for_a_class_where_there_are_classes(
    drawing: Column, tmp_path: Path
) -> None:
    name = drawing.captions[0]
    arguments = [f"one {name}, please", "--nearest-class", f"--model={drawing.path}", "--json"]
    done = CliRunner().invoke(run_app, [*arguments, f"--out={tmp_path / 'bird.png'}"])
    if drawing.bundle.manifest.condition == "class":
        assert json.loads(done.stdout)["words"] == [name]
        assert f"is drawn as the class {name!r}" in done.stderr
    else:
        assert done.exit_code == 2, done.output
        assert "knows no classes" in done.stderr
