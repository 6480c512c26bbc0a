"""Drawn birds as a data set: batches, sizes, the cache, and the folder that they are written to."""

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from t2i.runtime.errors import DataError, UsageError
from t2i.runtime.text import CHARACTERS
from t2i.train import data
from t2i.train.data.birds import cache
from t2i.train.data.birds.attributes import COLOURS, NAMES, VALUES, complete
from t2i.train.data.birds.cache import CHUNK, Series
from t2i.train.data.birds.captions import vocabulary
from t2i.train.data.birds.pose import NOISE
from t2i.train.data.birds.render import PARTS, draw
from t2i.train.data.dataset import Dataset
from t2i.train.data.dice import Dice
from t2i.train.data.write import write

TINY = data.Settings(kind="birds", px=(8, 16, 32), words=32, count=70, facing="right")


def test_a_batch_is_what_the_contract_says() -> None:
    batch = data.open(TINY).batch(0, 6, seed=1)
    assert [image.shape for image in batch.images] == [(6, 3, px, px) for px in TINY.px]
    assert all(image.dtype == torch.float32 and image.abs().max() <= 1 for image in batch.images)
    assert batch.tokens.shape[0] == 6
    assert batch.tokens.dtype == batch.labels.dtype == torch.int64
    assert batch.tokens.shape[1] == int((batch.tokens > 0).sum(1).max())
    assert batch.noise is not None
    assert batch.noise.shape == (6, 26)
    assert batch.noise.dtype == torch.float32
    assert batch.attributes is not None
    assert batch.attributes.shape == (6, len(NAMES))
    assert batch.mask is not None
    assert batch.mask.shape == (6, 1, 32, 32)
    assert 0.05 < batch.mask.mean() < 0.4
    assert batch.to("cpu").step == 0


def test_a_batch_is_a_pure_function_of_its_step() -> None:
    first, second = data.open(TINY), data.open(TINY)
    second.batch(3, 8, seed=5)
    for step in (0, 7, 30):
        one, other = first.batch(step, 8, seed=5), second.batch(step, 8, seed=5)
        assert one.captions == other.captions
        assert torch.equal(one.tokens, other.tokens)
        assert torch.equal(one.images[-1], other.images[-1])
        assert one.step == step
    assert first.batch(0, 8, seed=5).captions != first.batch(0, 8, seed=6).captions


def test_an_epoch_visits_each_picture_once_and_drops_the_rest() -> None:
    birds = data.open(TINY)
    noise = [tuple(row.tolist()) for step in range(4) for row in _noise(birds, step)]
    assert len(set(noise)) == 4 * 16  # 70 // 16 batches
    again = [tuple(row.tolist()) for step in range(4, 8) for row in _noise(birds, step)]
    assert noise != again
    assert len(set(noise) | set(again)) <= 70


def _noise(birds: Dataset, step: int) -> torch.Tensor:
    noise = birds.batch(step, 16, seed=0).noise
    assert noise is not None
    return noise


def test_smaller_pictures_are_the_means_of_the_largest() -> None:
    small, middle, large = data.open(TINY).batch(0, 8, seed=0).images
    assert torch.allclose(middle, torch.nn.functional.avg_pool2d(large, 2), atol=1e-6)
    assert torch.allclose(small, torch.nn.functional.avg_pool2d(large, 4), atol=1e-6)


def test_the_picture_is_the_one_that_noise_and_attributes_draw() -> None:
    birds = data.open(replace(TINY, px=(64,), count=3, facing="both"))
    for index in range(3):
        item = birds.item(index, 0)
        series = Series("train", 128, 0, "both")
        assert item.noise is not None
        drawing = draw(
            series.bird(index), item.noise, 128, mirrored=series.looks_left(index)
        ).pixels
        means = drawing.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3)) / 127.5 - 1
        assert np.abs(item.images[0].permute(1, 2, 0).numpy() - means).max() < 1e-5
        assert item.attributes == complete(series.facts(index)).codes
        assert COLOURS[item.label] == series.bird(index).back


