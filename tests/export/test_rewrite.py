"""Rewritten networks compute what they did before."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from untrained import SIZES, unsettle

from t2i.export.rewrite import MOST_INPUTS, Corners, Gate, leave_apart, rewrite
from t2i.models import attngan
from t2i.models.blocks.convolution import Residual, conv3x3, up

SIDES = st.integers(1, 7)
CHANNELS = st.integers(1, 5)


@given(CHANNELS, CHANNELS, SIDES, SIDES, st.integers(0, 100))
def test_enlarging_is_rewritten_exactly_at_every_border(
    inputs: int, outputs: int, height: int, width: int, seed: int
) -> None:
    torch.manual_seed(seed)
    block, hidden = unsettle(up(inputs, outputs)), torch.randn(2, inputs, height, width)
    with torch.no_grad():
        faster = rewrite(block)
        assert any(isinstance(module, Corners) for module in faster.modules())
        assert torch.allclose(faster(hidden), block(hidden), atol=2e-5)


@given(CHANNELS, SIDES, SIDES, st.booleans(), st.integers(0, 100))
def test_a_head_draws_from_corners_what_it_draws_from_the_map(
    channels: int, height: int, width: int, bias: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    grow = unsettle(up(2 * channels, channels))
    head = nn.Sequential(nn.Conv2d(channels, 3, 3, padding=1, bias=bias), nn.Tanh())
    hidden = torch.randn(2, 2 * channels, height, width)
    with torch.no_grad():
        faster = rewrite(grow)
        apart = leave_apart(faster, copy.deepcopy(head))
        assert torch.allclose(apart(faster(hidden)), head(grow(hidden)), atol=2e-5)


def test_a_head_behind_another_block_stays_as_it_is() -> None:
    head = nn.Sequential(conv3x3(4, 3), nn.Tanh())
    assert leave_apart(nn.Sequential(conv3x3(4, 4)), head) is head


@pytest.mark.parametrize("block", [up(6, 4), Residual(6)], ids=["up", "residual"])
def test_norms_are_folded_and_gates_split(block: nn.Module) -> None:
    faster = rewrite(unsettle(block))
    kinds = {type(module) for module in faster.modules()}
    assert Gate in kinds
    assert not kinds & {nn.BatchNorm2d, nn.GLU}
    hidden = torch.randn(3, 6, 5, 7)
    with torch.no_grad():
        assert torch.allclose(faster(hidden), block(hidden), atol=2e-5)


@pytest.mark.parametrize("bias", [False, True])
def test_norms_are_folded_into_transposed_convolutions(bias: bool) -> None:
    convolution = nn.ConvTranspose2d(6, 4, 5, 2, padding=2, output_padding=1, bias=bias)
    block = unsettle(nn.Sequential(convolution, nn.BatchNorm2d(4), nn.ReLU()))
    faster = rewrite(block)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in faster.modules())
    hidden = torch.randn(3, 6, 5, 7)
    with torch.no_grad():
        assert torch.allclose(faster(hidden), block(hidden), atol=2e-5)


def test_a_layer_with_most_of_the_weights_gets_no_more_of_them() -> None:
    wide = up(MOST_INPUTS + 1, 2)
    count = sum(each.numel() for each in wide[1].parameters())
    faster = rewrite(unsettle(wide))
    # Only the bias comes in place of the norm.
    assert sum(each.numel() for each in faster.parameters()) == count + 4


def test_a_whole_generator_draws_alike_and_the_original_is_left_alone() -> None:
    torch.manual_seed(0)
    generator = unsettle(attngan.Generator(SIZES))
    before = copy.deepcopy(generator.state_dict())
    B, T = 2, 3
    mask = torch.tensor([[True, True, True], [True, False, False]])
    noise, detail = torch.randn(B, SIZES.noise_size), torch.randn(B, SIZES.condition_size)
    text = torch.randn(B, SIZES.text_size), torch.randn(B, SIZES.text_size, T), mask
    with torch.no_grad():
        ours, wanted = rewrite(generator)(noise, detail, *text), generator(noise, detail, *text)
    maps = [(*drawn.images, *drawn.attentions) for drawn in (ours, wanted)]
    for one, other in zip(*maps, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    after = generator.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
