"""From the name of a system to its recipe."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, cast

from t2i.models.catalog import CATALOG
from t2i.runtime.errors import UsageError, did_you_mean
from t2i.train.recipe import RecipeModule, Settings


def recipe_of(system: str) -> RecipeModule:
    """The module `train/recipes/SYSTEM.py`.

    Raises:
        UsageError: there is no such system.
    """
    if system not in CATALOG:
        raise UsageError(f"there is no system {system!r}", hint=did_you_mean(system, CATALOG))
    return cast(RecipeModule, import_module(f"t2i.train.recipes.{system}"))


def preset_of(system: str, preset: str) -> Settings:
    """
    Raises:
        UsageError: there is no such system or preset.
    """
    presets = recipe_of(system).PRESETS
    if preset not in presets:
        raise UsageError(f"{system} has no preset {preset!r}", hint=did_you_mean(preset, presets))
    return presets[preset]


def settings_type(system: str) -> type[Any]:
    """The dataclass of a recipe's settings."""
    return type(next(iter(recipe_of(system).PRESETS.values())))


def needed(system: str, settings: Any) -> dict[str, Settings]:
    """What must be trained before, with which settings, if the system has these."""
    recipe = recipe_of(system)
    wanted = {name: recipe.needed_settings(settings, name) for name in recipe.NEEDS}
    return {name: each for name, each in wanted.items() if each is not None}


def reads(system: str) -> bool:
    """Whether it reads captions; what sees or draws pictures alone serves data of any words."""
    return CATALOG[system].family not in ("judging", "coding", "latent")


def needs_of(system: str) -> Iterator[str]:
    """Everything that must be trained before, through all generations."""
    for name in recipe_of(system).NEEDS:
        yield name
        yield from needs_of(name)
