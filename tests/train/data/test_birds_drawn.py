"""Drawn birds: a picture is a function of what is said and of 26 numbers, and shows both."""

import math
import re
from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2i.runtime.text import words_of
from t2i.train.data.birds import words
from t2i.train.data.birds.attributes import (
    COLOURS,
    NAMES,
    NONE,
    PARTS,
    VALUES,
    Bird,
    combinations,
    complete,
    facts_of,
    split_of,
)
from t2i.train.data.birds.canvas import PLUMAGE, Canvas
from t2i.train.data.birds.captions import phrase, vocabulary
from t2i.train.data.birds.pose import NOISE
from t2i.train.data.birds.render import PARTS as DRAWN_PARTS
from t2i.train.data.birds.render import draw
from t2i.train.data.dice import Dice, mix, mix_text, uniform_of
from t2i.train.data.settings import Split

STILL = (0.0,) * len(NOISE)
FEATHERED = ("tail", "back", "breast", "belly", "head", "crown", "throat", "wing")


def noise(seed: int) -> tuple[float, ...]:
    dice = Dice(seed)
    return tuple(dice.normal() for _ in NOISE)


def numbers(split: Split = "train", count: int = 300) -> Iterator[dict[str, str]]:
    for index in range(count):
        yield dict(facts_of(0, split, index))


# ---- numbers


def test_the_scrambler_is_splitmix64() -> None:
    # First outputs of the published generator for the seed 1234567.
    dice = Dice()
    dice._state = 1234567
    state = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [dice.random() for _ in state] == [(each >> 11) * 2.0**-53 for each in state]


def test_draws_are_uniform_and_normal() -> None:
    dice = Dice(1)
    uniform = np.array([dice.random() for _ in range(20_000)])
    normal = np.array([dice.normal() for _ in range(20_000)])
    assert abs(uniform.mean() - 0.5) < 5 * math.sqrt(1 / 12 / 20_000)
    assert abs(normal.mean()) < 5 / math.sqrt(20_000)
    assert abs(normal.var() - 1) < 5 * math.sqrt(2 / 20_000)
    assert abs(np.mean([uniform_of(each) for each in normal]) - 0.5) < 0.02


def test_phi_is_the_normal_distribution() -> None:
    # Abramowitz and Stegun, table 26.1
    for normal, share in ((0.0, 0.5), (1.0, 0.841344746), (-2.0, 0.022750132)):
        assert uniform_of(normal) == pytest.approx(share, abs=1e-9)


def test_keys_are_told_apart_by_value_and_order() -> None:
    keys = [(), (0,), (0, 0), (0, 1), (1, 0), (2**63,), (-1,)]
    assert len({mix(*key) for key in keys}) == len(keys)
    assert mix_text("ab") != mix_text("ba")


def test_weights_are_how_often_a_phrase_is_said() -> None:
    dice = Dice(3)
    said = [dice.weighted({"often": 3, "seldom": 1, "never": 0}) for _ in range(4000)]
    assert "never" not in said
    assert said.count("often") / 4000 == pytest.approx(0.75, abs=0.04)


def test_a_shuffle_loses_nothing() -> None:
    assert sorted(Dice(5).shuffled(range(50))) == list(range(50))
    assert Dice(5).shuffled(range(50)) != list(range(50))


# ---- facts and rules


def test_a_red_bird_is_red_all_over_and_plain() -> None:
    bird = complete({"main": "red"})
    assert {getattr(bird, part) for part in (*PARTS, "back")} == {"red"}
    rest = {name: getattr(bird, name) for name in NAMES if name not in (*PARTS, "back")}
    assert rest == {
        "beak": "short",
        "beak_colour": "black",
        "ground": "branch",
        "size": "medium",
        "wing_bars": NONE,
        "eye_ring": NONE,
        "eyebrow": NONE,
        "mask": NONE,
        "crest": NONE,
        "breast_marks": NONE,
        "tail_length": "short",
    }


@pytest.mark.parametrize(
    ("facts", "follow"),
    [
        ({"main": "red", "head": "blue"}, {"crown": "blue", "throat": "blue", "breast": "red"}),
        ({"main": "red", "wing": "blue"}, {"tail": "blue", "back": "red"}),
        ({"main": "red", "breast": "blue"}, {"belly": "blue", "throat": "blue"}),
        ({"main": "red", "belly": "blue"}, {"breast": "red", "throat": "red"}),
        ({"wing": "black", "belly": "white"}, {"back": "black", "head": "black"}),
        ({"belly": "white"}, {"back": "white", "wing": "white"}),
    ],
)
def test_what_is_left_open_follows_from_what_is_said(
    facts: dict[str, str], follow: dict[str, str]
) -> None:
    bird = complete(facts)
    assert {name: getattr(bird, name) for name in follow} == follow


