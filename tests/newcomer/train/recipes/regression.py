"""Regression: the picture that is nearest to all pictures of its class."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import regression
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.settings import LoopSettings


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    noise_size: int = 100
    learning_rate: float = 1e-3


PRESETS: dict[str, Settings] = {
    "toy": Settings(
        loop=LoopSettings(steps=60, batch_size=16, sample_every=30, checkpoint_every=30),
        data=data.Settings(kind="birds", px=(32,), condition="class", count=192),
        noise_size=8,
    )
}
NEEDS: tuple[str, ...] = ()


class Regression:
    def __init__(self, settings: Settings, source: Source, device: torch.device) -> None:
        self.settings = settings
        self.network = regression.Settings(
            source.vocabulary, settings.noise_size, settings.data.px[-1]
        )
        self.read = regression.Reader(self.network).to(device)
        self.generator = regression.Generator(self.network).to(device)
        adam = torch.optim.Adam(self.generator.parameters(), lr=settings.learning_rate)
        self.players = {"generator": Player(self.generator, adam)}

    def step(self, batch: Batch) -> Iterator[Update]:
        drawn = self.draw(self.generator, batch)
        yield Update("generator", {"pixels": F.mse_loss(drawn, batch.images[-1])})

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        return self.draw(averaged["generator"], batch)

    def draw(self, generator: nn.Module, batch: Batch) -> Tensor:
        noise = torch.randn(len(batch.tokens), self.settings.noise_size)
        drawn: Tensor = generator(noise.to(batch.tokens.device), self.read(batch.tokens))
        return drawn

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return {"generator": averaged["generator"]}


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> Regression:
    return Regression(settings, source, device)
