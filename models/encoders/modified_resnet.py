"""The residual network of CLIP: no step skips pixels, and attention replaces the last mean.

Source: CLIP, Radford et al. 2021, section 2.4: ResNet-D's stem and shortcuts (He et al. 2019),
anti-aliased pooling (Zhang 2019), attention pooling.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from t2i.models.encoders.transformer import attend, heads
from t2i.runtime.errors import UsageError

EXPANSION = 4
STRIDE = 32
"""A place of the last map stands for so many pixels along a side."""


class Bottleneck(nn.Module):
    """Add what three convolutions see; where a ResNet's step skips pixels, it takes their mean.

    Shapes:
        hidden (B, C, H, W) -> (B, 4·planes, H/stride, W/stride)

    Source: official name `Bottleneck`.
    """

    def __init__(self, channels: int, planes: int, stride: int) -> None:
        super().__init__()
        wide = EXPANSION * planes
        self.look = nn.Sequential(
            *(nn.Conv2d(channels, planes, 1, bias=False), nn.BatchNorm2d(planes), nn.ReLU()),
            *(nn.Conv2d(planes, planes, 3, padding=1, bias=False), nn.BatchNorm2d(planes)),
            *(nn.ReLU(), nn.AvgPool2d(stride) if stride > 1 else nn.Identity()),
            *(nn.Conv2d(planes, wide, 1, bias=False), nn.BatchNorm2d(wide)),
        )
        self.shortcut = nn.Sequential()
        if stride > 1 or channels != wide:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(channels, wide, 1, bias=False),
                nn.BatchNorm2d(wide),
            )

    def forward(self, hidden: Tensor) -> Tensor:
        return torch.relu(self.look(hidden) + self.shortcut(hidden))


class AttentionPool(nn.Module):
    """Ask all places of a map for a summary; who asks is their mean.

    Shapes:
        maps (B, C, side, side) -> (B, E)

    Source: official name `AttentionPool2d`.
    """

    def __init__(self, side: int, channels: int, size: int) -> None:
        super().__init__()
        heads(channels)
        self.positions = nn.Parameter(channels**-0.5 * torch.randn(1 + side**2, channels))
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.merge = nn.Linear(channels, size)
        for layer in (self.query, self.key, self.value, self.merge):
            nn.init.normal_(layer.weight, 0.0, channels**-0.5)

    def forward(self, maps: Tensor) -> Tensor:
        places = maps.flatten(2).transpose(1, 2)
        tokens = torch.cat([places.mean(dim=1, keepdim=True), places], dim=1) + self.positions
        mixed = attend(self.query(tokens[:, :1]), self.key(tokens), self.value(tokens))
        return self.merge(mixed.squeeze(1))


class ModifiedResNet(nn.Module):
    """See a picture with convolutions.

    Shapes:
        images (B, 3, px, px), normalised -> (B, E)

    Source: official name `ModifiedResNet`.
    """

    def __init__(self, px: int, width: int, layers: Sequence[int], size: int) -> None:
        super().__init__()
        if px % STRIDE:
            raise UsageError(
                f"a ResNet of CLIP cannot see pictures of {px} px",
                hint=f"take a multiple of {STRIDE} for image_px",
            )
        half = width // 2
        self.stem = nn.Sequential(
            *(nn.Conv2d(3, half, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(half)),
            *(nn.ReLU(), nn.Conv2d(half, half, 3, padding=1, bias=False), nn.BatchNorm2d(half)),
            *(nn.ReLU(), nn.Conv2d(half, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)),
            *(nn.ReLU(), nn.AvgPool2d(2)),
        )
        channels, stages = width, []
        for stage, depth in enumerate(layers):
            planes = width * 2**stage
            strides = [1 if stage == 0 else 2] + [1] * (depth - 1)
            inputs = [channels] + [EXPANSION * planes] * (depth - 1)
            pairs = zip(inputs, strides, strict=True)
            stages.append(nn.Sequential(*(Bottleneck(C, planes, stride) for C, stride in pairs)))
            channels = EXPANSION * planes
        self.stages = nn.Sequential(*stages)
        self.pool = AttentionPool(px // STRIDE, channels, size)
        for module in self.modules():
            if isinstance(module, Bottleneck):  # each block begins as its shortcut
                last = module.look[8]
                assert isinstance(last, nn.BatchNorm2d)
                nn.init.zeros_(last.weight)

    def forward(self, images: Tensor) -> Tensor:
        return self.pool(self.stages(self.stem(images)))


_STEM = {"conv1": 0, "bn1": 1, "conv2": 3, "bn2": 4, "conv3": 6, "bn3": 7}
_BLOCK = {
    "conv1": "look.0",
    "bn1": "look.1",
    "conv2": "look.3",
    "bn2": "look.4",
    "conv3": "look.7",
    "bn3": "look.8",
    "downsample.0": "shortcut.1",
    "downsample.1": "shortcut.2",
}
_POOL = {
    "positional_embedding": "positions",
    "q_proj": "query",
    "k_proj": "key",
    "v_proj": "value",
    "c_proj": "merge",
}
_DEEPEST = 36  # blocks of a stage, in RN50x64

NAMES = {
    **{name: f"stem.{place}" for name, place in _STEM.items()},
    **{
        f"layer{1 + stage}.{block}.{name}": f"stages.{stage}.{block}.{own}"
        for stage in range(4)
        for block in range(_DEEPEST)
        for name, own in _BLOCK.items()
    },
    **{f"attnpool.{name}": f"pool.{own}" for name, own in _POOL.items()},
}
"""Names in the official network -> ours."""
