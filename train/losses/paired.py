"""How far a generated picture lies from the one picture it should be."""

import torch
from torch import Tensor


def likeness(fake: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """L1 distance of the pixels plus that of their slopes to the right and downwards.

    The slopes make a displaced or blurred edge cost more than its few pixels would.

    Shapes:
        fake, real (B, C, H, W) in [-1, 1]; weight (B, 1, H, W), what each pixel counts.
    """
    gap = fake - real
    pixels = (weight * gap.abs()).mean()
    across = (weight[..., 1:] * torch.diff(gap, dim=3).abs()).mean()
    down = (weight[..., 1:, :] * torch.diff(gap, dim=2).abs()).mean()
    return pixels + across + down
