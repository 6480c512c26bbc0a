"""VQGAN's decoder: tokens, each for 16 x 16 pixels, become a picture.

Source: Esser, Rombach and Ommer, CVPR 2021 (arXiv 2012.09841), as kuprel/min-dalle has it in
`min_dalle/models/vqgan_detokenizer.py`.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

MULTIPLES = (1, 1, 2, 2, 4)
"""Width of the maps at each level, the largest maps first: so many times the first."""
BLOCKS = 3
"""Residual blocks of a level."""
SIDE_PX = 2 ** (len(MULTIPLES) - 1)
"""Side of the square of pixels that a token stands for: maps double between levels."""


@dataclass(frozen=True)
class Settings:
    """Sizes of the network; the defaults are those of the published weights."""

    side: int = 16
    """Tokens in a row, and in a column."""
    codes: int = 16_384
    """How many tokens there are."""
    code_size: int = 256
    """Numbers that tell what a token looks like."""
    width: int = 128
    """Channels of the largest maps."""
    groups: int = 32
    """In how many groups of channels maps are normalised."""

    @property
    def image_px(self) -> int:
        return SIDE_PX * self.side

    @property
    def widths(self) -> list[int]:
        """Channels at each level, the largest maps first."""
        return [self.width * multiple for multiple in MULTIPLES]


class Residual(nn.Module):
    """Add what two convolutions make of a normalised map.

    Shapes:
        hidden (B, inputs, H, W) -> (B, outputs, H, W)

    Source: official name `ResnetBlock`.
    """

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.same = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.correction = nn.Sequential(
            nn.GroupNorm(groups, inputs),
            nn.SiLU(),
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.GroupNorm(groups, outputs),
            nn.SiLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )

    def forward(self, hidden: Tensor) -> Tensor:
        return self.same(hidden) + self.correction(hidden)


class Attention(nn.Module):
    """Add a mixture of what all places of a normalised map hold, in one head.

    Shapes:
        hidden (B, C, H, W) -> (B, C, H, W)

    Source: official name `AttentionBlock`.
    """

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width)
        self.query, self.key, self.value, self.merge = (
            nn.Conv2d(width, width, 1) for _ in range(4)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        normal = self.norm(hidden)
        query, key, value = (
            layer(normal).flatten(2).transpose(1, 2)[:, None]  # export wants an axis of heads
            for layer in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(query, key, value)[:, 0]
        return hidden + self.merge(mixed.transpose(1, 2).unflatten(2, hidden.shape[2:]))


class Detoker(nn.Module):
    """Draw the picture of tokens. Only the smallest maps attend to themselves.

    Shapes:
        tokens (B, h, w) -> (B, 3, 16h, 16w), pixels from 0 to 1 but for what lies beyond

    Source: official name `VQGanDetokenizer`, whose levels are numbered from the largest maps on.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        widths, groups = settings.widths, settings.groups
        most = widths[-1]
        self.codes = nn.Embedding(settings.codes, settings.code_size)
        self.first = nn.Sequential(
            nn.Conv2d(settings.code_size, settings.code_size, 1),
            nn.Conv2d(settings.code_size, most, 3, padding=1),
        )
        self.middle = nn.Sequential(
            Residual(most, most, groups), Attention(most, groups), Residual(most, most, groups)
        )
        inputs = [*widths[1:], most]
        self.levels = nn.ModuleList(
            _level(inputs[level], widths[level], groups, level) for level in range(len(widths))
        )
        self.last = nn.Sequential(
            nn.GroupNorm(groups, settings.width),
            nn.SiLU(),
            nn.Conv2d(settings.width, 3, 3, padding=1),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.middle(self.first(self.codes(tokens).permute(0, 3, 1, 2)))
        for level in reversed(self.levels):
            hidden = level(hidden)
        return self.last(hidden)

    def draw(self, tokens: Tensor) -> Tensor:
        """The picture of tokens (B, h, w): (B, 3, 16h, 16w) in [-1, 1]."""
        return 2 * self(tokens).clamp(0, 1) - 1


def _level(inputs: int, outputs: int, groups: int, level: int) -> nn.Sequential:
    """Residual blocks, and what doubles the map for the next level, which has one number less."""
    layers = nn.Sequential()
    for block in range(BLOCKS):
        layers.append(Residual(inputs if block == 0 else outputs, outputs, groups))
        if level == len(MULTIPLES) - 1:
            layers.append(Attention(outputs, groups))
    if level > 0:
        layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
        layers.append(nn.Conv2d(outputs, outputs, 3, padding=1))
    return layers


def _names() -> dict[str, str]:
    names = {
        "embedding": "codes",
        "post_quant_conv": "first.0",
        "decoder.conv_in": "first.1",
        **_residual("decoder.mid.block_1", "middle.0"),
        **_attention("decoder.mid.attn_1", "middle.1"),
        **_residual("decoder.mid.block_2", "middle.2"),
        "decoder.norm_out": "last.0",
        "decoder.conv_out": "last.2",
    }
    for level in range(len(MULTIPLES)):
        official, ours = f"decoder.up.{level}", f"levels.{level}"
        attends = level == len(MULTIPLES) - 1
        for block in range(BLOCKS):
            place = block * (1 + attends)
            names |= _residual(f"{official}.block.{block}", f"{ours}.{place}")
            if attends:
                names |= _attention(f"{official}.attn.{block}", f"{ours}.{place + 1}")
        names[f"{official}.upsample.conv"] = f"{ours}.{BLOCKS * (1 + attends) + 1}"
    return names


def _residual(official: str, ours: str) -> dict[str, str]:
    inside = {"norm1": 0, "conv1": 2, "norm2": 3, "conv2": 5}
    return {
        f"{official}.nin_shortcut": f"{ours}.same",
        **{f"{official}.{name}": f"{ours}.correction.{place}" for name, place in inside.items()},
    }


def _attention(official: str, ours: str) -> dict[str, str]:
    inside = {"norm": "norm", "q": "query", "k": "key", "v": "value", "proj_out": "merge"}
    return {f"{official}.{name}": f"{ours}.{own}" for name, own in inside.items()}


NAMES = _names()
"""Names in the official network -> ours."""
