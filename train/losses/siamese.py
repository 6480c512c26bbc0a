"""A contrastive loss of pairs: what belongs together comes near, what does not keeps apart."""

import torch
from torch import Tensor

TINY = 1e-12
"""Under a root, whose slope at nothing has no bound."""


def distance(one: Tensor, other: Tensor) -> Tensor:
    """How far features (P, N) are apart: the root of the mean square, (P,).

    The paper has the norm, and divides the loss by N; a distance that does not grow with N lets the
    margins keep their meaning.
    """
    return ((one - other).square().mean(dim=1) + TINY).sqrt()


def contrastive(alike: Tensor, apart: Tensor, near: float, far: float) -> Tensor:
    """Half a square of what is too far, and of what is too near; a mean over all pairs.

    Args:
        alike: distances (P,) of pairs that belong together. Below `near` they are not drawn nearer:
            two captions need not become one picture.
        apart: distances (Q,) of pairs that do not. Beyond `far` they are let be.

    Source:
        SD-GAN, Yin et al. 2019, section 3.1, where `near` is α and `far` is ε.
    """
    pulled = alike.clamp(min=near).square()
    pushed = (far - apart).clamp(min=0).square()
    return torch.cat([pulled, pushed]).mean() / 2
