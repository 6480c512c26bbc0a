"""Which way a drawn bird faces: training sees them face right; a mirror is the exact last step."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Word = int | tuple[int, ...]
"""A token, or the tokens of a space and of a word's letters."""


class Facing(nn.Module):
    """Which way a caption asks for.

    Shapes:
        tokens (B, T) int64 -> (B,) float32: -1 only left is said, 1 right is said, 0 neither.
    """

    def __init__(self, left: Word, right: Word) -> None:
        super().__init__()
        self.left, self.right = left, right

    def forward(self, tokens: Tensor) -> Tensor:
        left, right = said(tokens, self.left), said(tokens, self.right)
        return right.float() - (left & ~right).float()


def said(tokens: Tensor, word: Word) -> Tensor:
    """Whether a word is in a caption: (B, T) -> (B,) bool.

    Spelled, it is what follows a space, or begins the caption: "right" is not in "bright".
    """
    if isinstance(word, int):
        return (tokens == word).any(dim=1)
    space, places = word[0], tokens.shape[1] + 1
    row = F.pad(F.pad(tokens, (1, 0), value=space), (0, len(word)))
    alike = [row[:, i : i + places] == each for i, each in enumerate(word)]
    return torch.stack(alike).all(dim=0).any(dim=1)


def turn(pictures: Tensor, facing: Tensor, noise: Tensor, dimension: int) -> Tensor:
    """Mirror pictures or maps (B, C, H, W) that are to face left.

    Args:
        facing: (B,) as `Facing` gives it; where it is 0 the noise decides.
        noise: (B, Z); a positive number in `dimension` means left.
    """
    left = (facing < 0) | ((facing == 0) & (noise[:, dimension] > 0))
    return torch.where(left[:, None, None, None], pictures.flip(3), pictures)
