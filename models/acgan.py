"""AC-GAN: a class and noise become a picture, and the critic also tells which class it sees.

Source: Odena, Olah and Shlens, ICML 2017 (arXiv 1610.09585). The authors published no code; the
layers are those of the paper's appendix, the names those of the port clvrai/ACGAN-PyTorch.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from t2i.runtime.errors import UsageError

START_PX = 4
"""Side of the generator's first map."""


@dataclass(frozen=True)
class Settings:
    """Sizes of both networks; the defaults are the paper's for ImageNet at 128 px."""

    vocabulary: int
    """Token ids: one a class, that of the padding (0) and that of the unknown class."""
    noise_size: int = 100
    """Z: channels of the noise."""
    generator_widths: tuple[int, ...] = (768, 384, 256, 192, 64)
    """Channels of the generator's maps from 4 x 4 up, each twice as large (CIFAR-10: 384, 192,
    96); the picture is twice as large as the last."""
    critic_widths: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    """Channels of the critic's convolutions; the first and every second after it halve the side."""
    dropout: float = 0.5
    """Share of numbers dropped after each convolution of the critic, in training."""

    def __post_init__(self) -> None:
        for name in ("generator_widths", "critic_widths"):
            if not getattr(self, name):
                raise UsageError(f"{name} names no layer", hint=f"such as --set {name}=64,32,16")

    @property
    def classes(self) -> int:
        """Token t stands for class t - 1."""
        return self.vocabulary - 2

    @property
    def image_px(self) -> int:
        return START_PX * 2 ** len(self.generator_widths)


class ClassReader(nn.Module):
    """The class that a token stands for.

    Shapes:
        tokens (B, 1) int64 -> (B, classes), one-hot; zeros for padding and the unknown class
    """

    known: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("known", torch.arange(1, classes + 1), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return torch.eq(tokens, self.known).float()


class Generator(nn.Module):
    """Draw classes.

    Shapes:
        noise (B, Z), standard normal; wanted (B, classes), one-hot -> (B, 3, px, px) in [-1, 1]
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        widths = settings.generator_widths
        self.expand = nn.Sequential(
            nn.Linear(settings.noise_size + settings.classes, widths[0] * START_PX**2), nn.ReLU()
        )
        self.grow = nn.Sequential(
            *(
                nn.Sequential(doubling(a, b, bias=False), nn.BatchNorm2d(b), nn.ReLU())
                for a, b in pairwise(widths)
            )
        )
        self.head = nn.Sequential(doubling(widths[-1], 3, bias=True), nn.Tanh())

    def forward(self, noise: Tensor, wanted: Tensor) -> Tensor:
        seed = self.expand(torch.cat([noise, wanted], dim=1))
        return self.head(self.grow(seed.unflatten(1, (-1, START_PX, START_PX))))


class Verdict(NamedTuple):
    """Logits: is it a real picture (B,), and which class is it of (B, classes)."""

    real: Tensor
    classes: Tensor


class Critic(nn.Module):
    """Judge pictures (B, 3, px, px) in [-1, 1]; the second head is the auxiliary classifier."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        widths, side = settings.critic_widths, settings.image_px
        layers = []
        for place, (a, b) in enumerate(pairwise((3, *widths))):
            stride = 2 - place % 2
            side = -(-side // stride)  # a padded convolution rounds up
            conv = nn.Conv2d(a, b, 3, stride=stride, padding=1, bias=place == 0)
            norm = [nn.BatchNorm2d(b)] if place else []
            shaping = (nn.LeakyReLU(0.2), nn.Dropout(settings.dropout))
            layers.append(nn.Sequential(conv, *norm, *shaping))
        self.layers = nn.Sequential(*layers)
        self.real = nn.Linear(widths[-1] * side**2, 1)
        self.classes = nn.Linear(widths[-1] * side**2, settings.classes)

    def forward(self, images: Tensor) -> Verdict:
        features = self.layers(images).flatten(1)
        return Verdict(self.real(features).squeeze(1), self.classes(features))


def doubling(inputs: int, outputs: int, *, bias: bool) -> nn.ConvTranspose2d:
    """(B, inputs, H, W) -> (B, outputs, 2H, 2W). No bias before a batch norm, which undoes it."""
    return nn.ConvTranspose2d(inputs, outputs, 5, stride=2, padding=2, output_padding=1, bias=bias)


def networks(settings: Settings) -> dict[str, Generator]:
    """What a run saves and an export reads, by prefix. Reading a class takes no weights."""
    return {"generator": Generator(settings)}


def initialise(network: nn.Module) -> None:
    """Weights from N(0, 0.02), biases 0, as the paper; batch norms begin as they are."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


RENAMES = {
    "generator": {
        "fc1": "expand.0",
        **{f"tconv{i + 2}": f"grow.{i}" for i in range(4)},
        "tconv6": "head",
    },
    "critic": {
        **{f"conv{i + 1}": f"layers.{i}" for i in range(6)},
        "fc_dis": "real",
        "fc_aux": "classes",
    },
}
"""Names in the port's generator and discriminator for 128 px -> ours. Its first map is 1 x 1 and
its layers are not padded, so its own checkpoints have other shapes."""
