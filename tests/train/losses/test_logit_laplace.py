"""The likelihood of pixels whose logits are spread as Laplace's distribution has it."""

import pytest
import torch

from t2i.train.losses import divergence, logit_laplace


@pytest.mark.parametrize(("location", "log_scale"), [(0.0, 0.0), (1.0, -1.0), (-0.5, 0.5)])
def test_all_pixels_together_have_probability_1(location: float, log_scale: float) -> None:
    pixels = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    surprise = logit_laplace.surprise(
        pixels, torch.tensor(location).double(), torch.tensor(log_scale).double()
    )
    assert surprise.neg().exp().mean().item() == pytest.approx(1.0, abs=1e-3)


def test_half_of_the_pixels_lie_on_either_side_of_the_location() -> None:
    pixels = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    density = logit_laplace.surprise(pixels, torch.tensor(0.7), torch.tensor(-1.0)).neg().exp()
    below = pixels < torch.sigmoid(torch.tensor(0.7))
    assert (density * below).mean().item() == pytest.approx(0.5, abs=1e-3)


def test_the_divergence_from_uniform_is_that_of_a_choice() -> None:
    even, sure = torch.zeros(2, 8, 3, 3), torch.zeros(2, 8, 3, 3)
    sure[:, 5] = 100.0
    torch.testing.assert_close(divergence.to_uniform(even), torch.zeros(2, 3, 3))
    torch.testing.assert_close(
        divergence.to_uniform(sure), torch.log(torch.tensor(8.0)).expand(2, 3, 3)
    )
    half = even.clone()
    half[:, :2] = 100.0
    torch.testing.assert_close(
        divergence.to_uniform(half), torch.log(torch.tensor(4.0)).expand(2, 3, 3)
    )
