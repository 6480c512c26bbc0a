"""dVAE: pictures become tokens of a small alphabet, each for 8 x 8 pixels, and tokens pictures.

Source: DALL-E, Ramesh et al., ICML 2021 (arXiv 2102.12092), section 2.1 and appendix A. Official
code: openai/DALL-E. Its likelihood is in `train/losses/logit_laplace.py`.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.runtime.errors import UsageError

GROUPS = 4
SIDE_PX = 2 ** (GROUPS - 1)
"""Side of the square of pixels that a token stands for: between groups maps are halved."""
MARGIN = 0.1
"""How far mapped pixels stay away from 0 and 1, where a logit has no bound."""


@dataclass(frozen=True)
class Settings:
    """Sizes of the networks; the defaults are the paper's."""

    image_px: int = 256
    codes: int = 8192
    """How many tokens there are."""
    width: int = 256
    """Channels of the encoder's first group, and of the decoder's last."""
    first_width: int = 128
    """Channels into which the decoder projects tokens."""
    blocks: int = 2
    """Residual blocks of each group."""

    @property
    def side(self) -> int:
        """Tokens in a row, and in a column.

        Raises:
            UsageError: pictures of this size cannot be cut into tokens.
        """
        side, rest = divmod(self.image_px, SIDE_PX)
        if rest or not side:
            raise UsageError(
                f"pictures of {self.image_px} px cannot be cut into squares of {SIDE_PX}",
                hint=f"take a multiple of {SIDE_PX} px",
            )
        return side


