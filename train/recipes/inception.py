"""Inception: learns to tell classes, from nothing or from the official weights.

Source:
    Szegedy et al. 2016, sections 7 and 8, without the auxiliary classifier. Fine-tuned on the
    classes of birds or flowers it is what the Inception Scores of StackGAN, Zhang et al. 2017,
    section 4.1, are taken with; how those were fine-tuned is not told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import nn

from t2i.models import inception
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
    seen_px: int = 299
    """Side to which the network resizes its pictures."""
    thinner: int = 1
    """By what the official numbers of channels are divided: a divisor of 16."""
    smoothing: float = 0.1
    """Share of certainty that no answer deserves."""
    learning_rate: float = 0.045
    epsilon: float = 1.0
    """Of RMSProp."""
    momentum: float = 0.9
    """The same; of TF-Slim's training, for the paper does not tell it."""
    decay: float = 0.94
    """What the rate is multiplied by after every two epochs."""

    def network(self, kinds: int) -> inception.Settings:
        """Sizes of the network that tells so many classes apart."""
        return inception.Settings(kinds, biased=True, px=self.seen_px, thinner=self.thinner)


def _fine_tuned(pictures: int) -> Settings:
    """100 epochs of 32 pictures a step, from the official weights."""
    steps = 100 * (pictures // 32)
    return Settings(
        loop=LoopSettings(steps, batch_size=32, sample_every=0, checkpoint_every=1000),
        data=data.Settings(kind="classes", px=(299,), condition="class"),
        learning_rate=0.001,
    )


_BIRDS = data.Settings(kind="birds", px=(64,), condition="class")

PRESETS: dict[str, Settings] = {
    "toy": Settings(
        loop=LoopSettings(steps=150, batch_size=16, sample_every=0, checkpoint_every=75),
        data=replace(_BIRDS, px=(32,), count=192),
        seen_px=inception.LEAST_PX,
        thinner=4,
        learning_rate=0.002,
        epsilon=1e-3,
        momentum=0.5,
        decay=0.7,
    ),
    "birds": Settings(
        loop=LoopSettings(steps=2000, batch_size=32, sample_every=0, checkpoint_every=500),
        data=_BIRDS,
        seen_px=128,
        thinner=4,
        learning_rate=0.002,
        epsilon=1e-3,
        momentum=0.5,
        decay=0.7,
    ),
    "cub": _fine_tuned(2933),
    "flowers": _fine_tuned(1155),
    "imagenet": Settings(
        loop=LoopSettings(
            steps=100 * (1_281_167 // 32), batch_size=32, sample_every=0, checkpoint_every=5000
        ),
        data=data.Settings(kind="classes", px=(299,), condition="class"),
    ),
}
NEEDS: tuple[str, ...] = ()


class Inception:
    """One player, which tells classes."""

    def __init__(self, settings: Settings, source: Source, device: torch.device) -> None:
        self.settings = settings
        self.network = settings.network(len(source.classes))
        self.networks = nn.ModuleDict(inception.networks(self.network)).to(device)
        epochs = max(1, 2 * (source.pictures // settings.loop.batch_size))
        self.players = {
            "inception": Player(
                networks=self.networks,
                optimiser=torch.optim.RMSprop(
                    self.networks.parameters(),
                    lr=settings.learning_rate,
                    alpha=0.9,
                    eps=settings.epsilon,
                    momentum=settings.momentum,
                ),
                schedule=lambda step: float(settings.decay ** (step // epochs)),
            )
        }

    def step(self, batch: Batch) -> Iterator[Update]:
        seen: inception.Seen = self.networks["image"](batch.images[-1])
        loss = F.cross_entropy(
            seen.logits.float(), batch.labels, label_smoothing=self.settings.smoothing
        )
        yield Update("inception", {"class": loss})

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return dict(self.networks)


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> Inception:
    if settings.data.condition != "class":
        raise UsageError("Inception tells classes, not captions", hint="--set condition=class")
    return Inception(settings, source, device)
