"""StyleGAN2: noise becomes a latent, and a latent says in every layer which channels count.

Source: Karras et al., CVPR 2020 (arXiv 1912.04958). Official code: NVlabs/stylegan2, in TensorFlow;
layers and names are those of its port rosinality/stylegan2-pytorch (`model.py`).
"""

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from t2i.models.blocks.equalised import EqualConv2d, EqualLinear, activate
from t2i.models.blocks.modulated import TINY, ModulatedConv2d
from t2i.models.blocks.resampling import Resample
from t2i.runtime.errors import UsageError

START_PX = 4
"""Side of the constant that every picture begins with."""
GROUP = 4
"""Most pictures among which the critic looks for deviations."""


@dataclass(frozen=True)
class Settings:
    """Sizes of generator and critic; the defaults are configuration F at 256 px."""

    style_size: int = 512
    """S: channels of the noise and of a latent."""
    mapping_layers: int = 8
    """Layers that make a latent of noise."""
    mapping_rate: float = 0.01
    """How fast they learn, of what the others do."""
    widths: tuple[int, ...] = (512, 512, 512, 512, 512, 256, 128)
    """Channels of the maps at 4 px, 8 px and so on; the last are the picture's size."""
    grouped: bool = False
    """Give each picture weights of its own, and convolve all in one grouped convolution, as the
    official code does; False multiplies what goes in and comes out: the same, and it exports."""

    def __post_init__(self) -> None:
        if len(self.widths) < 2:
            raise UsageError(
                "widths must name the channels at 4 px and at 8 px at least",
                hint="such as --set widths=64,64,32, which draws 16 px",
            )

    @property
    def image_px(self) -> int:
        return START_PX * 2 ** (len(self.widths) - 1)

    @property
    def layers(self) -> int:
        """L: how many latents a picture takes, one a layer."""
        return 2 * len(self.widths)

    @property
    def grain_sides(self) -> tuple[int, ...]:
        """Sides of the maps of noise that layers add: one at 4 px, two at each larger size."""
        larger = [START_PX * 2**i for i in range(1, len(self.widths))]
        return (START_PX, *(side for side in larger for _ in range(2)))

    @property
    def grain_size(self) -> int:
        """N: pixels of all these maps."""
        return sum(side**2 for side in self.grain_sides)

    def generator_sizes(self) -> dict[str, Any]:
        """These sizes alone, for a system that has the generator among its networks."""
        return {each.name: getattr(self, each.name) for each in fields(Settings)}


