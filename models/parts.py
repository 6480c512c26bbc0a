"""Parts: tells which part of a drawn bird each pixel of a picture shows.

Trained on rendered pictures, whose renderer knows it. It takes no part in any other training: it
serves to measure where a picture changed.

Source:
    This project. Network: U-Net, Ronneberger et al. 2015, in small.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models.blocks.resizing import resized
from t2i.runtime.errors import UsageError

HALVINGS = 3
"""Times the map is halved on the way down."""


@dataclass(frozen=True)
class Settings:
    """Sizes of the network."""

    parts: tuple[str, ...]
    """Their names in the order of their logits, the first that of what is no bird; P of them."""
    width: int = 12
    """Channels of the finest map; the coarser ones have twice, four and four times as many."""
    px: int = 64
    """Side of the map of parts, to which pictures are resized first: a multiple of 8."""


class Parts(nn.Module):
    """See pictures (B, 3, H, W) in [-1, 1] of any size.

    Shapes:
        (B, 3, H, W) -> logits of the parts (B, P, px, px)

    Source: Ronneberger et al. 2015, figure 1; padded, so that no pixel is lost, with batch norms.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.px = settings.px
        if self.px < 2**HALVINGS or self.px % 2**HALVINGS:
            raise UsageError(
                f"parts cannot be told in pictures of {self.px} px",
                hint=f"px must be a multiple of {2**HALVINGS}, as 64",
            )
        widths = [settings.width * times for times in (1, 2, 4, 4)]
        self.first = nn.Sequential(*seen(3, widths[0]))
        self.down = nn.ModuleList(
            nn.Sequential(*seen(inputs, outputs, stride=2), *seen(outputs, outputs))
            for inputs, outputs in pairwise(widths)
        )
        self.up = nn.ModuleList(
            nn.Sequential(*seen(inputs + outputs, outputs))
            for inputs, outputs in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.parts = nn.Conv2d(widths[0], len(settings.parts), 1)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.first(resized(images, self.px))
        finer = []
        for halve in self.down:
            finer.append(hidden)
            hidden = halve(hidden)
        for double in self.up:
            enlarged = F.interpolate(hidden, scale_factor=2.0)
            hidden = double(torch.cat([finer.pop(), enlarged], dim=1))
        return self.parts(hidden)


def seen(inputs: int, outputs: int, *, stride: int = 1) -> Iterator[nn.Module]:
    """A convolution with its batch norm and a rectifier."""
    yield nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    yield nn.BatchNorm2d(outputs)
    yield nn.ReLU()


def networks(settings: Settings) -> dict[str, Parts]:
    """What a run saves and an export reads, by prefix."""
    return {"image": Parts(settings)}


_NAMES = ("first", "down", "up", "parts")

RENAMES = {"image": {name: name for name in _NAMES}}
"""No other code came before this: its names are the official ones."""
