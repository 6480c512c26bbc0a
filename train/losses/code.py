"""Known attributes as a vector, for a sentence and a picture to become the same one."""

import torch
import torch.nn.functional as F
from torch import Tensor

HEIGHT = 0.8
"""What a value's channel says when it is so: less than a recurrent state's greatest, 1."""


def channels(sizes: tuple[int, ...]) -> int:
    """Fewest channels E that hold the code of attributes with so many values."""
    return 2 * sum(sizes)


def code(attributes: Tensor, sizes: tuple[int, ...], size: int) -> Tensor:
    """The vector of these attributes for a network that reads both ways: `single`, twice.

    It stands there once in each half, so that each direction learns all of it.

    Shapes:
        attributes (B, A), the number of each value -> (B, size), size ≥ `channels(sizes)`.
    """
    half = single(attributes, sizes, size // 2)
    return torch.cat([half, half], dim=1)


def single(attributes: Tensor, sizes: tuple[int, ...], size: int) -> Tensor:
    """The vector of these attributes: a channel a value, the mean of each attribute zero.

    What follows the values is zero. Because every attribute has channels of its own, a vector of a
    combination that was never seen is a sum of what was; linear heads learn the seen combinations
    by heart instead.

    Shapes:
        attributes (B, A), the number of each value -> (B, size), size ≥ the sum of the sizes.
    """
    blocks = [
        F.one_hot(attributes[:, i], values).float() - 1 / values for i, values in enumerate(sizes)
    ]
    values = HEIGHT * torch.cat(blocks, dim=1)
    return F.pad(values, (0, size - values.shape[1]))


def distance(vector: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared length of the difference of vectors (B, E)."""
    return (vector - wanted).square().sum(dim=1).mean()