class Mapping(nn.Module):
    """A latent for noise.

    Shapes:
        noise (B, S), standard normal -> (B, S)

    Source: official name `style`, which begins with `PixelNorm`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        size, rate = settings.style_size, settings.mapping_rate
        self.layers = nn.ModuleList(
            EqualLinear(size, size, rate=rate) for _ in range(settings.mapping_layers)
        )

    def forward(self, noise: Tensor) -> Tensor:
        hidden = noise * (noise.square().mean(dim=1, keepdim=True) + TINY).rsqrt()
        for layer in self.layers:
            hidden = activate(layer(hidden))
        return hidden


def mixed(one: Tensor, other: Tensor, first: Tensor) -> Tensor:
    """Latents of two kinds for all layers, by which the styles of two pictures mix.

    Shapes:
        one, other (B, S); first (L,) bool, the layers that follow `one` -> (B, L, S)
    """
    return torch.where(first[:, None], one[:, None], other[:, None])


class StyledConv(nn.Module):
    """A modulated 3 x 3 convolution, then noise that all channels share, and a rectifier.

    Shapes:
        maps (B, inputs, H, W), latent (B, S), grain (B, 1, H', W') -> (B, outputs, H', W')

    Source: official name `StyledConv`.
    """

    def __init__(self, inputs: int, outputs: int, settings: Settings, *, up: bool = False) -> None:
        super().__init__()
        S, grouped = settings.style_size, settings.grouped
        self.conv = ModulatedConv2d(inputs, outputs, 3, S, up=up, grouped=grouped)
        self.strength = nn.Parameter(torch.zeros(1))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, maps: Tensor, latent: Tensor, grain: Tensor) -> Tensor:
        hidden = self.conv(maps, latent) + self.strength * grain
        return activate(hidden + self.bias[:, None, None])


class Head(nn.Module):
    """What a map adds to the picture: (B, inputs, H, W), latent (B, S) -> (B, 3, H, W).

    Source: official name `ToRGB`.
    """

    def __init__(self, inputs: int, settings: Settings) -> None:
        super().__init__()
        S, grouped = settings.style_size, settings.grouped
        self.conv = ModulatedConv2d(inputs, 3, 1, S, demodulate=False, grouped=grouped)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, maps: Tensor, latent: Tensor) -> Tensor:
        return self.conv(maps, latent) + self.bias


class Stage(NamedTuple):
    """A map (B, C, H, W), and the picture (B, 3, H, W) so far."""

    hidden: Tensor
    picture: Tensor


class Block(nn.Module):
    """Twice the height and width; takes three latents and two maps of noise.

    The head shares its latent with the first layer of the next block.
    """

    def __init__(self, inputs: int, outputs: int, settings: Settings) -> None:
        super().__init__()
        self.up = StyledConv(inputs, outputs, settings, up=True)
        self.keep = StyledConv(outputs, outputs, settings)
        self.head = Head(outputs, settings)
        self.enlarge = Resample((2, 1), up=2, gain=4.0)

    def forward(
        self, before: Stage, latents: tuple[Tensor, ...], grain: tuple[Tensor, ...]
    ) -> Stage:
        hidden = self.up(before.hidden, latents[0], grain[0])
        hidden = self.keep(hidden, latents[1], grain[1])
        return Stage(hidden, self.enlarge(before.picture) + self.head(hidden, latents[2]))


class Generator(nn.Module):
    """Draw latents; `mapping` makes them of noise.

    Shapes:
        latents (B, L, S); grain (B, N), standard normal: the maps of noise in their order, each
        row by row -> (B, 3, px, px), about in [-1, 1]

    Source: figure 2 (d), skip connections of figure 7 (b). Official name `Generator`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        widths, self.sides = settings.widths, settings.grain_sides
        self.layers = settings.layers
        self.mapping = Mapping(settings)
        self.constant = nn.Parameter(torch.randn(1, widths[0], START_PX, START_PX))
        self.first = StyledConv(widths[0], widths[0], settings)
        self.first_head = Head(widths[0], settings)
        self.blocks = nn.ModuleList(Block(a, b, settings) for a, b in pairwise(widths))

    def forward(self, latents: Tensor, grain: Tensor) -> Tensor:
        return self.stages(latents, grain)[-1].picture

    def stages(self, latents: Tensor, grain: Tensor) -> list[Stage]:
        """From 4 px to the picture's size."""
        styles = latents.unbind(dim=1)
        parts = grain.split([side**2 for side in self.sides], dim=1)
        maps = [
            part.unflatten(1, (1, side, side)) for part, side in zip(parts, self.sides, strict=True)
        ]
        start = self.constant.expand(latents.shape[0], -1, -1, -1)
        hidden = self.first(start, styles[0], maps[0])
        stages = [Stage(hidden, self.first_head(hidden, styles[1]))]
        for i, block in enumerate(self.blocks):
            place = 2 * i + 1
            stages.append(block(stages[-1], styles[place : place + 3], maps[place : place + 2]))
        return stages

    def spread(self, latent: Tensor) -> Tensor:
        """The same latent for every layer: (B, S) -> (B, L, S)."""
        return latent[:, None].expand(-1, self.layers, -1)


class Down(nn.Module):
    """Half the height and width, with a shortcut: (B, inputs, H, W) -> (B, outputs, H/2, W/2).

    Source: official name `ResBlock`.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.keep = EqualConv2d(inputs, inputs, 3, padding=1)
        self.blur = Resample((2, 2))
        self.down = EqualConv2d(inputs, outputs, 3, stride=2)
        # The official code drops pixels in the 1 x 1 convolution, after the same blur.
        self.shrink = Resample((1, 1), down=2)
        self.skip = EqualConv2d(inputs, outputs, 1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        hidden = activate(self.down(self.blur(activate(self.keep(maps)))))
        return (hidden + self.skip(self.shrink(maps))) / 2**0.5


class Look(nn.Module):
    """From a picture to a map of 4 x 4: (B, 3, px, px) in [-1, 1] -> (B, widths[0], 4, 4)."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.first = EqualConv2d(3, widths[-1], 1)
        self.blocks = nn.Sequential(*(Down(a, b) for a, b in pairwise(reversed(widths))))

    def forward(self, images: Tensor) -> Tensor:
        return self.blocks(activate(self.first(images)))


