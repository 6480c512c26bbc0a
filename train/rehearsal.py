"""Building what would be trained, to count it."""

from typing import TYPE_CHECKING

import torch

from t2i.train.prerequisites import Found, Needed, Plan, load
from t2i.train.recipe import Recipe
from t2i.train.systems import needed
from t2i.train.training import build, first_weights, record

if TYPE_CHECKING:
    from t2i.train.data.dataset import Dataset


def rehearse(plan: Plan, dataset: "Dataset") -> dict[str, int]:
    """Number of parameters that each player would move."""
    with torch.random.fork_rng(devices=[]):
        recipe = _built(plan, dataset)
    return {
        name: sum(each.numel() for each in player.networks.parameters() if each.requires_grad)
        for name, player in recipe.players.items()
    }


def _built(plan: Plan, dataset: "Dataset") -> Recipe:
    wanted = needed(plan.system, plan.settings)
    needs = {
        name: load(need, name, dataset, wanted[name])
        if isinstance(need, Found)
        else _fresh(need, dataset)
        for name, need in plan.needs.items()
    }
    return build(plan, dataset, needs, torch.device("cpu"))


def _fresh(need: Plan, dataset: "Dataset") -> Needed:
    """A prerequisite as it would be drawn before its first step."""
    recipe = _built(need, dataset)
    return Needed(first_weights(recipe), record(need, recipe, dataset, {}), sha256="", origin="")
