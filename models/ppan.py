"""PPAN: a pyramid of pictures; lateral connections tell the fine ones what coarse maps know.

Source: Gao et al., AAAI 2019 (doi 10.1609/aaai.v33i01.33018312). Its authors published no code, and
the paper leaves sizes open: they are those of HDGAN, which it builds on and compares itself with.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import charcnnrnn, hdgan
from t2i.models.hdgan import Residual, head, mirrored
from t2i.runtime.errors import UsageError


@dataclass(frozen=True)
class Settings(hdgan.Settings):
    """Sizes of all networks: HDGAN's, and what a pyramid has beside."""

    lateral: bool = True
    """Finer levels are joined by coarser maps; False is the stream of HDGAN by itself."""
    classes: int = 0
    """Classes that critics tell apart (CUB: 150 are trained on)."""
    class_at: tuple[int, ...] = (256,)
    """Sides of the pictures whose critics tell classes."""

    def check(self) -> None:
        """Raises UsageError: these sides cannot be drawn, or classes cannot be told."""
        super().check()
        if strange := set(self.class_at) - set(self.drawn_px):
            raise UsageError(
                f"class_at names {max(strange)} px, and no such picture is drawn",
                hint=f"name sides among px={','.join(map(str, self.drawn_px))}, or none",
            )
        if self.class_at and self.classes < 2:
            raise UsageError(
                f"{self.classes} classes leave the critics of PPAN nothing to tell apart",
                hint="give them pictures of two classes or more, or --set class_at= (nothing)",
            )


class Drawn(NamedTuple):
    """What a generator gives.

    Shapes:
        images: (B, 3, px, px) in [-1, 1] a level, smallest first; mean, log_variance: (B, C).
    """

    images: tuple[Tensor, ...]
    mean: Tensor
    log_variance: Tensor


class Condition(nn.Module):
    """Sample a condition from a Gaussian whose mean and log variance the sentence predicts.

    Differs from `ConditioningAugmentation` in a leaky rectifier in place of the gate.

    Shapes:
        sentence (B, E), detail (B, C) standard normal -> condition, mean, log_variance: (B, C) each
    """

    def __init__(self, sentence_size: int, condition_size: int) -> None:
        super().__init__()
        self.project = nn.Linear(sentence_size, 2 * condition_size)

    def forward(self, sentence: Tensor, detail: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = F.leaky_relu(self.project(sentence), 0.2).chunk(2, dim=1)
        return mean + detail * torch.exp(0.5 * log_variance), mean, log_variance


def up(inputs: int, outputs: int) -> nn.Sequential:
    """Twice the height and width: (B, inputs, H, W) -> (B, outputs, 2H, 2W)."""
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), mirrored(inputs, outputs))


class Lateral(nn.Module):
    """Add to a level of the pyramid what a map of a quarter of its side knows.

    The coarse map is enlarged by layers that learn to.

    Shapes:
        level (B, outputs, 4H, 4W), coarse (B, inputs, H, W) -> (B, outputs, 4H, 4W)
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.carry = nn.Sequential(
            *(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)),
            *(up(outputs, outputs), up(outputs, outputs)),
        )
        self.fuse = mirrored(outputs, outputs)

    def forward(self, level: Tensor, coarse: Tensor) -> Tensor:
        return self.fuse(level + self.carry(coarse))


class Generator(nn.Module):
    """Draw sentences at all levels of the pyramid at once.

    A stream grows from 4 px; the first picture is drawn from it, each larger one from the stream
    joined by the map of a quarter of its side.

    Shapes:
        noise (B, Z), detail (B, C), both standard normal; sentence (B, E) -> `Drawn`
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        settings.check()
        self.drawn_px = settings.drawn_px
        count = (settings.stream_px // 4).bit_length()
        self.sides = [4 * 2**i for i in range(count)]
        width = dict(zip(self.sides, channels(settings.generator_width, count), strict=True))
        self.condition = Condition(settings.text_size, settings.condition_size)
        self.unfold = nn.Sequential(
            nn.Linear(settings.condition_size + settings.noise_size, width[4] * 4 * 4),
            nn.BatchNorm1d(width[4] * 4 * 4),
            nn.ReLU(),
        )
        self.grow = nn.ModuleList(
            nn.Sequential(
                up(width[small], width[large]),
                *(Residual(width[large]) for _ in range(settings.residuals)),
            )
            for small, large in pairwise(self.sides)
        )
        joined = self.drawn_px[1:] if settings.lateral else ()
        self.lateral = nn.ModuleDict({str(px): Lateral(width[px // 4], width[px]) for px in joined})
        self.heads = nn.ModuleDict({str(px): head(width[px]) for px in self.drawn_px})

    def forward(self, noise: Tensor, detail: Tensor, sentence: Tensor) -> Drawn:
        condition, mean, log_variance = self.condition(sentence, detail)
        seed = self.unfold(torch.cat([condition, noise], dim=1))
        stream = [seed.unflatten(1, (-1, 4, 4))]
        for grow in self.grow:
            stream.append(grow(stream[-1]))
        maps = dict(zip(self.sides, stream, strict=True))
        images = []
        for px in self.drawn_px:
            level = maps[px]
            if str(px) in self.lateral:
                level = self.lateral[str(px)](level, maps[px // 4])
            images.append(self.heads[str(px)](level))
        return Drawn(tuple(images), mean, log_variance)


def channels(last: int, count: int) -> list[int]:
    """Channels of so many maps of the stream, from 4 px on: twice as many below the largest and the
    second largest, and then at every other one."""
    return [last * (2 ** (i // 2 + 1) if i else 1) for i in reversed(range(count))]


class Critic(hdgan.Critic):
    """Judge pictures of one size, beside a sentence, by themselves, and by their class."""

    def __init__(self, settings: Settings, px: int) -> None:
        super().__init__(settings, px)
        tells = px in settings.class_at
        self.classes = nn.Linear(settings.code_size, settings.classes) if tells else None

    @property
    def has_classes(self) -> bool:
        """Whether it tells classes too."""
        return self.classes is not None

    def tell(self, features: Tensor) -> Tensor:
        """Which class does the picture show? Logits (B, classes), from the mean of its code."""
        assert self.classes is not None, "built to tell no classes"
        return self.classes(features.mean(dim=(2, 3)))


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix; the text encoder is a char-CNN-RNN's."""
    return {"text": charcnnrnn.TextEncoder(settings), "generator": Generator(settings)}


_GENERATOR = ("condition", "unfold", "grow", "lateral", "heads")
_CRITIC = ("look", "gather", "read", "join", "verdict", "piece", "classes")

RENAMES = {
    "text": charcnnrnn.RENAMES["text"],
    "generator": {name: name for name in _GENERATOR},
    "critic": {name: name for name in _CRITIC},
}
"""There is no official code: the names of generator and critics are our own."""