class Convolution(nn.Conv2d):
    """A convolution that keeps height and width.

    Source: official name `Conv2d`, whose parameters are called `w` and `b`.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, padding=(kernel - 1) // 2)
        nn.init.normal_(self.weight, std=1 / math.sqrt(inputs * kernel**2))
        assert self.bias is not None
        nn.init.zeros_(self.bias)


class Float32Convolution(Convolution):
    """The same in float32, whatever is computed around it: it reads or writes what tokens are.

    Source: official setting `use_float16=False`.
    """

    def forward(self, hidden: Tensor) -> Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            return super().forward(hidden.float())


class Residual(nn.Module):
    """Add a correction, weighed the less the deeper the network is.

    Shapes:
        hidden (B, inputs, H, W) -> (B, outputs, H, W)

    Source: official names `EncoderBlock` and `DecoderBlock`, which differ in their kernels.
    """

    def __init__(self, inputs: int, outputs: int, kernels: tuple[int, ...], gain: float) -> None:
        super().__init__()
        if outputs % 4:
            raise UsageError(f"{outputs} channels have no quarter", hint="take a multiple of 4")
        self.gain = gain
        self.same = Convolution(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        inside = (inputs, *[outputs // 4] * (len(kernels) - 1), outputs)
        self.correction = nn.Sequential()
        for place, kernel in enumerate(kernels):
            self.correction.append(nn.ReLU())
            self.correction.append(Convolution(inside[place], inside[place + 1], kernel))

    def forward(self, hidden: Tensor) -> Tensor:
        return self.same(hidden) + self.gain * self.correction(hidden)


def _groups(
    widths: list[int], blocks: int, kernels: tuple[int, ...], between: nn.Module
) -> nn.Sequential:
    """Groups of residual blocks, each of the next width; maps change their size between them."""
    gain = (GROUPS * blocks) ** -2.0
    groups = nn.Sequential()
    for inputs, outputs in pairwise(widths):
        group = [
            Residual(inputs if place == 0 else outputs, outputs, kernels, gain)
            for place in range(blocks)
        ]
        last = len(groups) == GROUPS - 1
        groups.append(nn.Sequential(*group, *([] if last else [between])))
    return groups


class Encoder(nn.Module):
    """How well each token would stand for each square of a picture.

    Shapes:
        pixels (B, 3, H, W), mapped by `map_pixels` -> logits (B, codes, H/8, W/8)

    Source: official name `Encoder`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        width = settings.width
        widths = [width, *(width * 2**group for group in range(GROUPS))]
        self.first = Convolution(3, width, 7)
        self.groups = _groups(widths, settings.blocks, (3, 3, 3, 1), nn.MaxPool2d(2))
        self.last = nn.Sequential(nn.ReLU(), Float32Convolution(widths[-1], settings.codes, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.last(self.groups(self.first(pixels)))


class Decoder(nn.Module):
    """Where the logits of the pixels lie, and how far they spread.

    Shapes:
        shares (B, codes, h, w) of the tokens in each place: one of them, or a mixture
        -> location (B, 3, 8h, 8w), log_scale (B, 3, 8h, 8w)

    Source: official name `Decoder`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        last = settings.width
        widths = [settings.first_width, *(last * 2**group for group in reversed(range(GROUPS)))]
        self.first = Float32Convolution(settings.codes, settings.first_width, 1)
        up = nn.Upsample(scale_factor=2, mode="nearest")
        self.groups = _groups(widths, settings.blocks, (1, 3, 3, 3), up)
        self.last = nn.Sequential(nn.ReLU(), Convolution(last, 6, 1))

    def forward(self, shares: Tensor) -> tuple[Tensor, Tensor]:
        return self._grown(self.first(shares))

    def draw(self, tokens: Tensor) -> Tensor:
        """The most likely picture of tokens (B, h, w): (B, 3, 8h, 8w) in [-1, 1].

        What the first layer makes of a single token is a column of its weights.
        """
        columns = self.first.weight.flatten(1).T
        location, _ = self._grown(F.embedding(tokens, columns).permute(0, 3, 1, 2) + self._bias)
        return 2 * unmap_pixels(torch.sigmoid(location)) - 1

    @property
    def _bias(self) -> Tensor:
        assert self.first.bias is not None
        return self.first.bias[:, None, None]

    def _grown(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        location, log_scale = self.last(self.groups(hidden)).float().chunk(2, dim=1)
        return location, log_scale


def map_pixels(pixels: Tensor) -> Tensor:
    """Pixels in [0, 1] away from both ends. Source: official name `map_pixels`."""
    return (1 - 2 * MARGIN) * pixels + MARGIN


def unmap_pixels(mapped: Tensor) -> Tensor:
    """And back. Source: official name `unmap_pixels`."""
    return ((mapped - MARGIN) / (1 - 2 * MARGIN)).clamp(0, 1)


def mapped(images: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) in [-1, 1] as the encoder takes them."""
    return map_pixels((images + 1) / 2)


def relaxed(logits: Tensor, gumbel: Tensor, temperature: float) -> Tensor:
    """Draw shares of tokens, which come to be single tokens as the temperature falls.

    Shapes:
        logits and gumbel, a standard Gumbel draw, (B, codes, h, w) -> (B, codes, h, w)

    Source: Jang et al. 2017; Maddison et al. 2017. Soft in both directions, as the authors say in
    openai/DALL-E, thread 1.
    """
    return ((logits + gumbel) / temperature).softmax(dim=1)


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix."""
    return {"encoder": Encoder(settings), "decoder": Decoder(settings)}


def _names() -> dict[str, str]:
    """Of either network: both have the same names."""
    layers = {"blocks.input": "first", "blocks.output.conv": "last.1"}
    for group in range(GROUPS):
        for block in range(Settings.blocks):
            official = f"blocks.group_{group + 1}.block_{block + 1}"
            ours = f"groups.{group}.{block}"
            layers[f"{official}.id_path"] = f"{ours}.same"
            for layer in range(4):
                layers[f"{official}.res_path.conv_{layer + 1}"] = (
                    f"{ours}.correction.{2 * layer + 1}"
                )
    return {
        f"{official}.{short}": f"{ours}.{long}"
        for official, ours in layers.items()
        for short, long in (("w", "weight"), ("b", "bias"))
    }


RENAMES = {"encoder": _names(), "decoder": _names()}
"""Names in the official networks -> ours."""
