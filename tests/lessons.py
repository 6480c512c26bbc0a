"""Toy recipes at work in tests: built, taught for some steps, and handed on as prerequisites."""

from collections.abc import Mapping
from typing import Any

import torch

from t2i.train import data
from t2i.train.data.dataset import Dataset
from t2i.train.players import Players
from t2i.train.prerequisites import Needed, Plan
from t2i.train.recipe import Recipe
from t2i.train.training import build, first_weights, record

CPU = torch.device("cpu")


class Lesson:
    """One recipe, its data, and how far it has come."""

    def __init__(
        self, system: str, settings: Any, needs: Mapping[str, Needed] | None = None
    ) -> None:
        self.plan = Plan(system, "toy", settings, {})
        self.dataset: Dataset = data.open(settings.data)
        self.recipe: Recipe = build(self.plan, self.dataset, needs or {}, CPU)
        self.players = Players(self.recipe.players, "fp32", CPU)
        self.step = 0

    def learn(self, steps: int, batch_size: int = 16) -> None:
        for _ in range(steps):
            self.players.begin(self.step)
            for update in self.recipe.step(self.dataset.batch(self.step, batch_size, seed=0)):
                self.players.learn(update, share=1.0)
                self.players.move(update.player, self.step)
            self.step += 1

    def needed(self) -> Needed:
        """What a recipe that needs this one is given."""
        recipe = record(self.plan, self.recipe, self.dataset, {})
        return Needed(first_weights(self.recipe), recipe, sha256="", origin="")
