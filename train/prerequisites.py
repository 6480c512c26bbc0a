"""Weights of other systems that a training starts from: where they are taken from."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2i.runtime import runs
from t2i.runtime.bundle import Need
from t2i.runtime.errors import TrainingError, UsageError, did_you_mean
from t2i.runtime.records import RecordError, decode, dumps, encode
from t2i.train.files import sha256, write_tensors, write_whole
from t2i.train.kept import held
from t2i.train.systems import needed, needs_of, reads, recipe_of

if TYPE_CHECKING:
    from torch import Tensor

    from t2i.train.data.dataset import Dataset


@dataclass(frozen=True)
class Needed:
    """A trained prerequisite, as a recipe gets it."""

    state: "dict[str, Tensor]"
    """Its exported weights: `PREFIX.PARAMETER`, float32."""
    recipe: runs.Recipe
    sha256: str
    """Hash of its `weights.safetensors`."""
    origin: str
    """Where it comes from, for people."""


@dataclass(frozen=True)
class Found:
    """Weights that are there."""

    weights: Path
    recipe: Path
    origin: str
    within: Mapping[str, str] = field(default_factory=dict)
    """Of weights of another system, which holds it: its networks, and what begins their names."""


@dataclass(frozen=True)
class Plan:
    """What will be trained, and with what: prerequisites are found, or planned themselves."""

    system: str
    preset: str
    settings: Any
    needs: "Mapping[str, Found | Plan]"


def plan(
    system: str, preset: str, settings: Any, given: Mapping[str, Path], dataset: "Dataset"
) -> Plan:
    """Decide where each prerequisite comes from.

    The order: what is given; the newest finished run with equal settings and data; weights that
    ship with equal settings and data; a training of its own.

    Raises:
        UsageError: what is given is not what its name says.
    """
    needs: dict[str, Found | Plan] = {}
    wanted_by_name = needed(system, settings)
    for name in given.keys() & set(recipe_of(system).NEEDS) - wanted_by_name.keys():
        raise UsageError(
            f"{system} does not need {name!r} with these settings",
            hint=f"leave out --with {name}={given[name]}, or choose another --preset",
        )
    for name, wanted in wanted_by_name.items():
        inherited = {key: path for key, path in given.items() if key in set(needs_of(name))}
        needs[name] = (
            (_given(name, given[name]) if name in given else None)
            or _trained(name, wanted, dataset)
            or plan(name, _name_of(name, wanted, preset), wanted, inherited, dataset)
        )
    return Plan(system, preset, settings, needs)


def check_given(system: str, given: Iterable[str]) -> None:
    """Raises UsageError: something is given that is not needed."""
    known = set(needs_of(system))
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known) if known else f"{system} needs nothing"
            raise UsageError(f"{system} does not need {name!r}", hint=hint)


def _given(name: str, path: Path) -> Found:
    """A run folder, or weights beside their `recipe.json` (or, in a `needs/`, their NAME.json)."""
    if path.is_dir():
        weights, recipe = path / runs.WEIGHTS, path / runs.RECIPE
    else:
        beside = path.with_suffix(".json")
        weights, recipe = path, beside if beside.is_file() else path.with_name(runs.RECIPE)
    if not weights.is_file():
        raise UsageError(
            f"--with {name}={path}: there are no weights",
            hint=f"pass the folder of a run of {name}, or its {runs.WEIGHTS}",
        )
    found = runs.read_recipe(recipe)
    within = {} if found.system == name else held(name, weights, found)
    if found.system != name and not within:
        raise UsageError(
            f"--with {name}={path}: this is a {found.system}", hint=f"pass a run of {name}"
        )
    return Found(weights, recipe, str(path), within)


def _trained(name: str, wanted: Any, dataset: "Dataset") -> Found | None:
    """The newest finished run of these settings and data, else such weights that ship."""
    for run in _candidates(name):
        if alike(run.recipe, wanted, dataset) and run.weights.is_file():
            return Found(run.weights, run.folder / runs.RECIPE, _origin(run))
    return None


def _candidates(name: str) -> Iterator[runs.Run]:
    for _, folder in reversed(runs.numbered(name)):
        run = runs.Run(folder)
        try:
            if run.recipe.finished:
                yield run
        except TrainingError:  # no run, or one of a newer version
            continue
    yield from runs.all_shipped(name)


def _origin(run: runs.Run) -> str:
    if run.folder.parent == runs.SHIPPED:
        return f"shipped with t2i {run.recipe.version}"
    return run.folder.as_posix()


def alike(recipe: runs.Recipe, wanted: Any, dataset: "Dataset") -> bool:
    """Whether a run was trained with these settings on these data.

    Settings that do not change the weights (how often to log, how many threads) may differ.
    """
    try:
        settings = decode(type(wanted), recipe.settings)
    except RecordError:
        return False
    same = same_data(recipe.data, described(dataset), words=reads(recipe.system))
    return same and _essence(settings) == _essence(wanted)


def _essence(settings: Any) -> Any:
    neutral = {"sample_every": 0, "checkpoint_every": 1, "keep": 1, "threads": None}
    loop = replace(settings.loop, **neutral, workers=0, compile=False)
    # Files may have been moved; `same_data` looks at what they are.
    data = replace(settings.data, folder=None, vocabulary=None)
    return replace(settings, loop=loop, data=data)


def described(dataset: "Dataset") -> dict[str, Any]:
    """What `recipe.json` says about the data: the data's own words, and their vocabulary."""
    vocabulary = hashlib.sha256(dataset.tokenizer).hexdigest()
    return {**dataset.describe(), "vocabulary": vocabulary}


