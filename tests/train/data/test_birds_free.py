"""Birds that are free to be anything: no attribute tells another, and every mark can be seen."""

from collections.abc import Iterator
from itertools import combinations as pairs

import numpy as np

from t2i.runtime.text import words_of
from t2i.train import data
from t2i.train.data.birds.attributes import (
    NAMES,
    NONE,
    VALUES,
    Bird,
    Facts,
    combinations,
    complete,
    facts_of,
    split_of,
)
from t2i.train.data.birds.cache import Series
from t2i.train.data.birds.captions import phrase, vocabulary
from t2i.train.data.dice import Dice

COUNT = 4000


def facts() -> Iterator[Facts]:
    return (facts_of(0, "train", index, "free") for index in range(COUNT))


def birds() -> Iterator[Bird]:
    return map(complete, facts())


def guessed(told: np.ndarray, wanted: np.ndarray) -> float:
    """Share of right guesses of one attribute, by whoever knows another one."""
    table = np.zeros((told.max() + 1, wanted.max() + 1))
    np.add.at(table, (told, wanted), 1)
    return float(table.max(axis=1).sum() / len(told))


def test_no_attribute_can_be_guessed_from_another() -> None:
    codes = np.array([bird.codes for bird in birds()])
    for one, other in pairs(range(len(NAMES)), 2):
        for told, wanted in ((one, other), (other, one)):
            blind = np.bincount(codes[:, wanted]).max() / COUNT
            gained = guessed(codes[:, told], codes[:, wanted]) - blind
            assert gained < 0.3, (NAMES[told], NAMES[wanted])


def test_no_value_is_seldom() -> None:
    codes = np.array([bird.codes for bird in birds()])
    for column, (name, values) in enumerate(VALUES.items()):
        shares = np.bincount(codes[:, column], minlength=len(values)) / COUNT
        assert shares.min() > 0.3 / len(values), name


def test_every_mark_can_be_seen() -> None:
    for bird in birds():
        assert bird.wing_bars != bird.wing
        assert bird.eye_ring != bird.head
        assert bird.eyebrow not in (bird.head, bird.crown)
        assert bird.mask != bird.head
        assert bird.mask == NONE or bird.eyebrow != "black"


def test_they_too_keep_the_combinations_of_the_splits_apart() -> None:
    for each in facts():
        assert {split_of(kind) for kind in combinations(each)} <= {"train"}


def test_their_captions_say_all_there_is_in_known_words() -> None:
    for index, each in zip(range(300), facts(), strict=False):
        said = words_of(phrase(each, Dice(index), 120))
        assert set(said) <= set(vocabulary())
        assert len(said) <= 120


def test_they_lie_apart_from_birds_as_captions_tell_them() -> None:
    told, free = Series("train", 8), Series("train", 8, traits="free")
    assert told.folder != free.folder
    assert told.facts(0) != free.facts(0)
    settings = data.Settings(kind="birds", px=(8,), count=64, words=120, traits="free")
    item = data.open(settings).item(0, 0)
    assert item.attributes == complete(free.facts(0)).codes
