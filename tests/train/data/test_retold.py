"""Pictures that come with another of their captions."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from t2i.runtime.errors import DataError, UsageError
from t2i.train import data
from t2i.train.batches import parts
from t2i.train.data.birds import words
from t2i.train.data.birds.attributes import facts_of
from t2i.train.data.dice import Dice

BIRDS = data.Settings(kind="birds", px=(8,), words=32, count=40, retold=True)
WORDS = (("red", "crimson", "ruby"), ("blue", "navy", "azure"), ("green",))
"""Captions of each picture, of a word each."""


def a_folder(root: Path, told: tuple[tuple[str, ...], ...] = WORDS) -> data.Settings:
    rows = [{"file_name": f"{n}.png", "text": list(texts)} for n, texts in enumerate(told)]
    for name in ("train", "test"):
        (root / name).mkdir()
        (root / name / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        for row in rows:
            Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(root / name / str(row["file_name"]))
    return data.Settings(kind="folder", folder=str(root), px=(8,), words=6, retold=True)


def test_a_bird_is_told_again_in_other_words_that_say_the_same() -> None:
    birds = data.open(BIRDS, ready=False)
    items = [birds.item(index, visit) for visit in range(2) for index in range(20)]
    assert sum(item.tokens != item.retold for item in items) >= 38
    said = 0
    for number, item in enumerate(items):
        facts = facts_of(BIRDS.seed, "train", number % 20, BIRDS.traits)
        for fact, names in (("main", words.COLOUR), ("size", words.SIZE)):
            if fact in facts:
                meant = {
                    each for name in names[facts[fact]] for each in birds.tokens(name, Dice(0))
                }
                assert meant & set(item.tokens)
                assert meant & set(item.retold)
                said += 1
    assert said > 40


def test_the_first_caption_and_the_picture_stay_as_they_are() -> None:
    told = data.open(BIRDS, ready=False).batch(1, 10, seed=5)
    plain = data.open(replace(BIRDS, retold=False), ready=False).batch(1, 10, seed=5)
    assert plain.retold is None
    assert told.captions == plain.captions
    assert torch.equal(told.images[0], plain.images[0])
    width = plain.tokens.shape[1]
    assert torch.equal(told.tokens[:, :width], plain.tokens)
    assert not told.tokens[:, width:].any()


def test_both_captions_of_a_batch_are_padded_alike_cut_and_moved_together() -> None:
    batch = data.open(BIRDS, ready=False).batch(0, 8, seed=0)
    assert batch.retold is not None
    assert batch.retold.shape == batch.tokens.shape
    whole = torch.cat([batch.tokens, batch.retold])
    assert bool(whole[:, -1].any()), "padded no further than the longest caption"
    cut = [part.retold for part in parts(batch.to("cpu"), 2)]
    assert all(each is not None and len(each) == 4 for each in cut)
    assert torch.equal(torch.cat([each for each in cut if each is not None]), batch.retold)


def test_a_photographs_other_caption_is_another_where_it_has_one(tmp_path: Path) -> None:
    found = data.open(a_folder(tmp_path))
    own = [{found.tokens(name, Dice(0)) for name in names} for names in WORDS]
    seen: list[set[tuple[int, ...]]] = [set(), set(), set()]
    for visit in range(60):
        for index, meant in enumerate(own):
            item = found.item(index, visit)
            assert {item.tokens, item.retold} <= meant
            assert (item.tokens == item.retold) == (len(meant) == 1)
            seen[index].add(item.retold)
    assert seen == own


def test_what_cannot_be_told_twice_is_refused(tmp_path: Path) -> None:
    settings = a_folder(tmp_path, (("red",), ("blue", "blue")))
    with pytest.raises(DataError, match="none has two captions") as caught:
        data.open(settings)
    assert "retold=false" in str(caught.value.hint)
    assert len(data.open(replace(settings, retold=False))) == 2
    with pytest.raises(UsageError, match="a class is no caption") as refused:
        data.open(replace(BIRDS, condition="class"))
    assert "retold=false" in str(refused.value.hint)
