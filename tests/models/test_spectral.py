"""A convolution divided by its largest singular value."""

import torch
import torch.nn.functional as F

from t2i.models.blocks.spectral import SpectralConv2d


def largest(conv: SpectralConv2d) -> torch.Tensor:
    return torch.linalg.matrix_norm(conv.weight.flatten(1), 2)


@torch.no_grad()
def test_passes_bring_the_estimate_to_the_largest_singular_value_in_eval_mode_too() -> None:
    conv, maps = SpectralConv2d(3, 5, 3, padding=1).eval(), torch.randn(2, 3, 6, 6)
    for _ in range(200):
        conv(maps)
    torch.testing.assert_close(conv.norm(), largest(conv))
    wanted = F.conv2d(maps, conv.weight / largest(conv), conv.bias, padding=1)
    torch.testing.assert_close(conv(maps), wanted)


@torch.no_grad()
def test_a_larger_weight_gives_the_same() -> None:
    conv, maps = SpectralConv2d(3, 5, 4, stride=2, padding=1), torch.randn(2, 3, 8, 8)
    for _ in range(200):
        before = conv(maps)
    conv.weight *= 7
    torch.testing.assert_close(conv(maps), before)
    assert before.shape == (2, 5, 4, 4)


def test_no_gradient_asks_a_weight_to_grow() -> None:
    """Its length changes nothing, so gradients stand upright on it, through the norm."""
    conv = SpectralConv2d(3, 5, 3)
    conv(torch.randn(2, 3, 6, 6)).square().sum().backward()
    gradient = conv.weight.grad
    assert gradient is not None
    along = torch.cosine_similarity(gradient.flatten(), conv.weight.detach().flatten(), dim=0)
    assert abs(float(along)) < 1e-5


def test_passes_may_wait_for_their_gradients_together() -> None:
    conv = SpectralConv2d(3, 5, 3)
    first, second = conv(torch.randn(2, 3, 6, 6)), conv(torch.randn(2, 3, 6, 6))
    (first.mean() + second.mean()).backward()
    assert conv.weight.grad is not None


def test_vectors_are_kept_and_are_no_parameters() -> None:
    conv = SpectralConv2d(3, 5, 3)
    assert set(conv.state_dict()) == {"weight", "bias", "left", "right"}
    assert {name for name, _ in conv.named_parameters()} == {"weight", "bias"}
    again = SpectralConv2d(3, 5, 3)
    again.load_state_dict(conv.state_dict())
    maps = torch.randn(2, 3, 6, 6)
    assert torch.equal(again(maps), conv(maps))