def deviation(maps: Tensor) -> Tensor:
    """How much the pictures of a group differ, as one more channel: (B, C, H, W) -> (B, 1, H, W).

    A batch is dealt into groups of four like cards: members lie B/4 apart. One that four does not
    divide has groups of three or less; the official code stops there, unless it is smaller.

    Source: official `Discriminator.forward`; Karras et al. 2018, section 3.
    """
    B, C, H, W = maps.shape
    group = next(size for size in range(GROUP, 0, -1) if B % size == 0)
    exact = maps.to(torch.promote_types(maps.dtype, torch.float32))
    dealt = exact.reshape(group, B // group, C, H, W)
    spread = (dealt.var(dim=0, unbiased=False) + TINY).sqrt().mean(dim=(1, 2, 3))
    return spread.repeat(group)[:, None, None, None].expand(-1, 1, H, W)


class Critic(nn.Module):
    """Is this a real picture? What it says depends on the others of a batch.

    Shapes:
        images (B, 3, px, px) in [-1, 1] -> logits (B,)

    Source: figure 7 (c). Official name `Discriminator`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        C = settings.widths[0]
        self.look = Look(settings.widths)
        self.gather = EqualConv2d(C + 1, C, 3, padding=1)
        self.read = EqualLinear(C * START_PX**2, C)
        self.verdict = EqualLinear(C, 1)

    def forward(self, images: Tensor) -> Tensor:
        seen = self.look(images)
        hidden = activate(self.gather(torch.cat([seen, deviation(seen)], dim=1)))
        return self.verdict(activate(self.read(hidden.flatten(1)))).squeeze(1)


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix."""
    return {"generator": Generator(settings)}


_MOST = 8
"""Doublings of 4 px, up to 1024, and layers of the mapping, that have official names."""


def _styled(official: str, ours: str) -> dict[str, str]:
    return {
        f"{official}.conv": f"{ours}.conv",
        f"{official}.conv.blur": "",  # constants
        f"{official}.noise.weight": f"{ours}.strength",
        f"{official}.activate.bias": f"{ours}.bias",
    }


def _blocks() -> dict[str, str]:
    names: dict[str, str] = {}
    for i in range(_MOST):
        names |= _styled(f"convs.{2 * i}", f"blocks.{i}.up")
        names |= _styled(f"convs.{2 * i + 1}", f"blocks.{i}.keep")
        names |= {f"to_rgbs.{i}": f"blocks.{i}.head", f"to_rgbs.{i}.upsample": ""}
    return names


def _downs() -> dict[str, str]:
    names: dict[str, str] = {}
    for i in range(_MOST):
        official, ours = f"convs.{i + 1}", f"look.blocks.{i}"
        names |= {f"{official}.conv1.{part}": f"{ours}.keep" for part in (0, 1)}
        names |= {f"{official}.conv2.{part}": f"{ours}.down" for part in (1, 2)}
        names |= {f"{official}.skip.1": f"{ours}.skip"}
        names |= {f"{official}.conv2.0": "", f"{official}.skip.0": ""}
    return names


RENAMES = {
    "generator": {
        **{f"style.{i + 1}": f"mapping.layers.{i}" for i in range(_MOST)},
        "input.input": "constant",
        **_styled("conv1", "first"),
        "to_rgb1": "first_head",
        **_blocks(),
        "noises": "",  # here every draw is an argument
    },
    "critic": {
        "convs.0.0": "look.first",
        "convs.0.1": "look.first",
        **_downs(),
        "final_conv.0": "gather",
        "final_conv.1": "gather",
        "final_linear.0": "read",
        "final_linear.1": "verdict",
    },
}
"""Names in the port's `g_ema` and `d` -> ours."""
