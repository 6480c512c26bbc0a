"""Parts: learns which part of a drawn bird each pixel shows, in clean pictures and in worn ones.

The renderer knows it. As it draws a bird from its attributes and its noise alone, it is asked again
for the parts of each picture of a batch.

Source:
    This project.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import parts
from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.data.birds.attributes import VALUES, Bird
from t2i.train.data.birds.render import PARTS, draw
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.recipes import judge
from t2i.train.settings import LoopSettings

KEPT = 2**14
"""Pictures whose parts are remembered; at 64 px these fill 64 MB."""


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    """Drawn birds of one size, that of the map of parts, which all look right."""
    width: int = 12
    """Channels of the finest map."""
    learning_rate: float = 0.01
    """Greatest rate; rises to it in the first steps, and falls to zero along a cosine."""
    warmup_steps: int = 30
    decay: float = 0.01
    """Decay of the weights, as AdamW counts it."""
    blur: float = 1.0
    """Greatest share of a picture that is replaced by its blur of 5 px."""
    noise: float = 0.1
    """Greatest deviation of the noise added, in pictures in [-1, 1]."""
    light: float = 0.15
    """Greatest share by which a picture becomes brighter or darker."""

    @property
    def network(self) -> parts.Settings:
        """Sizes of the network."""
        return parts.Settings(PARTS, width=self.width, px=self.data.px[-1])


_BIRDS = Settings(
    loop=LoopSettings(
        steps=500,
        batch_size=16,
        sample_every=0,
        checkpoint_every=100,
        seed=3,
        precision="bf16",
    ),
    data=data.Settings(
        kind="birds", px=(64,), words=120, count=2048, facing="right", traits="free", seed=3
    ),
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=60, batch_size=16, sample_every=0, checkpoint_every=60),
        data=replace(_BIRDS.data, px=(32,), count=192),
        width=8,
        warmup_steps=5,
    ),
    "birds": _BIRDS,
}
NEEDS: tuple[str, ...] = ()


class Parts:
    """One player, which tells the parts."""

    def __init__(self, settings: Settings, source: Source, device: torch.device) -> None:
        if source.facing is None or len(settings.data.px) != 1:
            raise UsageError(
                "parts are learnt from drawn birds of one size that all look right",
                hint="pass --set data.facing=right --set px=64, and no --data",
            )
        self.settings = settings
        self.network = settings.network
        self.networks = nn.ModuleDict(parts.networks(self.network)).to(device)
        self.players = {
            "parts": Player(
                networks=self.networks,
                optimiser=torch.optim.AdamW(
                    self.networks.parameters(),
                    lr=settings.learning_rate,
                    weight_decay=settings.decay,
                ),
                schedule=lambda step: judge.rate(step, settings.warmup_steps, settings.loop.steps),
            )
        }

    def step(self, batch: Batch) -> Iterator[Update]:
        pictures, shown = batch.images[-1], shown_parts(batch)
        turned = torch.rand(len(pictures), device=pictures.device) < 0.5
        shown = judge.mirrored(shown[:, None], turned)[:, 0]
        told = self.networks["image"](judge.worn(judge.mirrored(pictures, turned), self.settings))
        yield Update("parts", {"parts": misread(told, shown)})

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return dict(self.networks)


def misread(logits: Tensor, shown: Tensor) -> Tensor:
    """Cross-entropy over all pixels, small parts weighing more than their area alone would.

    A pixel weighs as the inverse root of the area of its part in the batch.

    Shapes:
        logits (B, P, px, px), shown (B, px, px) int64
    """
    areas = torch.bincount(shown.flatten(), minlength=logits.shape[1])
    return F.cross_entropy(logits.float(), shown, weight=areas.clamp(min=1).float().rsqrt())


def shown_parts(batch: Batch) -> Tensor:
    """The number of the part that each pixel of a batch shows: (B, px, px) int64."""
    assert batch.attributes is not None, "drawn birds know their attributes"
    assert batch.noise is not None, "and their noise"
    px = batch.images[-1].shape[-1]
    birds = zip(batch.attributes.tolist(), batch.noise.tolist(), strict=True)
    maps = [parts_of(tuple(codes), tuple(noise), px) for codes, noise in birds]
    return torch.from_numpy(np.stack(maps)).long().to(batch.images[-1].device)


@lru_cache(maxsize=KEPT)
def parts_of(codes: Sequence[int], noise: Sequence[float], px: int) -> npt.NDArray[np.uint8]:
    """The parts of one bird that looks right: (px, px), numbered as the renderer's `PARTS`."""
    values = zip(VALUES.items(), codes, strict=True)
    bird = Bird(**{name: known[code] for (name, known), code in values})
    return draw(bird, noise, px).parts


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> Parts:
    return Parts(settings, source, device)
