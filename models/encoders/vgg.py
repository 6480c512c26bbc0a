"""The first half of VGG-16, with torchvision's names, so that its checkpoints load."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

BLOCKS = ((64, 64), (128, 128), (256, 256, 256))
"""Channels of the convolutions of each block; a pool stands between two blocks."""
SEEN = (8, 15)
"""Places of the rectifiers whose maps are given: `relu2_2` and `relu3_3`."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pictures in [0, 1], by which torchvision's networks level theirs."""


class VggTrunk(nn.Module):
    """VGG-16 up to `relu3_3`, for comparing what pictures look like.

    Shapes:
        images (B, 3, H, W) in [-1, 1] -> (B, 128, H/2, W/2), (B, 256, H/4, W/4)

    Source:
        Simonyan & Zisserman 2015, table 1, column D; torchvision's `vgg16`.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*_layers())
        for name, values in (("mean", MEAN), ("deviation", DEVIATION)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        hidden = ((images + 1) / 2 - self.mean) / self.deviation
        seen = []
        for place, layer in enumerate(self.features):
            hidden = layer(hidden)
            if place in SEEN:
                seen.append(hidden)
        return tuple(seen)


def _layers() -> Iterator[nn.Module]:
    inputs = 3
    for number, block in enumerate(BLOCKS):
        if number:
            yield nn.MaxPool2d(2)
        for outputs in block:
            yield nn.Conv2d(inputs, outputs, 3, padding=1)
            yield nn.ReLU()
            inputs = outputs