def test_each_visit_says_the_same_facts_anew() -> None:
    birds = data.open(TINY)
    assert len({birds.item(11, visit).caption for visit in range(20)}) > 5
    assert len({birds.item(11, visit).attributes for visit in range(20)}) == 1


def test_words_or_a_noise_number_decide_where_a_bird_looks() -> None:
    both, right = Series("train", 64, 0, "both"), Series("train", 64, 0, "right")
    dimension = NOISE.index("facing")
    for index in range(200):
        said = both.facts(index).get("facing")
        expected = said == "left" if said else both.noise(index)[dimension] > 0
        assert both.looks_left(index) == expected
        assert not right.looks_left(index)
    assert 60 < sum(both.looks_left(index) for index in range(200)) < 140


def test_the_source_tells_how_to_turn_pictures() -> None:
    birds = data.open(TINY)
    source = birds.source()
    assert source.facing is not None
    left = birds.tokens("left", Dice(0))
    right = birds.tokens("right", Dice(0))
    assert (source.facing.left,) == left
    assert (source.facing.right,) == right
    assert NOISE[source.facing.noise] == "facing"
    assert source.classes == COLOURS
    assert source.attributes == tuple(len(values) for values in VALUES.values())
    assert source.vocabulary == len(vocabulary()) + 2
    assert data.open(replace(TINY, facing="both")).source().facing is None
    json.dumps(birds.describe())


def test_captions_may_be_read_letter_by_letter() -> None:
    birds = data.open(replace(TINY, characters=40))
    for index in range(5):
        item = birds.item(index, index)
        assert spelled(item.tokens) == item.caption[:40]
        assert item.caption == data.open(TINY).item(index, index).caption
    source = birds.source()
    assert (source.vocabulary, source.length) == (len(CHARACTERS) + 2, 40)
    assert source.facing is not None
    assert spelled(source.facing.left) == " left"
    assert spelled(source.facing.right) == " right"
    assert birds.text.unknown == "keep"


def spelled(tokens: Any) -> str:
    return "".join(CHARACTERS[each - 1] for each in tokens)


def test_fixed_captions_are_held_out_and_always_the_same() -> None:
    birds = data.open(TINY)
    once, again = birds.fixed(6), birds.fixed(6)
    assert once.captions == again.captions
    unseen = data.open(replace(TINY, count=6), "validation")
    assert torch.equal(once.images[0], torch.stack([unseen.item(n, 0).images[0] for n in range(6)]))


def test_a_data_set_travels_to_other_processes() -> None:
    birds = data.open(TINY)
    birds.batch(0, 4, seed=0)
    sent = pickle.dumps(birds)
    assert len(sent) < 100_000
    assert pickle.loads(sent).batch(2, 4, seed=3).captions == birds.batch(2, 4, seed=3).captions


def test_too_few_pictures_are_an_error() -> None:
    with pytest.raises(DataError, match="too few") as caught:
        data.open(TINY).batch(0, 71, seed=0)
    assert "batch_size" in caught.value.hint


