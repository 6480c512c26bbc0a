"""Weights as `--save-weights` keeps them: their settings and words lie beside them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from t2i.runtime import runs, terminal
from t2i.runtime.errors import TrainingError, UsageError
from t2i.runtime.records import RecordError, decode
from t2i.train.systems import recipe_of

S = TypeVar("S")

HELD: Mapping[str, Mapping[str, str]] = {
    "charcnnrnn": {"text": "text"},
    "damsm": {"text": "text", "image": "image"},
    "stackgan1": {"text": "text", "generator": "generator.first"},
}
"""Where weights of a system that needs one of these may hold it: the networks of it that are used,
and what begins their names there."""


@dataclass(frozen=True)
class Kept:
    """Weights, and how they came about."""

    weights: Path
    recipe: runs.Recipe

    @property
    def words(self) -> Path | None:
        """Their vocabulary."""
        path = self.weights.with_suffix(".tokenizer.json")
        return path if path.is_file() else None

    def fitted(self, settings: S) -> S:
        """Settings of a recipe, in which sizes, pictures and words are those of the weights.

        Raises:
            TrainingError: what lies beside the weights does not go with them.
        """
        told = {k: v for k, v in self.recipe.settings.items() if k in self.recipe.network}
        kinds = get_type_hints(type(settings))
        models = import_module(f"t2i.models.{self.recipe.system}")
        try:
            own = {key: decode(kinds[key], value) for key, value in told.items() if key in kinds}
            sizes = decode(models.Settings, self.recipe.network)
        except RecordError as error:
            raise TrainingError(
                f"{self.weights.with_suffix('.json')} is damaged: {error}",
                hint="keep the weights again: --save-weights of `t2i-export`",
            ) from None
        terminal.say(f"sizes and words are those of {self.weights}")
        images = replace(settings.data, **self._data(settings, sizes))  # type: ignore[attr-defined]
        return replace(settings, data=images, **own)  # type: ignore[type-var]

    def _data(self, settings: Any, sizes: Any) -> dict[str, Any]:
        """What the networks say of pictures and captions."""
        changed: dict[str, Any] = {}
        if settings.data.tokens:
            changed["tokens"] = self.recipe.text.length
        if self.words and not settings.data.characters:
            changed["vocabulary"] = str(self.words)
        if not hasattr(settings, "image_px"):  # else the networks see any size
            for name in ("stages_px", "drawn_px", "image_px"):
                if hasattr(sizes, name):
                    px = getattr(sizes, name)
                    return {**changed, "px": px if isinstance(px, tuple) else (px,)}
        return changed


def beside(weights: Path | None, system: str) -> Kept | None:
    """What lies beside weights to start from; None where nothing does, as beside a run's.

    Raises:
        UsageError: they are another system's.
        TrainingError: it is damaged.
    """
    recipe = weights and weights.with_suffix(".json")
    if not (weights and recipe and recipe.is_file()):
        return None
    kept = Kept(weights, runs.read_recipe(recipe))
    if kept.recipe.system != system:
        raise UsageError(
            f"{weights} holds weights of {kept.recipe.system}, not of {system}",
            hint=f"t2i-train {kept.recipe.system} --weights {weights}",
        )
    return kept


def held(name: str, weights: Path, recipe: runs.Recipe) -> Mapping[str, str]:
    """Where the networks of a prerequisite lie in the weights of a system that needs it.

    Nothing where it is no such system, or they hold none of these networks.

    Raises:
        UsageError: they hold some of them.
    """
    needs = recipe_of(recipe.system).NEEDS
    used = [each for each in needs if each in recipe.needs] or needs  # official weights tell none
    if name not in HELD or name not in used:
        return {}
    known = names(weights)
    missing = [
        prefix
        for prefix, place in HELD[name].items()
        if not any(each.startswith(f"{place}.") for each in known)
    ]
    if not missing:
        return HELD[name]
    if len(missing) == len(HELD[name]):
        return {}
    raise UsageError(
        f"{weights} holds a part of {name}, and lacks its network {' and '.join(missing)}",
        hint=f"pass the whole by --with {name}=FILE: a run, or what `t2i-export {name} "
        "--save-weights` kept of the files that belong to these weights",
    )


def names(weights: Path) -> Iterable[str]:
    """What the tensors of weights are called; none of them is read.

    Raises:
        TrainingError: it is no whole safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="numpy") as file:
            return list(file.keys())
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"{weights} cannot be read: {error}", hint="pass a whole .safetensors file"
        ) from None
