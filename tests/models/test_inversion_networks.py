"""What inverts: its sizes, and what it tells of a picture."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from networks import parameters

from t2i.models import inversion

TOY = inversion.Settings(style_size=6, mapping_layers=1, widths=(8, 6, 4))


def told_by_hand(latents: int) -> int:
    """At 256 px: a 1 x 1 convolution of pixels; at each size two of 3 x 3 and a shortcut without
    bias; one more of 3 x 3 and two linear layers."""
    widths = (128, 256, 512, 512, 512, 512, 512)  # of 256, 128, … 4 px
    down = sum(9 * a * a + a + 9 * a * b + b + a * b for a, b in pairwise(widths))
    gather = 9 * 512 * 512 + 512
    linear = 512 * 16 * 512 + 512 + (512 + 1) * 512 * latents
    return (3 + 1) * 128 + down + gather + linear


@pytest.mark.parametrize(("plus", "latents"), [(False, 1), (True, 14)])
def test_the_papers_sizes_have_the_parameters_that_follow(plus: bool, latents: int) -> None:
    with torch.device("meta"):
        encoder = inversion.Encoder(inversion.Settings(plus=plus))
        critic = inversion.LatentCritic(512)
    assert parameters(encoder) == told_by_hand(latents)
    assert parameters(critic) == 2 * (512 * 512 + 512) + 512 * 256 + 256 + 256 + 1


@pytest.mark.parametrize("plus", [False, True])
@torch.no_grad()
def test_latents_are_told_of_each_picture_by_itself(plus: bool) -> None:
    encoder = inversion.Encoder(replace(TOY, plus=plus))
    images = torch.randn(3, 3, 16, 16)
    told = encoder(images)
    assert told.shape == (3, TOY.layers, 6)
    torch.testing.assert_close(encoder(images[1:2]), told[1:2])
    assert torch.equal(told, told[:, :1].expand_as(told)) != plus


def test_gradients_reach_every_weight() -> None:
    encoder = inversion.Encoder(replace(TOY, plus=True))
    critic = inversion.LatentCritic(6)
    logits = critic(encoder(torch.randn(2, 3, 16, 16)))
    assert logits.shape == (2, TOY.layers)
    logits.square().sum().backward()
    for network in (encoder, critic):
        for name, weight in network.named_parameters():
            assert weight.grad is not None, name
