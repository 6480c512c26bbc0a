"""Training without a run folder, for tests of what is learnt."""

import torch

from t2i.train.data.dataset import Dataset
from t2i.train.players import Players
from t2i.train.recipe import Recipe


def learn(recipe: Recipe, dataset: Dataset, steps: int) -> None:
    """So many steps of 16 pictures."""
    players = Players(recipe.players, "fp32", torch.device("cpu"))
    for step in range(steps):
        players.begin(step)
        for update in recipe.step(dataset.batch(step, 16, seed=0)):
            players.learn(update, share=1.0)
            players.move(update.player, step)
