"""Regression: one linear layer from a class and noise to a picture."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Settings:
    vocabulary: int
    """Token ids: one a class, that of the padding (0) and that of the unknown class."""
    noise_size: int = 100
    image_px: int = 64


class Generator(nn.Module):
    """Shapes: noise (B, Z), tokens (B, 1) -> (B, 3, px, px) in [-1, 1]."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.px = settings.image_px
        self.layer = nn.Linear(settings.vocabulary + settings.noise_size, 3 * self.px**2)

    def forward(self, noise: Tensor, wanted: Tensor) -> Tensor:
        flat = self.layer(torch.cat([wanted, noise], dim=1))
        return torch.tanh(flat).unflatten(1, (3, self.px, self.px))


class Reader(nn.Module):
    """Shapes: tokens (B, 1) -> (B, V), one-hot."""

    ids: Tensor

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.register_buffer("ids", torch.arange(settings.vocabulary), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return torch.eq(tokens, self.ids).float()


def networks(settings: Settings) -> dict[str, nn.Module]:
    return {"generator": Generator(settings)}


RENAMES = {"generator": {"fc": "layer"}}
