"""The cross-entropy of captions, by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from t2i.train.losses import redescription

TOKENS = torch.tensor([[2, 1, 3], [1, 0, 0]])


def certain(*words: int) -> torch.Tensor:
    """Logits (1, T, 4) of these words, beyond doubt."""
    return 100.0 * F.one_hot(torch.tensor([words]), 4).float()


@pytest.mark.parametrize("ends", [False, True])
def test_who_knows_nothing_pays_the_logarithm_of_the_vocabulary(ends: bool) -> None:
    loss = redescription.cross_entropy(torch.zeros(2, 4, 7), TOKENS, ends=ends)
    assert float(loss) == pytest.approx(math.log(7))


def test_who_knows_the_words_pays_nothing_until_the_end_is_asked() -> None:
    """One of two captions is not let end: one in six words, or in those of it one in two."""
    logits = torch.cat([certain(2, 1, 3, 0), certain(1, 2, 2, 2)])
    assert float(redescription.cross_entropy(logits, TOKENS, ends=False)) == pytest.approx(0)
    told = redescription.cross_entropy(logits, TOKENS, ends=True)
    assert float(told) == pytest.approx(100 / 6)
    told = redescription.cross_entropy(logits[1:, :2], TOKENS[1:, :1], ends=True)
    assert float(told) == pytest.approx(100 / 2)


def test_what_follows_a_caption_does_not_count() -> None:
    logits = torch.randn(2, 4, 7)
    changed = logits.clone()
    changed[1, 2:] = 50 * torch.randn(2, 7)
    one, other = (
        redescription.cross_entropy(each, TOKENS, ends=True) for each in (logits, changed)
    )
    assert torch.equal(one, other)
