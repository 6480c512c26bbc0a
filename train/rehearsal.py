"""Building what would be trained, to count it."""

from typing import TYPE_CHECKING

import torch

from t2i.runtime import runs
from t2i.train.prerequisites import Found, Needed, Plan, read_state
from t2i.train.recipe import Recipe
from t2i.train.training import build, record

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
    needs = {name: _need(need, dataset) for name, need in plan.needs.items()}
    return build(plan, dataset, needs, torch.device("cpu"))


def _need(need: Found | Plan, dataset: "Dataset") -> Needed:
    """The prerequisite itself, or one as it would be drawn before its first step."""
    if isinstance(need, Found):
        return Needed(read_state(need.weights), runs.read_recipe(need.recipe), "", need.origin)
    recipe = _built(need, dataset)
    live = {name: player.networks for name, player in recipe.players.items()}
    state = {
        f"{prefix}.{name}": value
        for prefix, network in recipe.exported(live).items()
        for name, value in network.state_dict().items()
    }
    return Needed(state, record(need, recipe, dataset, {}), "", "")
