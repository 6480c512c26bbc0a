"""Rewritten networks compute what they did before."""

import pytest
import torch
from torch import Tensor, nn

from t2i.export.rewrite import Gate, rewrite
from t2i.models import attngan
from t2i.models.blocks.attention import WordAttention
from t2i.models.blocks.convolution import Residual, up

SMALL = attngan.Settings(
    vocabulary=9, text_size=8, condition_size=4, noise_size=4, generator_width=4, first_px=8
)


def unsettled(network: nn.Module) -> nn.Module:
    """As after training: batch statistics that are not 0 and 1."""
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(module.running_mean, 0.0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.normal_(module.weight, 1.0, 0.3)
            nn.init.normal_(module.bias, 0.0, 0.3)
    return network.eval()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 5), (8, 8)])
def test_enlarging_is_rewritten_exactly_at_every_border(height: int, width: int) -> None:
    torch.manual_seed(0)
    block, hidden = unsettled(up(3, 5)), torch.randn(2, 3, height, width)
    assert torch.allclose(rewrite(nn.Sequential(block))(hidden), block(hidden), atol=2e-6)


@pytest.mark.parametrize("block", [up(6, 4), Residual(6)], ids=["up", "residual"])
def test_blocks_are_rewritten_exactly(block: nn.Module) -> None:
    torch.manual_seed(0)
    hidden = torch.randn(3, 6, 5, 7)
    faster = rewrite(nn.Sequential(unsettled(block)))
    assert any(isinstance(module, Gate) for module in faster.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in faster.modules())
    assert torch.allclose(faster(hidden), block(hidden), atol=1e-5)


def test_attention_attends_alike_and_never_to_padding() -> None:
    torch.manual_seed(0)
    attention = WordAttention(6, 8).eval()
    hidden, words = torch.randn(2, 6, 4, 4), torch.randn(2, 8, 5)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]]).unsqueeze(1)
    ours, wanted = (
        rewrite(nn.ModuleList([attention]))[0](hidden, words, mask),
        attention(hidden, words, mask),
    )
    assert torch.allclose(ours.context, wanted.context, atol=1e-6)
    assert torch.allclose(ours.attention, wanted.attention, atol=1e-6)
    assert not ours.attention[1, 2:].any()


def test_a_whole_generator_draws_alike_and_the_original_is_left_alone() -> None:
    torch.manual_seed(0)
    generator = unsettled(attngan.Generator(SMALL))
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    inputs: tuple[Tensor, ...] = (
        torch.randn(2, 4),
        torch.randn(2, 4),
        torch.randn(2, 8),
        torch.randn(2, 8, 3),
        torch.tensor([[True, True, True], [True, False, False]]),
    )
    with torch.no_grad():
        for ours, wanted in zip(
            rewrite(generator)(*inputs).images, generator(*inputs).images, strict=True
        ):
            assert torch.allclose(ours, wanted, atol=1e-5)
    assert all(torch.equal(before[name], each) for name, each in generator.state_dict().items())