@pytest.mark.parametrize(
    "wrong",
    [
        {"px": ()},
        {"px": (64, 32)},
        {"px": (48, 64)},
        {"words": 0},
        {"count": 0},
        {"kind": "folder"},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        data.open(replace(TINY, **wrong))  # type: ignore[arg-type]


# ---- the cache


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("T2I_HOME", str(tmp_path))
    return tmp_path / "cache" / "birds"


def test_an_interrupted_rendering_goes_on_where_it_stopped(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    series, folder = Series("train", 8), Series("train", 8).folder
    drawn: list[int] = []
    real = cache._draw_chunk

    def failing(series: Series, chunk: int, folder: Path) -> int:
        if len(drawn) == 2:
            raise KeyboardInterrupt
        drawn.append(chunk)
        return real(series, chunk, folder)

    monkeypatch.setattr(cache, "_draw_chunk", failing)
    with pytest.raises(KeyboardInterrupt):
        series.fill(4 * CHUNK)
    kept = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(kept) == 4
    monkeypatch.setattr(cache, "_draw_chunk", real)
    series.fill(4 * CHUNK)
    assert len(list(folder.iterdir())) == 8
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items())


def test_birds_that_need_not_be_ready_are_drawn_when_asked_for(shelf: Path) -> None:
    birds = data.open(replace(TINY, count=8000), ready=False)
    assert birds.source().pictures == 8000
    assert not shelf.exists()
    birds.item(7999, 0)
    assert len(list(shelf.glob("*/*.npy"))) == 2


@pytest.mark.parametrize("damage", ["remove", "cut", "other"])
def test_a_damaged_chunk_is_drawn_again(shelf: Path, damage: str) -> None:
    series = Series("train", 8, seed={"remove": 1, "cut": 2, "other": 3}[damage])
    series.fill(1)
    path = series.folder / "00000-pixels.npy"
    before = path.read_bytes()
    if damage == "remove":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(before[: len(before) // 2])
    else:
        np.save(path, np.zeros(3))
    series.picture(5)
    assert path.read_bytes() == before


def test_the_mask_of_a_cached_picture_is_where_the_bird_is(shelf: Path) -> None:
    series = Series("train", 12)
    pixels, mask = series.picture(9)
    drawing = draw(series.bird(9), series.noise(9), 12, mirrored=series.looks_left(9))
    assert np.array_equal(pixels, drawing.pixels)
    assert np.array_equal(mask, drawing.parts > 0)


def test_the_series_unused_for_longest_is_forgotten_first(shelf: Path) -> None:
    series = [Series("train", 8, seed) for seed in range(3)]
    for used, each in zip((10, 20, 30), series, strict=True):
        each.fill(1)
        os.utime(each.folder, (used, used))
    one = sum(path.stat().st_size for path in series[0].folder.iterdir())
    cache.forget(2 * one, keep=series[2].folder)
    assert [each.folder.exists() for each in series] == [False, True, True]
    cache.forget(0, keep=series[2].folder)
    assert [each.folder.exists() for each in series] == [False, False, True]


@pytest.mark.slow
def test_helping_processes_draw_the_same(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = Series("train", 16)
    alone.fill(2 * CHUNK)
    expected = [path.read_bytes() for path in sorted(alone.folder.iterdir())]
    monkeypatch.setenv("T2I_HOME", str(tmp_path / "other"))
    monkeypatch.setattr(cache, "_QUICK_PIXELS", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    alone.fill(2 * CHUNK)
    assert [path.read_bytes() for path in sorted(alone.folder.iterdir())] == expected


# ---- written out


def test_birds_written_as_a_folder_read_back_the_same(tmp_path: Path) -> None:
    settings = replace(TINY, px=(32,), count=4)
    write(settings, tmp_path / "birds", captions_each=3)
    rows = [
        json.loads(line)
        for line in (tmp_path / "birds" / "metadata.jsonl").read_text().splitlines()
    ]
    parts = json.loads((tmp_path / "birds" / "parts.json").read_text())
    assert tuple(parts) == PARTS
    series = Series("train", 32, 0, "right")
    for index, row in enumerate(rows):
        bird = series.bird(index)
        drawing = draw(bird, row["noise"], 32)
        folder = tmp_path / "birds"
        assert np.array_equal(np.array(Image.open(folder / row["file_name"])), drawing.pixels)
        assert np.array_equal(np.array(Image.open(folder / row["mask"])), drawing.parts)
        assert row["attributes"] == {name: getattr(bird, name) for name in NAMES}
        assert row["label"] == bird.back
        assert len(row["text"]) == 3
    folder_settings = data.Settings(kind="folder", folder=str(tmp_path / "birds"), px=(32,))
    assert len(data.open(folder_settings)) + len(data.open(folder_settings, "test")) == 4
    with pytest.raises(DataError, match="exists"):
        write(settings, tmp_path / "birds")
