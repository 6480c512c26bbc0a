"""Drawing tokens: which may be drawn, how often, and what is no way to draw them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2i.runtime.decode import Sampling, pick
from t2i.runtime.draw import Painter
from t2i.runtime.errors import UsageError

SHARES = np.array([0.1, 0.4, 0.05, 0.25, 0.2])
LOGITS = np.log(SHARES).astype(np.float32)
DRAWS = (np.arange(10_000) + 0.5) / 10_000


def often(sampling: Sampling) -> np.ndarray:
    """How often each token is drawn, by draws that lie evenly between 0 and 1."""
    logits = np.broadcast_to(LOGITS, (len(DRAWS), 5))
    return np.bincount(pick(logits, DRAWS, sampling), minlength=5) / len(DRAWS)


def shares(kept: list[int], power: float = 1.0) -> np.ndarray:
    """Probabilities of which only some are left."""
    left = np.zeros(5)
    left[kept] = SHARES[kept] ** power
    return left / left.sum()


@pytest.mark.parametrize(
    ("sampling", "wanted"),
    [
        (Sampling(), SHARES),
        (Sampling(temperature=0.5), shares([0, 1, 2, 3, 4], power=2)),
        (Sampling(temperature=2.0), shares([0, 1, 2, 3, 4], power=0.5)),
        (Sampling(top_k=1), shares([1])),
        (Sampling(top_k=3), shares([1, 3, 4])),
        (Sampling(top_k=99), SHARES),
        (Sampling(top_p=0.1), shares([1])),
        (Sampling(top_p=0.5), shares([1, 3])),
        (Sampling(top_p=0.84), shares([1, 3, 4])),
        (Sampling(top_p=0.86), shares([0, 1, 3, 4])),
        (Sampling(top_k=3, top_p=0.5), shares([1, 3])),
        (Sampling(temperature=0.5, top_k=2), shares([1, 3], power=2)),
    ],
)
def test_tokens_are_drawn_as_often_as_they_are_probable(
    sampling: Sampling, wanted: np.ndarray
) -> None:
    np.testing.assert_allclose(often(sampling), wanted, atol=2e-4)


def test_equally_likely_tokens_are_all_among_the_likeliest() -> None:
    logits = np.zeros((4, 3), np.float32)
    drawn = pick(logits, np.array([0.1, 0.4, 0.6, 0.9]), Sampling(top_k=1))
    assert drawn.tolist() == [0, 1, 1, 2]


@given(
    st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=9),
    st.floats(0, 1),
    st.floats(0.01, 1),
)
def test_only_what_may_be_drawn_is_drawn(logits: list[float], draw: float, top_p: float) -> None:
    """Draws of exactly 0 and 1 too."""
    row = np.array([logits], np.float32)
    (token,) = pick(row, np.array([draw]), Sampling(top_p=top_p))
    probable = np.exp(row[0].astype(float) - row.max())
    probable /= probable.sum()
    assert probable[probable > probable[token]].sum() < top_p


@pytest.mark.parametrize(
    ("sampling", "option"),
    [
        (Sampling(temperature=0.0), "--temperature"),
        (Sampling(temperature=-1.0), "--temperature"),
        (Sampling(temperature=float("nan")), "--temperature"),
        (Sampling(top_k=0), "--top-k"),
        (Sampling(top_p=0.0), "--top-p"),
        (Sampling(top_p=1.1), "--top-p"),
        (Sampling(top_p=float("nan")), "--top-p"),
        (Sampling(guidance=float("inf")), "--guidance"),
    ],
)
def test_what_draws_nothing_is_refused(sampling: Sampling, option: str) -> None:
    with pytest.raises(UsageError) as caught:
        sampling.check()
    assert option in caught.value.hint


def test_what_draws_at_once_takes_no_word_on_tokens(painter: Painter) -> None:
    with pytest.raises(UsageError, match="at once, not token by token"):
        Painter(painter.bundle, sampling=Sampling(top_k=3))
