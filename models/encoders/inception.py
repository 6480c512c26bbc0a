"""The trunk of Inception-v3, with torchvision's names, so that its checkpoints load."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PX = 299
"""Side of the pictures it sees; others are resized."""
REGIONS = 17
"""Side of its map of regions."""
NAMES = (
    *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"),
    *("Mixed_5b", "Mixed_5c", "Mixed_5d"),
    *("Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
    *("Mixed_7a", "Mixed_7b", "Mixed_7c"),
)
"""Our children, in order; torchvision's network has them under the same names."""


class InceptionTrunk(nn.Module):
    """Inception-v3 without its classifiers: the map of Mixed_6e, and the mean of Mixed_7c.

    Pictures are fed as they are, in [-1, 1], without torchvision's `transform_input`.

    Shapes:
        images (B, 3, H, W), resized to `PX` -> maps (B, 768, 17, 17), pooled (B, 2048)

    Args:
        align_corners: how the resize counts. Checkpoints trained under torch 0.2 or 0.3 need True.

    Source:
        Szegedy et al. 2016, section 6; torchvision's `Inception3`.
    """

    map_size, pooled_size = 768, 2048

    def __init__(self, align_corners: bool) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.Conv2d_1a_3x3 = Conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = Conv(80, 192, 3)
        self.Mixed_5b = BlockA(192, pool=32)
        self.Mixed_5c = BlockA(256, pool=64)
        self.Mixed_5d = BlockA(288, pool=64)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b = BlockC(128)
        self.Mixed_6c = BlockC(160)
        self.Mixed_6d = BlockC(160)
        self.Mixed_6e = BlockC(192)
        self.Mixed_7a = BlockD()
        self.Mixed_7b = BlockE(1280)
        self.Mixed_7c = BlockE(2048)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        size = (PX, PX)
        hidden = F.interpolate(images, size, mode="bilinear", align_corners=self.align_corners)
        hidden = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(hidden)))
        hidden = self.Conv2d_3b_1x1(F.max_pool2d(hidden, 3, stride=2))
        hidden = F.max_pool2d(self.Conv2d_4a_3x3(hidden), 3, stride=2)
        hidden = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(hidden)))
        hidden = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(hidden)))
        maps = self.Mixed_6e(self.Mixed_6d(hidden))
        return maps, self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(maps))).mean(dim=(2, 3))


