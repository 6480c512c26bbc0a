"""StyleGAN2's networks: the paper's sizes, two roads to one convolution, what decides a picture."""

from dataclasses import replace

import pytest
import torch
from networks import parameters
from torch import nn

from t2i.models import stylegan2
from t2i.models.blocks.modulated import ModulatedConv2d
from t2i.models.blocks.resampling import Resample, resample
from t2i.runtime.errors import UsageError

TOY = stylegan2.Settings(style_size=8, mapping_layers=2, widths=(8, 6, 4))
PAPER = (512, 512, 512, 512, 512, 256, 128, 64, 32)


@pytest.mark.parametrize(
    ("widths", "generator", "critic"),
    [(PAPER[:7], 30_034_338, 28_864_129), (PAPER, 30_370_060, 29_012_513)],
)
def test_configuration_f_has_the_official_number_of_parameters(
    widths: tuple[int, ...], generator: int, critic: int
) -> None:
    """As the port counts them at 256 and at 1024 px."""
    sizes = stylegan2.Settings(widths=widths)
    with torch.device("meta"):
        assert parameters(stylegan2.Generator(sizes)) == generator
        assert parameters(stylegan2.Critic(sizes)) == critic
    assert (sizes.image_px, sizes.layers) == (4 * 2 ** (len(widths) - 1), 2 * len(widths))


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("demodulate", [False, True])
def test_both_roads_through_a_modulated_convolution_agree(up: bool, demodulate: bool) -> None:
    """In what they give, and in every gradient."""
    conv = ModulatedConv2d(5, 7, 3, style_size=4, up=up, demodulate=demodulate)
    maps, latent = torch.randn(3, 5, 6, 6).requires_grad_(), torch.randn(3, 4).requires_grad_()
    roads = []
    for grouped in (False, True):
        conv.grouped = grouped
        found = conv(maps, latent)
        slopes = torch.autograd.grad(found.square().sum(), [maps, latent, *conv.parameters()])
        roads.append((found.detach(), *slopes))
    assert roads[0][0].shape == ((3, 7, 12, 12) if up else (3, 7, 6, 6))
    for one, other in zip(*roads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5 * float(other.abs().max()))


@torch.no_grad()
def test_demodulated_weights_keep_the_variance_whatever_the_style() -> None:
    conv = ModulatedConv2d(64, 64, 3, style_size=4)
    maps = torch.randn(4, 64, 32, 32)
    found = conv(maps, 10 * torch.randn(4, 4))[:, :, 1:-1, 1:-1]
    assert found.var(dim=(1, 2, 3)).sub(1).abs().max() < 0.15


def test_pictures_are_drawn_alike_alone_and_in_company() -> None:
    generator = stylegan2.Generator(TOY)
    for name, weight in generator.named_parameters():
        if name.endswith("strength"):
            nn.init.constant_(weight, 0.5)
    latents = generator.spread(generator.mapping(torch.randn(3, 8)))
    grain = torch.randn(3, TOY.grain_size).requires_grad_()
    together = generator(latents, grain)
    assert together.shape == (3, 3, 16, 16)
    torch.testing.assert_close(generator(latents[1:2], grain[1:2]), together[1:2])
    (slope,) = torch.autograd.grad((together * torch.randn_like(together)).sum(), [grain])
    assert slope.ne(0).all(), "every number of the grain has its place"


@torch.no_grad()
def test_late_layers_leave_the_coarse_stages_of_a_picture_alone() -> None:
    generator, grain = stylegan2.Generator(TOY), torch.zeros(2, TOY.grain_size)
    one, other = generator.mapping(torch.randn(2, 2, 8).flatten(0, 1)).chunk(2)
    first = torch.arange(TOY.layers) < 2  # all that draws at 4 px
    mixed = generator.stages(stylegan2.mixed(one, other, first), grain)
    whole = generator.stages(generator.spread(one), grain)
    assert torch.equal(mixed[0].picture, whole[0].picture)
    assert (mixed[1].picture != whole[1].picture).any()


@pytest.mark.parametrize("B", [1, 2, 3, 4, 6, 8, 12])
def test_deviations_are_those_within_groups_of_pictures_that_lie_apart(B: int) -> None:
    maps = torch.randn(B, 2, 3, 3)
    found = stylegan2.deviation(maps)
    assert found.shape == (B, 1, 3, 3)
    group = {1: 1, 2: 2, 6: 3}.get(B, 4 if B % 4 == 0 else 3)
    for place in range(B):
        members = maps[place % (B // group) :: B // group]
        assert len(members) == group
        wanted = members.std(dim=0, unbiased=False).mean()
        torch.testing.assert_close(found[place], wanted.expand(1, 3, 3), rtol=1e-3, atol=2e-4)


def test_resampling_keeps_what_is_even_and_blurs_what_is_not() -> None:
    even = torch.full((1, 2, 8, 8), 3.0)
    inside = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    for step in (Resample((2, 1), up=2, gain=4.0), Resample((2, 1))):
        torch.testing.assert_close(step(even)[inside], torch.full_like(step(even)[inside], 3.0))
    dot = torch.zeros(1, 1, 5, 5)
    dot[0, 0, 2, 2] = 1
    kernel = torch.arange(9.0).reshape(3, 3)
    assert torch.equal(resample(dot, kernel, pad=(1, 1))[0, 0, 1:4, 1:4], kernel)


def test_gradients_reach_every_weight() -> None:
    generator, critic = stylegan2.Generator(TOY), stylegan2.Critic(TOY)
    latents = generator.spread(generator.mapping(torch.randn(4, 8)))
    critic(generator(latents, torch.randn(4, TOY.grain_size))).square().sum().backward()
    for network in (generator, critic):
        for name, weight in network.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.any(), name


def test_one_size_is_no_pyramid() -> None:
    with pytest.raises(UsageError, match="widths") as caught:
        replace(TOY, widths=(8,))
    assert "16 px" in caught.value.hint
