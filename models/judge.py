"""Judge: reads the attributes of a drawn bird back from a picture.

Trained on rendered pictures only. One trunk scores what other systems draw; the other, of another
kind and another training, serves as a loss, so that no system learns from what will judge it.

Source:
    This project. Trunks: He et al. 2016 (residual), Simonyan & Zisserman 2015 (plain).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models.blocks.resizing import resized
from t2i.runtime.errors import UsageError

STRIDE = 8
"""Pixels of the resized picture along the side of a place of the last maps."""
PARTS, SEEN = 24, 32
"""How many parts of a picture are looked at, and numbers that tell what one looks like."""
FACING = ("left", "right")
"""Values of the one attribute that belongs to a picture, not to a bird; the last of all."""


@dataclass(frozen=True)
class Settings:
    """Sizes of the network."""

    attributes: tuple[int, ...]
    """Number of values of each attribute, in the order of their logits."""
    trunk: Literal["residual", "plain"] = "residual"
    """Blocks with shortcuts that halve the map by strides, or plain convolutions and pooling."""
    width: int = 24
    """Channels of the first map; the others have two and four times as many."""
    features: int = 128
    """F: numbers that describe a picture."""
    px: int = 128
    """Side to which pictures are resized first: a multiple of 8."""


class Reading(NamedTuple):
    """Features (B, F); attributes (B, V): logits of all values, attribute after attribute."""

    features: Tensor
    attributes: Tensor


class Judge(nn.Module):
    """See pictures (B, 3, H, W) in [-1, 1] of any size.

    Features have mean 0 and variance 1 over the pictures of the training, so that in a distance
    between distributions none outweighs the others.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.px = settings.px
        if self.px < STRIDE or self.px % STRIDE:
            raise UsageError(
                f"the judge cannot see pictures of {self.px} px",
                hint=f"px must be a multiple of {STRIDE}, as 128",
            )
        width = settings.width
        stages = {"residual": residual_stages, "plain": plain_stages}[settings.trunk]
        self.stages = nn.ModuleList(stages(width))
        self.parts = Parts(2 * width, 4 * width, 2 * self.px // STRIDE)
        self.describe = nn.Linear(self.parts.size, settings.features, bias=False)
        self.level = nn.BatchNorm1d(settings.features, affine=False)
        # The linear heads of all attributes, side by side.
        self.attributes = nn.Linear(settings.features, sum(settings.attributes))

    def forward(self, images: Tensor) -> Reading:
        return self.read(self.maps(resized(images, self.px)))

    def maps(self, resized: Tensor) -> tuple[Tensor, ...]:
        """What each stage makes of resized pictures, or of windows of them, for a perceptual loss.

        Shapes:
            (B, 3, h, w) -> (B, C, h/2, w/2), (B, 2C, h/4, w/4), (B, 4C, h/8, w/8) twice
        """
        hidden = resized
        return tuple(hidden := stage(hidden) for stage in self.stages)

    def read(self, maps: tuple[Tensor, ...]) -> Reading:
        """What the maps of whole pictures tell."""
        _, fine, _, coarse = maps
        features = self.level(self.describe(self.parts(fine, coarse)))
        return Reading(features, self.attributes(features))


class Parts(nn.Module):
    """Look at some parts of a picture, wherever they are: what each is like, and where it is.

    Each part is sought in all places at once, on a fine map, which shows what is small, and a
    coarse one, which knows what that belongs to.

    Shapes:
        fine (B, C, side, side), coarse (B, D, side/2, side/2) -> (B, size)

    Source:
        Where a part is: the spatial softmax of Levine et al. 2016. What it is like is added here.
    """

    places: Tensor

    def __init__(self, fine: int, coarse: int, side: int) -> None:
        super().__init__()
        self.size = PARTS * (SEEN + 2)
        self.fine = nn.Conv2d(fine, PARTS + SEEN, 1)
        self.coarse = nn.Conv2d(coarse, PARTS + SEEN, 1, bias=False)
        line = torch.linspace(-1, 1, side)
        places = torch.stack(torch.meshgrid(line, line, indexing="ij")).flatten(1)
        self.register_buffer("places", places, persistent=False)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        both = self.fine(fine) + F.interpolate(self.coarse(coarse), scale_factor=2.0)
        sought, seen = both.flatten(2).split([PARTS, SEEN], dim=1)
        told = torch.cat([seen, self.places.expand(seen.shape[0], -1, -1)], dim=1)
        return torch.bmm(sought.softmax(dim=2), told.transpose(1, 2)).flatten(1)


class Residual(nn.Module):
    """Two convolutions beside a shortcut.

    Source: He et al. 2016, figure 2; a projection as shortcut, section 3.3, option B.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *seen(inputs, outputs, stride=stride), *seen(outputs, outputs, active=False)
        )
        self.shortcut = nn.Sequential(*seen(inputs, outputs, size=1, stride=stride, active=False))

    def forward(self, hidden: Tensor) -> Tensor:
        return F.relu(self.body(hidden) + self.shortcut(hidden))


def residual_stages(width: int) -> Iterator[nn.Module]:
    """From a picture to 1/2, 1/4, 1/8 and again 1/8 of its side."""
    yield nn.Sequential(*seen(3, width, stride=2))
    yield Residual(width, 2 * width, stride=2)
    yield Residual(2 * width, 4 * width, stride=2)
    yield Residual(4 * width, 4 * width, stride=1)


def plain_stages(width: int) -> Iterator[nn.Module]:
    """The same sizes by pooling.

    Source: Simonyan & Zisserman 2015, table 1, with batch norms.
    """
    yield nn.Sequential(*seen(3, width), nn.MaxPool2d(2))
    for inputs in (width, 2 * width):
        outputs = 2 * inputs
        yield nn.Sequential(*seen(inputs, outputs), *seen(outputs, outputs), nn.MaxPool2d(2))
    yield nn.Sequential(*seen(4 * width, 4 * width), *seen(4 * width, 4 * width))


def seen(
    inputs: int, outputs: int, *, size: int = 3, stride: int = 1, active: bool = True
) -> Iterator[nn.Module]:
    """A convolution with its batch norm, then a rectifier if it is `active`."""
    yield nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False)
    yield nn.BatchNorm2d(outputs)
    if active:
        yield nn.ReLU()


def networks(settings: Settings) -> dict[str, Judge]:
    """What a run saves and an export reads, by prefix."""
    return {"image": Judge(settings)}


_NAMES = ("stages", "parts", "describe", "level", "attributes")

RENAMES = {"image": {name: name for name in _NAMES}}
"""No other code came before this: its names are the official ones."""
