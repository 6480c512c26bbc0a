"""What every system that draws must do."""

import json
from pathlib import Path

import numpy as np
import pytest
from systems.columns import Column, command

from t2i.runtime.cli.run import app as run_app
from t2i.runtime.draw import load

pytestmark = pytest.mark.slow

CAPTIONS = ["a red bird", "a small blue bird with a white belly on the water", "yellow bird"]


def test_a_caption_draws_alike_alone_and_in_company(drawing: Column) -> None:
    painter = load(drawing.path, device="cpu", threads=1)
    together = painter.draw(CAPTIONS, seed=7)
    for place, caption in enumerate(CAPTIONS):
        alone = painter.draw([caption], seed=7 + place)[0]
        assert np.abs(alone.astype(int) - together[place]).max() <= 1


def test_one_thread_draws_what_two_draw(drawing: Column) -> None:
    one, two = (load(drawing.path, device="cpu", threads=threads) for threads in (1, 2))
    gap = np.abs(one.draw(CAPTIONS, seed=3).astype(int) - two.draw(CAPTIONS, seed=3))
    assert gap.max() <= 1


def test_another_seed_and_another_caption_draw_another_picture(drawing: Column) -> None:
    painter = load(drawing.path, device="cpu", threads=1)
    first = painter.draw([CAPTIONS[0]], seed=0)
    assert (painter.draw([CAPTIONS[0]], seed=1) != first).any()
    assert (painter.draw([CAPTIONS[1]], seed=0) != first).any()
    px = painter.manifest.image_px
    assert first.shape == (1, px, px, 3)


def test_the_command_line_draws_from_the_bundle(drawing: Column, tmp_path: Path) -> None:
    out = tmp_path / "bird.png"
    arguments = [CAPTIONS[0], f"--model={drawing.path}", f"--out={out}", "--seed=7", "--json"]
    record = json.loads(command(run_app, arguments))
    assert out.is_file()
    assert (record["seed"], record["caption"]) == (7, CAPTIONS[0])
    assert record["sha256"] == drawing.bundle.sha256
    command(run_app, [f"--model={drawing.path}", "--selftest"])
