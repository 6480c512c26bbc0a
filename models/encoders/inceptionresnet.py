"""The trunk of Inception-ResNet-v2, with the names of its PyTorch port, so that its weights load.

The port is Cadene/pretrained-models.pytorch (`inceptionresnetv2`), with weights of ImageNet.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models.blocks.resizing import resized
from t2i.models.encoders.inception import MakesConv, thinned

PX = 299
"""Side of the pictures it sees; others are resized."""
POOLED = 1536
"""Channels of the last map."""
NAMES = (
    *("conv2d_1a", "conv2d_2a", "conv2d_2b", "conv2d_3b", "conv2d_4a"),
    *("mixed_5b", "repeat", "mixed_6a", "repeat_1", "mixed_7a", "repeat_2", "block8"),
    "conv2d_7b",
)
"""Our children, in order; the port has them under the same names."""


class InceptionResNetTrunk(nn.Module):
    """Inception-ResNet-v2 without its classifier: the map of `repeat_1`, the mean of `conv2d_7b`.

    Pictures are fed as they are, in [-1, 1].

    Args:
        thinner: by what all channels are divided: a divisor of 16.

    Shapes:
        images (B, 3, H, W), resized to `PX` -> maps (B, 1088, 17, 17), pooled (B, 1536)

    Source:
        Szegedy et al. 2017 (arXiv 1602.07261), figure 15; the port's `InceptionResNetV2`.
    """

    def __init__(self, thinner: int = 1) -> None:
        super().__init__()
        conv = thinned(thinner)
        self.map_size, self.pooled_size = 1088 // thinner, POOLED // thinner
        self.conv2d_1a = conv(3, 32, 3, stride=2)
        self.conv2d_2a = conv(32, 32, 3)
        self.conv2d_2b = conv(32, 64, 3, padding=1)
        self.conv2d_3b = conv(64, 80, 1)
        self.conv2d_4a = conv(80, 192, 3)
        self.mixed_5b = Mixed5b(conv)
        self.repeat = nn.Sequential(*(block35(thinner) for _ in range(10)))
        self.mixed_6a = Mixed6a(conv)
        self.repeat_1 = nn.Sequential(*(block17(thinner) for _ in range(20)))
        self.mixed_7a = Mixed7a(conv)
        self.repeat_2 = nn.Sequential(*(block8(thinner, 0.2) for _ in range(9)))
        self.block8 = block8(thinner, 1.0, activation=False)
        self.conv2d_7b = conv(2080, POOLED, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        hidden = resized(images, PX)  # pictures shrink as the port's do
        hidden = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(hidden)))
        hidden = self.conv2d_3b(F.max_pool2d(hidden, 3, stride=2))
        hidden = F.max_pool2d(self.conv2d_4a(hidden), 3, stride=2)
        maps = self.repeat_1(self.mixed_6a(self.repeat(self.mixed_5b(hidden))))
        hidden = self.block8(self.repeat_2(self.mixed_7a(maps)))
        return maps, self.conv2d_7b(hidden).mean(dim=(2, 3))


class Mixed5b(nn.Module):
    """35 x 35: 1 x 1, 5 x 5, two 3 x 3, and a pool that leaves its padding out of the mean."""

    def __init__(self, conv: MakesConv) -> None:
        super().__init__()
        self.branch0 = conv(192, 96, 1)
        self.branch1 = nn.Sequential(conv(192, 48, 1), conv(48, 64, 5, padding=2))
        self.branch2 = nn.Sequential(
            conv(192, 64, 1), conv(64, 96, 3, padding=1), conv(96, 96, 3, padding=1)
        )
        self.branch3 = nn.Sequential(
            nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False), conv(192, 64, 1)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        branches = (self.branch0, self.branch1, self.branch2, self.branch3)
        return torch.cat([branch(hidden) for branch in branches], dim=1)


class Mixed6a(nn.Module):
    """35 x 35 to 17 x 17: 320 to 1088 channels."""

    def __init__(self, conv: MakesConv) -> None:
        super().__init__()
        self.branch0 = conv(320, 384, 3, stride=2)
        self.branch1 = nn.Sequential(
            conv(320, 256, 1), conv(256, 256, 3, padding=1), conv(256, 384, 3, stride=2)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        pooled = F.max_pool2d(hidden, 3, stride=2)
        return torch.cat([self.branch0(hidden), self.branch1(hidden), pooled], dim=1)


class Mixed7a(nn.Module):
    """17 x 17 to 8 x 8: 1088 to 2080 channels."""

    def __init__(self, conv: MakesConv) -> None:
        super().__init__()
        self.branch0 = nn.Sequential(conv(1088, 256, 1), conv(256, 384, 3, stride=2))
        self.branch1 = nn.Sequential(conv(1088, 256, 1), conv(256, 288, 3, stride=2))
        self.branch2 = nn.Sequential(
            conv(1088, 256, 1), conv(256, 288, 3, padding=1), conv(288, 320, 3, stride=2)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        branches = (self.branch0, self.branch1, self.branch2)
        pooled = F.max_pool2d(hidden, 3, stride=2)
        return torch.cat([*(branch(hidden) for branch in branches), pooled], dim=1)


class Block(nn.Module):
    """Add `scale` times what the branches see together, brought to as many channels as there were.

    Source: the port's `Block35`, `Block17` and `Block8`; the very last has no activation.
    """

    def __init__(
        self, seen: int, channels: int, *branches: nn.Module, scale: float, activation: bool = True
    ) -> None:
        super().__init__()
        self.branches = [f"branch{number}" for number in range(len(branches))]
        for name, branch in zip(self.branches, branches, strict=True):
            self.add_module(name, branch)
        self.conv2d = nn.Conv2d(seen, channels, 1)
        self.scale, self.activation = scale, activation

    def forward(self, hidden: Tensor) -> Tensor:
        seen = torch.cat([self.get_submodule(name)(hidden) for name in self.branches], dim=1)
        added = hidden + self.scale * self.conv2d(seen)
        return F.relu(added) if self.activation else added


def block35(thinner: int) -> Block:
    """35 x 35, 320 channels."""
    conv = thinned(thinner)
    return Block(
        *(128 // thinner, 320 // thinner),
        conv(320, 32, 1),
        nn.Sequential(conv(320, 32, 1), conv(32, 32, 3, padding=1)),
        nn.Sequential(conv(320, 32, 1), conv(32, 48, 3, padding=1), conv(48, 64, 3, padding=1)),
        scale=0.17,
    )


def block17(thinner: int) -> Block:
    """17 x 17, 1088 channels: 7 x 7 split into a row and a column."""
    conv = thinned(thinner)
    return Block(
        *(384 // thinner, 1088 // thinner),
        conv(1088, 192, 1),
        nn.Sequential(
            conv(1088, 128, 1),
            conv(128, 160, (1, 7), padding=(0, 3)),
            conv(160, 192, (7, 1), padding=(3, 0)),
        ),
        scale=0.10,
    )


def block8(thinner: int, scale: float, *, activation: bool = True) -> Block:
    """8 x 8, 2080 channels: 3 x 3 split into a row and a column."""
    conv = thinned(thinner)
    return Block(
        *(448 // thinner, 2080 // thinner),
        conv(2080, 192, 1),
        nn.Sequential(
            conv(2080, 192, 1),
            conv(192, 224, (1, 3), padding=(0, 1)),
            conv(224, 256, (3, 1), padding=(1, 0)),
        ),
        scale=scale,
        activation=activation,
    )
