"""Bidirectional ranking, by hand and by the letter of its formula."""

import pytest
import torch
from torch import nn

from t2i.train.losses import ranking


def test_two_pairs_by_hand() -> None:
    codes = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    sentences = torch.tensor([[0.8, 0.6], [0.0, 1.0]])
    # Scores: 0.8 and 0 in the first row, 0.96 and 0.8 in the second; own ones are 0.8 and 0.8.
    terms = ranking.both_ways(codes, sentences, margin=0.2)
    assert float(terms["sentence_of_picture"]) == pytest.approx(0.2 - 0.8 + 0.96)
    assert float(terms["picture_of_sentence"]) == pytest.approx(0.2 - 0.8 + 0.96)


@pytest.mark.parametrize("margin", [0.2, 1.0])
def test_it_sums_hinges_over_all_pairs_that_do_not_belong_together(margin: float) -> None:
    torch.manual_seed(0)
    codes, sentences = (nn.functional.normalize(torch.randn(5, 4)) for _ in range(2))
    rows = columns = 0.0
    for i in range(5):
        for j in range(5):
            if i != j:
                score = float(codes[i] @ sentences[j])
                rows += max(0.0, margin - float(codes[i] @ sentences[i]) + score)
                columns += max(0.0, margin - float(codes[j] @ sentences[j]) + score)
    terms = ranking.both_ways(codes, sentences, margin)
    assert float(terms["sentence_of_picture"]) == pytest.approx(rows, rel=1e-5)
    assert float(terms["picture_of_sentence"]) == pytest.approx(columns, rel=1e-5)


def test_pairs_that_are_apart_by_more_than_the_margin_cost_nothing() -> None:
    terms = ranking.both_ways(torch.eye(3), torch.eye(3), margin=0.9)
    assert all(term == 0 for term in terms.values())