class Conv(nn.Module):
    """Convolution, norm, ReLU. Source: torchvision's `BasicConv2d`."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, hidden: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(hidden)))


MakesConv = Callable[..., Conv]
"""`Conv`, or what makes one of fewer channels."""
Smooth = Callable[[Tensor], Tensor]


def thinned(times: int) -> MakesConv:
    """Makes `Conv` of so many times fewer channels, those of a picture excepted."""

    def conv(
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> Conv:
        given = inputs if inputs == 3 else inputs // times
        return Conv(given, outputs // times, kernel, stride, padding)

    return conv


def row(inputs: int, outputs: int, conv: MakesConv) -> Conv:
    """A 1 x 7 convolution that keeps height and width."""
    return conv(inputs, outputs, (1, 7), padding=(0, 3))


def column(inputs: int, outputs: int, conv: MakesConv) -> Conv:
    """A 7 x 1 convolution that keeps height and width."""
    return conv(inputs, outputs, (7, 1), padding=(3, 0))


def smooth(hidden: Tensor) -> Tensor:
    """Mean of 3 x 3; the padding counts as zeros."""
    return F.avg_pool2d(hidden, 3, stride=1, padding=1)


class BlockA(nn.Module):
    """35 x 35: 1 x 1, 5 x 5, two 3 x 3, and a pool (224 + `pool` channels)."""

    def __init__(
        self, inputs: int, pool: int, conv: MakesConv = Conv, smooth: Smooth = smooth
    ) -> None:
        super().__init__()
        self.smooth = smooth
        self.branch1x1 = conv(inputs, 64, 1)
        self.branch5x5_1 = conv(inputs, 48, 1)
        self.branch5x5_2 = conv(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = conv(inputs, 64, 1)
        self.branch3x3dbl_2 = conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, 3, padding=1)
        self.branch_pool = conv(inputs, pool, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        branches = [
            self.branch1x1(hidden),
            self.branch5x5_2(self.branch5x5_1(hidden)),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(hidden))),
            self.branch_pool(self.smooth(hidden)),
        ]
        return torch.cat(branches, dim=1)


class BlockB(nn.Module):
    """35 x 35 to 17 x 17: 768 channels."""

    def __init__(self, inputs: int, conv: MakesConv = Conv) -> None:
        super().__init__()
        self.branch3x3 = conv(inputs, 384, 3, stride=2)
        self.branch3x3dbl_1 = conv(inputs, 64, 1)
        self.branch3x3dbl_2 = conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, 3, stride=2)

    def forward(self, hidden: Tensor) -> Tensor:
        branches = [
            self.branch3x3(hidden),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(hidden))),
            F.max_pool2d(hidden, 3, stride=2),
        ]
        return torch.cat(branches, dim=1)


class BlockC(nn.Module):
    """17 x 17: 7 x 7 split into rows and columns of `width` channels; 768 to 768 channels."""

    def __init__(self, width: int, conv: MakesConv = Conv, smooth: Smooth = smooth) -> None:
        super().__init__()
        self.smooth = smooth
        self.branch1x1 = conv(768, 192, 1)
        self.branch7x7_1 = conv(768, width, 1)
        self.branch7x7_2 = row(width, width, conv)
        self.branch7x7_3 = column(width, 192, conv)
        self.branch7x7dbl_1 = conv(768, width, 1)
        self.branch7x7dbl_2 = column(width, width, conv)
        self.branch7x7dbl_3 = row(width, width, conv)
        self.branch7x7dbl_4 = column(width, width, conv)
        self.branch7x7dbl_5 = row(width, 192, conv)
        self.branch_pool = conv(768, 192, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(hidden)))
        branches = [
            self.branch1x1(hidden),
            self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(hidden))),
            self.branch7x7dbl_5(self.branch7x7dbl_4(double)),
            self.branch_pool(self.smooth(hidden)),
        ]
        return torch.cat(branches, dim=1)


class BlockD(nn.Module):
    """17 x 17 to 8 x 8: 768 to 1280 channels."""

    def __init__(self, conv: MakesConv = Conv) -> None:
        super().__init__()
        self.branch3x3_1 = conv(768, 192, 1)
        self.branch3x3_2 = conv(192, 320, 3, stride=2)
        self.branch7x7x3_1 = conv(768, 192, 1)
        self.branch7x7x3_2 = row(192, 192, conv)
        self.branch7x7x3_3 = column(192, 192, conv)
        self.branch7x7x3_4 = conv(192, 192, 3, stride=2)

    def forward(self, hidden: Tensor) -> Tensor:
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(hidden)))
        branches = [
            self.branch3x3_2(self.branch3x3_1(hidden)),
            self.branch7x7x3_4(seven),
            F.max_pool2d(hidden, 3, stride=2),
        ]
        return torch.cat(branches, dim=1)


class BlockE(nn.Module):
    """8 x 8: branches that fork into a row and a column; 2048 channels."""

    def __init__(self, inputs: int, conv: MakesConv = Conv, smooth: Smooth = smooth) -> None:
        super().__init__()
        self.smooth = smooth
        self.branch1x1 = conv(inputs, 320, 1)
        self.branch3x3_1 = conv(inputs, 384, 1)
        self.branch3x3_2a = conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = conv(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = conv(inputs, 448, 1)
        self.branch3x3dbl_2 = conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = conv(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = conv(inputs, 192, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        single = self.branch3x3_1(hidden)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(hidden))
        branches = [
            self.branch1x1(hidden),
            *(self.branch3x3_2a(single), self.branch3x3_2b(single)),
            *(self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)),
            self.branch_pool(self.smooth(hidden)),
        ]
        return torch.cat(branches, dim=1)