def test_what_is_stated_is_true_of_the_bird() -> None:
    for facts in numbers():
        bird = complete(facts)
        said = {name: value for name, value in facts.items() if name in VALUES}
        assert {name: getattr(bird, name) for name in said} == said
        assert bird.back == facts.get("main", bird.back)
        assert COLOURS[bird.label] == bird.back


def test_codes_stand_in_the_documented_order() -> None:
    for facts in numbers(count=50):
        bird = complete(facts)
        pairs = zip(NAMES, bird.codes, strict=True)
        assert all(VALUES[name][code] == getattr(bird, name) for name, code in pairs)
    assert [field.name for field in fields(Bird)] == list(NAMES)


def test_nothing_is_stated_that_could_not_be_seen() -> None:
    for facts in numbers(count=2000):
        bird = complete(facts)
        assert bird.wing_bars != bird.wing
        assert bird.eye_ring != bird.head
        assert bird.eyebrow not in (bird.head, bird.crown)
        assert bird.mask != bird.head


def test_a_quarter_of_the_captions_names_no_part() -> None:
    silent = {"main", "size", "ground", "facing"}
    plain = sum(facts.keys() <= silent for facts in numbers(count=2000)) / 2000
    assert 0.20 <= plain <= 0.30


def test_every_value_is_stated_now_and_then() -> None:
    stated = {(name, value) for facts in numbers(count=4000) for name, value in facts.items()}
    silent = {"medium", NONE}
    for name, values in VALUES.items():
        if name not in ("back", "tail_length"):
            assert all((name, value) in stated for value in values if value not in silent), name
    assert {("facing", "left"), ("facing", "right"), ("tail_length", "long")} <= stated


def test_the_splits_share_no_combination_that_is_held_out() -> None:
    def seen(split: Split, count: int) -> set[str]:
        return {each for facts in numbers(split, count) for each in combinations(facts)}

    held_out = {"test", "validation"}
    assert not {each for each in seen("train", 3000) if split_of(each) in held_out}
    for split in ("test", "validation"):
        for facts in numbers(split, 200):
            kinds = {split_of(each) for each in combinations(facts)}
            assert split in kinds
            assert kinds <= {"train", split}


# ---- captions


def test_captions_say_only_words_of_the_vocabulary_and_all_of_them() -> None:
    said: set[str] = set()
    for index, facts in enumerate(numbers(count=6000)):
        said |= set(words_of(phrase(facts, Dice(index), 32)))
    assert said <= set(vocabulary())
    assert len(said) > 0.97 * len(vocabulary())
    assert list(vocabulary()) == sorted(set(vocabulary()))


def test_captions_are_short_enough() -> None:
    lengths = [
        len(words_of(phrase(facts, Dice(index), 32))) for index, facts in enumerate(numbers())
    ]
    assert sum(length > 32 for length in lengths) <= 1
    assert np.mean([length <= 4 for length in lengths]) > 0.03  # "a red bird"


def test_the_same_facts_are_said_in_many_ways() -> None:
    facts = {"main": "red", "wing": "black", "belly": "white", "ground": "water"}
    said = {phrase(facts, Dice(visit), 32) for visit in range(100)}
    assert len(said) > 90
    assert phrase(facts, Dice(7), 32) == phrase(facts, Dice(7), 32)


def spoken(table: dict[str, float]) -> re.Pattern[str]:
    ways = "|".join(sorted(map(re.escape, table), key=len, reverse=True))
    return re.compile(rf"\b(?:{ways})\b")


@given(st.integers(0, 3000), st.integers(0, 1000))
def test_a_caption_says_every_fact(index: int, visit: int) -> None:
    facts = facts_of(0, "train", index)
    caption = phrase(facts, Dice(visit), 60)
    for part in ("main", *PARTS):
        if part in facts:
            assert spoken(words.COLOUR[facts[part]]).search(caption), (part, caption)
    tables = {"size": words.SIZE, "ground": words.PLACE, "facing": words.FACING}
    for name, table in tables.items():
        if name in facts:
            assert spoken(table[facts[name]]).search(caption), (name, caption)
    if "beak" in facts:
        assert spoken(words.BEAK_SHAPE[facts["beak"]]).search(caption), caption
    for name, sign in (("crest", "crest"), ("tail_length", "long"), ("wing_bars", "bars")):
        if name in facts:
            assert sign in caption


@given(st.integers(0, 3000), st.integers(0, 1000))
def test_a_caption_is_clean_english(index: int, visit: int) -> None:
    caption = phrase(facts_of(0, "train", index), Dice(visit), 32)
    assert caption == " ".join(caption.split())
    assert not re.search(r"\ba [aeiou]|\ban [^aeiou]|[{}]|[,.]{2}| [,.]", caption), caption
    assert "none" not in caption


# ---- pictures


