"""The trunk of ResNet-152, with torchvision's names, so that its checkpoints load."""

import torch.nn.functional as F
from torch import Tensor, nn

PX = 224
"""Side of the pictures it sees; others are resized."""
BLOCKS = (3, 8, 36, 3)
WIDTHS = (64, 128, 256, 512)
EXPANSION = 4
"""A block gives so many times its width."""
NAMES = ("conv1", "bn1", "", "", "layer1", "layer2", "layer3", "layer4")
"""Our children by their places in torchvision's network; what has no weights has no name."""


class ResNetTrunk(nn.Module):
    """ResNet-152 without its classifier: its last map, and the mean of it.

    Shapes:
        images (B, 3, H, W) in [-1, 1], resized to `PX` -> maps (B, 2048, 7, 7), pooled (B, 2048)

    Source:
        He et al. 2016, table 1; torchvision's `resnet152`, whose blocks have their stride in the
        3 x 3 convolution.
    """

    map_size = pooled_size = EXPANSION * WIDTHS[-1]

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.layer1 = _layer(WIDTHS[0], WIDTHS[0], BLOCKS[0], stride=1)
        self.layer2 = _layer(EXPANSION * WIDTHS[0], WIDTHS[1], BLOCKS[1], stride=2)
        self.layer3 = _layer(EXPANSION * WIDTHS[1], WIDTHS[2], BLOCKS[2], stride=2)
        self.layer4 = _layer(EXPANSION * WIDTHS[2], WIDTHS[3], BLOCKS[3], stride=2)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        resized = F.interpolate(images, (PX, PX), mode="bilinear", align_corners=False)
        hidden = F.max_pool2d(F.relu(self.bn1(self.conv1(resized))), 3, stride=2, padding=1)
        maps = self.layer4(self.layer3(self.layer2(self.layer1(hidden))))
        return maps, maps.mean(dim=(2, 3))


class Bottleneck(nn.Module):
    """Narrow, look around, widen; added to what came in, then rectified."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = EXPANSION * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()
        if stride > 1 or inputs != outputs:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, hidden: Tensor) -> Tensor:
        seen = F.relu(self.bn1(self.conv1(hidden)))
        seen = F.relu(self.bn2(self.conv2(seen)))
        return F.relu(self.bn3(self.conv3(seen)) + self.downsample(hidden))


def _layer(inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    """Blocks of one width; the first one has the stride."""
    later = (Bottleneck(EXPANSION * width, width, 1) for _ in range(blocks - 1))
    return nn.Sequential(Bottleneck(inputs, width, stride), *later)
