"""Squares: what is accepted has no distance from 1, what is refused none from 0."""

import pytest
import torch
import torch.nn.functional as F

from t2i.train.losses import least_squares


@pytest.mark.parametrize("shape", [(4,), (4, 1, 5, 5)])
def test_accepting_and_refusing_are_mean_squared_errors_to_one_and_zero(
    shape: tuple[int, ...],
) -> None:
    scores = torch.randn(shape)
    torch.testing.assert_close(
        least_squares.accept(scores), F.mse_loss(scores, torch.ones_like(scores))
    )
    torch.testing.assert_close(
        least_squares.refuse(scores), F.mse_loss(scores, torch.zeros_like(scores))
    )


def test_a_critic_of_pairs_refuses_what_a_critic_of_pictures_accepts() -> None:
    real, wrong, fake = (torch.full((3,), value) for value in (0.5, 3.0, 2.0))
    # (0.5 - 1)² + (3² + 2²) / 2
    assert float(least_squares.pairs(real, wrong, fake)) == pytest.approx(0.25 + 6.5)
    # 2² + ((3 - 1)² + (0.5 - 1)²) / 2
    assert float(least_squares.pictures(real, wrong, fake)) == pytest.approx(4 + 2.125)


def test_a_perfect_critic_costs_nothing() -> None:
    one, zero = torch.ones(3), torch.zeros(3)
    assert least_squares.pairs(real=one, wrong=zero, fake=zero) == 0
    assert least_squares.pictures(real=one, wrong=one, fake=zero) == 0
