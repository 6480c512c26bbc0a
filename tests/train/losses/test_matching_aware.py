"""Losses of GAN-CLS and GAN-INT, against what the paper writes with probabilities."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from t2i.train.losses import adversarial

LOGITS = st.lists(st.floats(-5, 5), min_size=3, max_size=3)


@given(LOGITS, LOGITS, LOGITS)
def test_one_half_of_a_refusal_falls_on_foreign_captions(
    real: list[float], wrong: list[float], fake: list[float]
) -> None:
    s_r, s_w, s_f = (torch.tensor(each, dtype=torch.float64) for each in (real, wrong, fake))
    loss = adversarial.matching_aware(real=s_r, wrong=s_w, fake=s_f)
    refused = (1 - s_w.sigmoid()).log() + (1 - s_f.sigmoid()).log()
    paper = -(s_r.sigmoid().log() + refused / 2).mean()
    assert float(loss) == pytest.approx(float(paper))
    assert torch.equal(loss, adversarial.matching_critic((s_r, s_f, s_w)))


@pytest.mark.parametrize(
    ("labels", "places"),
    [
        ([3, 1, 2, 1], [1, 2, 3, 0]),
        ([1, 1, 2, 1], [2, 2, 3, 2]),
        ([2, 1, 1, 1, 1], [1, 0, 0, 0, 0]),
        ([-1, -1, -1], [1, 2, 0]),
    ],
)
def test_a_foreign_caption_is_of_another_class_where_there_is_one(
    labels: list[int], places: list[int]
) -> None:
    assert adversarial.foreign(torch.tensor(labels)).tolist() == places


@pytest.mark.parametrize(
    ("share", "middle"), [(0.5, [4.0, 6.0]), (1.0, [1.0, 2.0]), (0.25, [5.5, 8.0])]
)
def test_a_sentence_between_is_mixed_of_one_of_each_half(share: float, middle: list[float]) -> None:
    sentences = torch.tensor([[1.0], [2.0], [7.0], [10.0]])
    assert adversarial.between(sentences, share).flatten().tolist() == middle


def test_an_odd_batch_leaves_its_last_sentence_out() -> None:
    assert adversarial.between(torch.zeros(5, 3), 0.5).shape == (2, 3)
    assert adversarial.between(torch.zeros(1, 3), 0.5).shape == (0, 3)
