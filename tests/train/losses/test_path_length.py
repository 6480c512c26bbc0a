"""Path lengths and R1 against differences of what they differentiate."""

import pytest
import torch
from torch import Tensor

from t2i.models import stylegan2
from t2i.train.losses import adversarial
from t2i.train.losses.path_length import PathLength, lengths

SIZES = stylegan2.Settings(style_size=5, mapping_layers=1, widths=(5, 4))
SHORT = 1e-5


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def differences(function: object, place: Tensor) -> Tensor:
    """The gradient of a number by central differences, one entry after another."""
    slope = torch.zeros_like(place)
    for n in range(place.numel()):
        step = torch.zeros_like(place)
        step.view(-1)[n] = SHORT
        ahead, back = function(place + step), function(place - step)  # type: ignore[operator]
        slope.view(-1)[n] = (ahead - back) / (2 * SHORT)
    return slope


def test_lengths_are_those_of_the_slopes_of_a_projected_picture() -> None:
    generator = stylegan2.Generator(SIZES).double()
    latents = torch.randn(2, SIZES.layers, 5, dtype=torch.float64)
    grain = torch.randn(2, SIZES.grain_size, dtype=torch.float64)
    noise = torch.randn(2, 3, 8, 8)
    moved = latents.clone().requires_grad_()
    found = lengths(generator(moved, grain), noise, moved)
    with torch.no_grad():
        slope = differences(lambda at: (generator(at, grain) * noise).sum() / 8, latents)
    wanted = slope.square().sum(dim=2).mean(dim=1).sqrt()
    torch.testing.assert_close(found, wanted.float(), rtol=1e-4, atol=1e-5)


def test_r1_is_the_mean_squared_slope_of_the_logits() -> None:
    critic = stylegan2.Critic(SIZES).double()
    pictures = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    seen = pictures.clone().requires_grad_()
    found = adversarial.gradient_penalty(critic(seen)[:, None], seen)
    with torch.no_grad():
        slope = differences(lambda at: critic(at).sum(), pictures)
    wanted = slope.square().sum(dim=(1, 2, 3)).mean()
    torch.testing.assert_close(found, wanted.float(), rtol=1e-4, atol=1e-6)


def test_the_penalty_is_the_distance_from_a_running_mean() -> None:
    loss = PathLength(decay=0.25)
    found = torch.tensor([1.0, 3.0])
    assert float(loss(found)) == pytest.approx((0.5**2 + 2.5**2) / 2)
    assert float(loss.mean) == 0.5
    assert float(loss(found)) == pytest.approx((0.125**2 + 2.125**2) / 2)
    assert loss.state_dict()["mean"] == 0.875, "a checkpoint keeps it"


def test_gradients_flow_through_the_mean_of_the_batch_too() -> None:
    """The derivative of the mean of (x - m)², where a quarter of the mean of x is in m."""
    found = torch.tensor([1.0, 3.0], requires_grad=True)
    PathLength(decay=0.25)(found).backward()
    gaps = torch.tensor([0.5, 2.5])
    assert found.grad is not None
    torch.testing.assert_close(found.grad, gaps - 0.25 * gaps.mean())
