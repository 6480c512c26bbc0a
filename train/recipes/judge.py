"""Judge: learns to read the attributes of drawn birds, in clean pictures and in worn ones.

Source:
    This project.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import judge
from t2i.models.blocks.resizing import resized
from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.settings import LoopSettings


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    """Two sizes of drawn birds that all look right: the second is the size that is seen."""
    trunk: Literal["residual", "plain"] = "residual"
    width: int = 24
    """Channels of the first map."""
    features: int = 128
    """Numbers that describe a picture."""
    learning_rate: float = 0.005
    """Greatest rate; rises to it in the first steps, and falls to zero along a cosine."""
    warmup_steps: int = 100
    decay: float = 0.05
    """Decay of the weights, as AdamW counts it."""
    smoothing: float = 0.05
    """Share of certainty that no answer deserves."""
    small: float = 0.5
    """Share of pictures seen from the smaller size, enlarged: most systems draw no larger."""
    blur: float = 1.0
    """Greatest share of a picture that is replaced by its blur of 5 px."""
    noise: float = 0.05
    """Greatest deviation of the noise added, in pictures in [-1, 1]."""
    light: float = 0.08
    """Greatest share by which a picture becomes brighter or darker."""

    def network(self, attributes: tuple[int, ...]) -> judge.Settings:
        """Sizes of the network that reads these attributes of a bird, and which way it looks."""
        return judge.Settings(
            attributes=(*attributes, len(judge.FACING)),
            trunk=self.trunk,
            width=self.width,
            features=self.features,
            px=self.data.px[-1],
        )


_FEATURES = Settings(
    loop=LoopSettings(
        steps=2400,
        batch_size=32,
        sample_every=0,
        checkpoint_every=300,
        seed=1,
        precision="bf16",
    ),
    data=data.Settings(
        kind="birds",
        px=(64, 128),
        words=120,
        count=6000,
        facing="right",
        traits="free",
        seed=1,
    ),
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _FEATURES,
        loop=LoopSettings(steps=60, batch_size=16, sample_every=0, checkpoint_every=60),
        data=replace(_FEATURES.data, px=(16, 32), count=192),
        width=8,
        features=32,
        warmup_steps=5,
    ),
    "features": _FEATURES,
    "perceptual": replace(
        _FEATURES,
        loop=replace(_FEATURES.loop, steps=1100, seed=2),
        data=replace(_FEATURES.data, seed=2),
        trunk="plain",
        width=16,
    ),
}
NEEDS: tuple[str, ...] = ()


class Judge:
    """One player, which reads."""

    def __init__(self, settings: Settings, source: Source, device: torch.device) -> None:
        if source.facing is None or len(settings.data.px) != 2:
            raise UsageError(
                "the judge learns from two sizes of drawn birds that all look right",
                hint="pass --set data.facing=right --set px=64,128, and no --data",
            )
        self.settings = settings
        self.network = settings.network(source.attributes)
        self.networks = nn.ModuleDict(judge.networks(self.network)).to(device)
        self.players = {
            "judge": Player(
                networks=self.networks,
                optimiser=torch.optim.AdamW(
                    self.networks.parameters(),
                    lr=settings.learning_rate,
                    weight_decay=settings.decay,
                ),
                schedule=lambda step: rate(step, settings.warmup_steps, settings.loop.steps),
            )
        }

    def step(self, batch: Batch) -> Iterator[Update]:
        assert batch.attributes is not None, "drawn birds know their attributes"
        turned = torch.rand(len(batch.tokens), device=batch.tokens.device) < 0.5
        wanted = torch.cat([batch.attributes, facing(turned)[:, None]], dim=1)
        pictures = mirrored(self.mixed(batch), turned)
        reading = self.networks["image"](worn(pictures, self.settings))
        yield Update("judge", {"attributes": self.misread(reading.attributes, wanted)})

    def mixed(self, batch: Batch) -> Tensor:
        """Pictures (B, 3, px, px), some of them enlarged from the smaller size."""
        small, large = batch.images
        enlarged = resized(small, large.shape[-1])
        chosen = torch.rand(len(large), 1, 1, 1, device=large.device) < self.settings.small
        return torch.where(chosen, enlarged, large)

    def misread(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """Mean cross-entropy of all attributes; wanted (B, A) holds the number of each value."""
        readings = logits.float().split(self.network.attributes, dim=1)
        losses = [
            F.cross_entropy(each, wanted[:, i], label_smoothing=self.settings.smoothing)
            for i, each in enumerate(readings)
        ]
        return torch.stack(losses).mean()

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return dict(self.networks)


def facing(turned: Tensor) -> Tensor:
    """Which of `judge.FACING` pictures of birds that look right show, once some are `turned`."""
    left, right = map(judge.FACING.index, ("left", "right"))
    return torch.where(turned, left, right)


def mirrored(pictures: Tensor, turned: Tensor) -> Tensor:
    """Pictures (B, 3, H, W), those that are `turned` (B,) with left and right exchanged."""
    return torch.where(turned[:, None, None, None], pictures.flip(3), pictures)


class Wear(Protocol):
    """How worn pictures may be: the greatest amounts, as `Settings` explains them."""

    @property
    def blur(self) -> float: ...
    @property
    def noise(self) -> float: ...
    @property
    def light(self) -> float: ...


def worn(pictures: Tensor, settings: Wear) -> Tensor:
    """Pictures as networks may draw them: some softer, some noisier, some lighter or darker."""
    pictures = pictures.lerp(blurred(pictures), amounts(pictures, settings.blur))
    pictures = pictures + amounts(pictures, settings.noise) * torch.randn_like(pictures)
    light = amounts(pictures, settings.light) - amounts(pictures, settings.light)
    return ((pictures + 1) * (1 + light) - 1).clamp(-1, 1)


def amounts(pictures: Tensor, most: float) -> Tensor:
    """For one half of the pictures 0, for the others up to `most`: (B, 1, 1, 1)."""
    drawn = torch.rand(len(pictures), 1, 1, 1, device=pictures.device)
    return most * (2 * drawn - 1).clamp(min=0)


def blurred(pictures: Tensor) -> Tensor:
    """Each pixel the mean of its neighbourhood of 5 × 5, the nearer the heavier."""
    for _ in range(2):
        pictures = F.avg_pool2d(pictures, 3, stride=1, padding=1, count_include_pad=False)
    return pictures


def rate(step: int, warmup_steps: int, steps: int) -> float:
    """Factor of the learning rate: it rises at first, and falls to zero along a cosine."""
    rising = (step + 1) / warmup_steps
    falling = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(rising, falling)


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> Judge:
    return Judge(settings, source, device)