def same_data(one: Mapping[str, Any], other: Mapping[str, Any], *, words: bool) -> bool:
    """Whether two descriptions are of the same pictures, at whatever size, in the same words."""
    keys = ("kind", "renderer", "captions", "held_out", *(["vocabulary"] if words else []))
    return all(one.get(key) == other.get(key) for key in keys)


def _name_of(system: str, settings: Any, otherwise: str) -> str:
    """Name of the preset that has these settings, on whatever data."""
    for name, preset in recipe_of(system).PRESETS.items():
        if replace(preset, data=settings.data) == settings:  # type: ignore[type-var]
            return name
    return otherwise


def load(found: Found, name: str, dataset: "Dataset", wanted: Any) -> Needed:
    """Read weights that were found.

    Args:
        wanted: the settings that are wanted; official weights tell but a few of theirs.

    Raises:
        TrainingError: they are damaged, or were trained to read other words.
    """
    recipe = _recipe(found, name)
    if reads(name) and recipe.data.get("vocabulary") != described(dataset)["vocabulary"]:
        raise TrainingError(
            f"{name} ({found.origin}) was trained with another vocabulary",
            hint=f"leave out --with {name}=…, so that one is trained on these captions; or read "
            f"captions by its words: --set vocabulary=FILE, its tokenizer.json",
        )
    recipe = replace(recipe, settings={**encode(wanted), **recipe.settings})
    return Needed(_state(found), recipe, sha256(found.weights), found.origin)


def bring(found: Found, name: str, run: Path) -> Need:
    """Copy weights into `RUN/needs/`, so that the run moves as one folder."""
    copy = _copy(run, name, found.origin)
    copy.weights.parent.mkdir(exist_ok=True)
    if found.within:
        write_tensors(copy.weights, _state(found))
        write_whole(copy.recipe, dumps(_recipe(found, name)).encode())
    else:
        write_whole(copy.weights, found.weights.read_bytes())
        write_whole(copy.recipe, found.recipe.read_bytes())
    return Need(sha256(copy.weights), found.origin)


def _state(found: Found) -> "dict[str, Tensor]":
    state = read_state(found.weights)
    if not found.within:
        return state
    return {
        f"{prefix}.{name.removeprefix(place)}": value
        for prefix, start in found.within.items()
        for name, value in state.items()
        if name.startswith(place := f"{start}.")
    }


def _recipe(found: Found, name: str) -> runs.Recipe:
    recipe = runs.read_recipe(found.recipe)
    if not found.within:
        return recipe
    sizes = {each.name for each in fields(import_module(f"t2i.models.{name}").Settings)}
    network = {key: value for key, value in recipe.network.items() if key in sizes}
    return replace(recipe, system=name, settings={}, network=network)


def load_brought(
    run: Path, needs: Mapping[str, Need], dataset: "Dataset", wanted: Mapping[str, Any]
) -> dict[str, Needed]:
    """Read the prerequisites that lie in a run folder.

    Raises:
        TrainingError: one is missing, or not what the run began with.
    """
    found = {name: _copy(run, name, need.origin) for name, need in needs.items()}
    for name, need in needs.items():
        weights = found[name].weights
        if not weights.is_file() or sha256(weights) != need.sha256:
            raise TrainingError(
                f"{weights} is missing or not what the run began with",
                hint=f"put the weights of {need.origin} there again, or start another run",
            )
    return {name: load(each, name, dataset, wanted[name]) for name, each in found.items()}


def _copy(run: Path, name: str, origin: str) -> Found:
    """Where a run keeps a prerequisite."""
    folder = run / "needs"
    return Found(folder / f"{name}.safetensors", folder / f"{name}.json", origin)


def read_state(path: Path) -> "dict[str, Tensor]":
    """Weights of a safetensors file; what is stored in 16 bits becomes float32.

    Raises:
        TrainingError: it is no such file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"{path} cannot be read: {error}", hint="pass a whole .safetensors file"
        ) from None
    return {
        name: value.float() if value.is_floating_point() else value
        for name, value in tensors.items()
    }
