"""The smallest trainings there are: they learn a grey level, with every part of the loop at work.

`tiny` draws 4 px pictures with a linear generator and critic and needs a trained `seedling`.
`entered` puts both into the catalog; the command line works with them like with any system.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from t2i.models.catalog import CATALOG, System
from t2i.runtime.text import word_tokenizer
from t2i.train import data
from t2i.train.data.batch import Batch, Item, collate
from t2i.train.data.dataset import Dataset
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.settings import LoopSettings

PX, NOISE = 4, 6
PIXELS = 3 * PX * PX


class Specks(Dataset):
    """Grey squares, each told by its number."""

    def __init__(self, settings: data.Settings, words: tuple[str, ...] = ("dark", "light")) -> None:
        super().__init__(settings, word_tokenizer(words))

    def __len__(self) -> int:
        return self.settings.count

    def item(self, index: int, visit_seed: int) -> Item:
        level = (index % 7) / 3.5 - 1
        tokens = (1 + index % 2,) * (1 + visit_seed % 3)
        return Item((torch.full((3, PX, PX), level),), tokens, f"speck {index}")

    def fixed(self, count: int) -> Batch:
        return collate([self.item(index, 0) for index in range(count)])

    def describe(self) -> dict[str, Any]:
        return {"kind": "specks", "pictures": len(self)}


@dataclass(frozen=True)
class Sizes:
    """What stands in for a system's network settings."""

    width: int


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    width: int = 8
    rate: float = 0.01
    average: float | None = 0.9
    broken_at: int | None = None
    """Step at which a loss is not a number."""
    wanted: str = "toy"
    """Preset of the seedling."""


class Tiny:
    """A critic moves first, then a generator; noise comes from torch's generator."""

    def __init__(self, settings: Settings, device: torch.device) -> None:
        self.settings = settings
        self.network = Sizes(settings.width)
        width = settings.width
        self.generator = nn.Sequential(
            nn.Linear(NOISE, width), nn.BatchNorm1d(width), nn.Linear(width, PIXELS)
        ).to(device)
        self.critic = nn.Linear(PIXELS, 1).to(device)
        self.players = {
            "generator": Player(
                self.generator,
                torch.optim.Adam(self.generator.parameters(), lr=settings.rate),
                average=settings.average,
                schedule=lambda step: 0.99**step,
                renew_every=7,
            ),
            "critic": Player(
                self.critic,
                torch.optim.SGD(self.critic.parameters(), lr=settings.rate, momentum=0.5),
                clip=1.0,
            ),
        }

    def noise(self, batch: Batch) -> Tensor:
        return torch.randn(len(batch.tokens), NOISE, device=batch.tokens.device)

    def step(self, batch: Batch) -> Iterator[Update]:
        real, fake = batch.images[-1].flatten(1), self.generator(self.noise(batch))
        broken = batch.step == self.settings.broken_at
        refuse = self.critic(fake.detach()).mean() - self.critic(real).mean()
        yield Update("critic", {"refuse": refuse})
        mean = (fake.mean() - real.mean()).square()
        fool = -self.critic(fake).mean() + (torch.nan if broken else 0.0)
        yield Update("generator", {"fool": fool, "mean": mean})

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        drawn: Tensor = averaged["generator"](self.noise(batch)).view(-1, 3, PX, PX)
        return drawn

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return {"generator": averaged["generator"]}


def build_tiny(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> Tiny:
    recipe = Tiny(settings, device)
    if needs:
        recipe.generator.load_state_dict(
            {
                key.removeprefix("generator."): value
                for key, value in needs["seedling"].state.items()
            }
        )
    return recipe


TOY = Settings(
    loop=LoopSettings(steps=25, batch_size=4, sample_every=10, checkpoint_every=5, threads=1),
    data=data.Settings(kind="birds", px=(PX,), count=18),
)


def module(needs: tuple[str, ...]) -> Any:
    """What stands in for a file of `train/recipes/`."""
    return SimpleNamespace(
        PRESETS={"toy": TOY, "wide": replace(TOY, width=16, wanted="wide")},
        NEEDS=needs,
        build=build_tiny,
        needed_settings=lambda settings, name: replace(TOY, width=settings.width, rate=0.02),
    )


def entered(patch: pytest.MonkeyPatch) -> None:
    """Put the tiny systems into the catalog, and their data where data come from."""
    for name, needs in (("tiny", ("seedling",)), ("seedling", ())):
        system = System(name, name, "this test", family="gan", pipeline="gan")
        patch.setitem(CATALOG, name, system)
        patch.setitem(sys.modules, f"t2i.train.recipes.{name}", module(needs))
    patch.setattr(data, "open", lambda settings, ready=True: Specks(settings))


def main(*arguments: str) -> None:
    """`t2i-train` with the tiny systems, for a process of its own."""
    from t2i.train.cli import app

    entered(pytest.MonkeyPatch())
    app(list(arguments))


def typed() -> None:
    """The same, with what was typed."""
    main(*sys.argv[1:])