def test_the_same_bird_and_noise_give_the_same_picture() -> None:
    bird = complete(facts_of(0, "train", 3))
    once, again = draw(bird, noise(1), 64), draw(bird, noise(1), 64)
    assert np.array_equal(once.pixels, again.pixels)
    assert not np.array_equal(once.pixels, draw(bird, noise(2), 64).pixels)


@pytest.mark.parametrize("name", [name for name in NOISE if name != "facing"])
def test_each_noise_number_moves_something(name: str) -> None:
    moved = list(STILL)
    moved[NOISE.index(name)] = 1.0
    still = complete({"main": "red"})
    birds = [replace(still, ground=ground) for ground in VALUES["ground"]]
    assert any(
        not np.array_equal(draw(bird, STILL, 64).pixels, draw(bird, moved, 64).pixels)
        for bird in birds
    )


@pytest.mark.parametrize("name", [name for name in NAMES if name != "back"])
def test_each_attribute_is_seen(name: str) -> None:
    bird = complete({"main": "red"})
    pictures = [
        draw(replace(bird, **{name: value}), STILL, 64).pixels.astype(int) for value in VALUES[name]
    ]
    for number, one in enumerate(pictures):
        assert all(np.abs(one - other).max() > 15 for other in pictures[:number])


def test_a_mirrored_bird_is_the_mirror_image() -> None:
    bird = complete(facts_of(0, "train", 5))
    right, left = draw(bird, noise(5), 64), draw(bird, noise(5), 64, mirrored=True)
    assert np.array_equal(left.pixels, right.pixels[:, ::-1])
    assert np.array_equal(left.parts, right.parts[:, ::-1])


@pytest.mark.parametrize("ground", VALUES["ground"])
def test_the_mask_covers_the_bird_and_nothing_else(ground: str) -> None:
    """Where another colour of feathers shows, there is the bird (or its reflection, below it)."""
    one = complete({"main": "white", "ground": ground})
    other = complete({"main": "black", "ground": ground})
    light, dark = draw(one, noise(4), 128), draw(other, noise(4), 128)
    assert np.array_equal(light.parts, dark.parts)
    change = np.abs(light.pixels.astype(int) - dark.pixels).sum(axis=2)
    feathered = np.isin(light.parts, [DRAWN_PARTS.index(part) for part in FEATHERED])
    assert (change[feathered] > 60).mean() > 0.98
    bird = light.parts > 0
    shifts = [(down, across) for down in range(-2, 3) for across in range(-2, 3)]
    # The outline is painted around the bird.
    near = np.any([np.roll(bird, shift, (0, 1)) for shift in shifts], axis=0)
    if ground == "water":
        near[np.nonzero(bird)[0].max() - 2 :] = True
    assert change[~near].max() == 0


@pytest.mark.parametrize("part", FEATHERED)
def test_each_part_shows_its_colour(part: str) -> None:
    bird = replace(complete({"main": "white"}), **{part: "blue"})
    drawing = draw(bird, STILL, 128)
    shown = drawing.pixels[drawing.parts == DRAWN_PARTS.index(part)].mean(axis=0) / 255
    distance = {name: float(((shown - colour) ** 2).sum()) for name, colour in PLUMAGE.items()}
    assert min(distance, key=distance.__getitem__) in ("blue", "purple")
    assert shown[2] > shown[0] + 0.1


def test_the_bird_stays_in_the_picture() -> None:
    for index in range(60):
        bird = complete(facts_of(0, "train", index))
        parts = draw(bird, noise(index), 64).parts > 0
        edges = int(parts[0].sum() + parts[-1].sum() + parts[:, 0].sum() + parts[:, -1].sum())
        assert edges <= 3, (index, bird)
        assert 0.06 < parts.mean() < 0.35


@given(st.floats(0.2, 0.8), st.floats(0.2, 0.8), st.floats(0.05, 0.15))
def test_cover_measures_area(x: float, y: float, radius: float) -> None:
    canvas = Canvas.blank(128)
    covered = float(canvas.cover(canvas.circle(complex(x, y), radius)).mean())
    assert covered == pytest.approx(math.pi * radius * radius, rel=0.02)
    line = canvas.capsule(complex(x, y), complex(x, y) + 0.1, radius, radius)
    area = math.pi * radius**2 + 0.2 * radius
    inside = x - radius > 0 and x + 0.1 + radius < 1 and y - radius > 0 and y + radius < 1
    assert not inside or float(canvas.cover(line).mean()) == pytest.approx(area, rel=0.02)


def test_a_window_shares_its_pixels_with_the_whole() -> None:
    canvas = Canvas.blank(16)
    window = canvas.window(0.25, 0.5, 0.5, 1)
    window.paint(np.ones(3, np.float32), np.ones_like(window.x * window.y))
    assert canvas.pixels[:8, 4:8].min() == 1
    assert canvas.pixels.sum() == 8 * 4 * 3
