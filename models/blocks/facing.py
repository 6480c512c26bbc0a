"""Which way a drawn bird faces: training sees them face right; a mirror is the exact last step."""

import torch
from torch import Tensor, nn


class Facing(nn.Module):
    """Which way a caption asks for.

    Shapes:
        tokens (B, T) int64 -> (B,) float32: -1 only left is said, 1 right is said, 0 neither.
    """

    def __init__(self, left_id: int, right_id: int) -> None:
        super().__init__()
        self.left_id, self.right_id = left_id, right_id

    def forward(self, tokens: Tensor) -> Tensor:
        left = (tokens == self.left_id).any(dim=1)
        right = (tokens == self.right_id).any(dim=1)
        return right.float() - (left & ~right).float()


def turn(pictures: Tensor, facing: Tensor, noise: Tensor, dimension: int) -> Tensor:
    """Mirror pictures or maps (B, C, H, W) that are to face left.

    Args:
        facing: (B,) as `Facing` gives it; where it is 0 the noise decides.
        noise: (B, Z); a positive number in `dimension` means left.
    """
    left = (facing < 0) | ((facing == 0) & (noise[:, dimension] > 0))
    return torch.where(left[:, None, None, None], pictures.flip(3), pictures)
