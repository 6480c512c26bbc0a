"""Between two captions: the ends are the captions' own pictures, and nothing jumps on the way."""

import numpy as np
import pytest
from commands import differ
from hypothesis import given
from hypothesis import strategies as st

from t2i.runtime.blend import Between, blend, way
from t2i.runtime.bundle import Tensor
from t2i.runtime.draw import Painter
from t2i.runtime.errors import TextError, UsageError
from t2i.runtime.text import Reading

SHORT, LONG = "a red bird", "the bird is small and yellow with black wings"
TENSORS = (
    Tensor("sentence", "float32", ("B", 4)),
    Tensor("words", "float32", ("B", 4, "T")),
    Tensor("mask", "bool", ("B", "T")),
)


def reading(words: int) -> Reading:
    return Reading(tuple(range(1, words + 1)), ("word",) * words, (), 0)


def read(*lengths: int) -> dict[str, np.ndarray]:
    """What a text graph could give for captions of so many words."""
    random, longest = np.random.default_rng(0), max(lengths)
    mask = np.arange(longest) < np.array(lengths)[:, None]
    words = random.normal(size=(len(lengths), 4, longest)).astype(np.float32) * mask[:, None]
    sentence = random.normal(size=(len(lengths), 4)).astype(np.float32)
    return {"sentence": sentence, "words": words, "mask": mask}


def attend(query: np.ndarray, words: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Attention of one place to the words (E, T) of one caption."""
    weights = np.where(mask, np.exp(query @ words), 0)
    context: np.ndarray = words @ weights / weights.sum()
    return context


@given(st.integers(1, 7), st.integers(1, 7))
def test_at_either_end_attention_finds_the_words_of_that_caption(one: int, other: int) -> None:
    starts, ends = read(one, 3), read(other, 5)
    for share, own in ((0.0, starts), (1.0, ends)):
        places = [Between(reading(one), reading(other), share), Between(reading(3), reading(5), 0)]
        mixed = blend(places, starts, ends, TENSORS)
        query = np.linspace(-1, 1, 4)
        np.testing.assert_array_equal(mixed["sentence"][0], own["sentence"][0])
        np.testing.assert_allclose(
            attend(query, mixed["words"][0], mixed["mask"][0]),
            attend(query, own["words"][0], own["mask"][0]),
            rtol=1e-5,
            atol=1e-5,
        )
        assert mixed["words"].dtype == np.float32
        assert mixed["mask"].dtype == bool
        assert (mixed["words"].transpose(0, 2, 1)[~mixed["mask"]] == 0).all()


def test_half_way_lies_in_the_middle() -> None:
    starts, ends = read(2), {name: value + 1 for name, value in read(2).items() if name != "mask"}
    mixed = blend([Between(reading(2), reading(2), 0.5)], starts, {**ends, "mask": starts["mask"]},
                  TENSORS)  # fmt: skip
    np.testing.assert_allclose(mixed["sentence"], starts["sentence"] + 0.5, rtol=1e-6)
    np.testing.assert_allclose(mixed["words"], starts["words"] + 0.5, rtol=1e-6)


def test_a_way_is_even_and_has_both_ends() -> None:
    shares = [place.share for place in way(reading(1), reading(2), 5)]
    assert shares == [0.0, 0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize("frames", [-1, 0, 1])
def test_too_few_frames_are_a_wrong_usage(painter: Painter, frames: int) -> None:
    with pytest.raises(UsageError) as caught:
        painter.interpolate(SHORT, LONG, frames=frames)
    assert "2 or more" in caught.value.hint


@pytest.mark.parametrize("captions", [(SHORT, LONG), (LONG, SHORT)])
def test_the_ends_of_a_way_are_the_pictures_of_the_captions(
    painter: Painter, captions: tuple[str, str]
) -> None:
    drawn = painter.interpolate(*captions, frames=5, seed=7)
    for place, caption in ((0, captions[0]), (-1, captions[1])):
        assert differ(drawn[place], painter.draw([caption], seed=7)[0]) <= 1


def test_nothing_jumps_on_the_way(painter: Painter) -> None:
    drawn = painter.interpolate(SHORT, LONG, frames=65).astype(int)
    steps = np.abs(np.diff(drawn, axis=0)).max(axis=(1, 2, 3))
    assert steps.max() <= np.abs(drawn[-1] - drawn[0]).max() / 8


def test_the_way_back_is_the_way_there(painter: Painter) -> None:
    there, back = painter.interpolate(SHORT, LONG), painter.interpolate(LONG, SHORT)
    assert differ(there, back[::-1]) <= 1


def test_a_place_on_a_way_draws_alike_alone_and_beside_captions(painter: Painter) -> None:
    middle = painter.way(SHORT, LONG, 3)[1]
    together = painter.paint([LONG, middle, SHORT], seeds=[1, 2, 3]).pictures
    assert differ(together[1], painter.paint([middle], seeds=[2]).pictures[0]) <= 1
    assert differ(together[0], painter.draw([LONG], seed=1)[0]) <= 1
    assert differ(together[2], painter.draw([SHORT], seed=3)[0]) <= 1


def test_nothing_lies_between_captions_that_cannot_be_drawn(painter: Painter) -> None:
    with pytest.raises(TextError):
        painter.interpolate(SHORT, "🐦")
