"""Properties of the network that tells the parts of a bird."""

import pytest
import torch

from t2i.models import parts
from t2i.runtime.errors import UsageError

SMALL = parts.Settings(("nothing", "wing", "head"), width=4, px=16)


def network(sizes: parts.Settings = SMALL) -> parts.Parts:
    torch.manual_seed(0)
    (made,) = parts.networks(sizes).values()
    return made.eval()


@pytest.mark.parametrize(("height", "width"), [(16, 16), (57, 40), (8, 8), (64, 64)])
def test_pictures_of_any_size_become_a_map_a_part(height: int, width: int) -> None:
    assert network()(torch.randn(2, 3, height, width)).shape == (2, 3, 16, 16)


def test_a_picture_is_seen_alike_alone_and_in_company() -> None:
    pictures = torch.randn(3, 3, 16, 16)
    torch.testing.assert_close(network()(pictures)[1:2], network()(pictures[1:2]))


def test_what_is_fine_and_what_is_far_both_reach_a_pixel() -> None:
    """A pixel's own colour, which halving would blur, and what only the coarsest map joins."""
    pictures = torch.randn(1, 3, 16, 16, requires_grad=True)
    network()(pictures)[0, 1, 3, 3].backward()
    assert pictures.grad is not None
    reached = pictures.grad.abs().sum((0, 1)) > 0
    assert reached[3, 3]
    assert reached[0, 15]
    assert reached[15, 15]


def test_gradients_reach_every_parameter() -> None:
    made = network().train()
    made(torch.randn(4, 3, 16, 16)).square().mean().backward()
    for name, each in made.named_parameters():
        assert each.grad is not None, name
        assert each.grad.abs().sum() > 0, name


def test_its_size_is_what_its_layers_add_up_to() -> None:
    """Convolutions of 3 × 3 without bias, two numbers a channel of each norm, and a head."""

    def convolution(inputs: int, outputs: int) -> int:
        return 9 * inputs * outputs + 2 * outputs

    w, p = 12, 12
    names = tuple(f"part {n}" for n in range(p))
    first = convolution(3, w)
    steps = ((w, 2 * w), (2 * w, 4 * w), (4 * w, 4 * w))
    down = sum(convolution(a, b) + convolution(b, b) for a, b in steps)
    up = sum(convolution(b + a, a) for a, b in steps)
    made = network(parts.Settings(names))
    assert sum(each.numel() for each in made.parameters()) == first + down + up + w * p + p


@pytest.mark.parametrize("px", [0, 4, 100])
def test_sizes_that_cannot_be_halved_are_refused(px: int) -> None:
    with pytest.raises(UsageError, match=f"{px} px") as caught:
        parts.Parts(parts.Settings(("a", "b"), px=px))
    assert "multiple" in caught.value.hint
