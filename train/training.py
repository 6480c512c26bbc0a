"""From a plan to a trained run: prerequisites, run folder, recipe, loop."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import t2i
from t2i.models.catalog import CATALOG
from t2i.runtime import runs, terminal
from t2i.runtime.errors import TrainingError, UsageError, did_you_mean
from t2i.runtime.records import encode
from t2i.train import data
from t2i.train.folder import RunFolder, make_folder, prefixed
from t2i.train.lock import held
from t2i.train.loop import Loop
from t2i.train.prerequisites import (
    Found,
    Needed,
    Plan,
    bring,
    described,
    load,
    load_brought,
    read_state,
)
from t2i.train.recipe import Recipe, Telling
from t2i.train.systems import needed, recipe_of

if TYPE_CHECKING:
    from t2i.train.data.dataset import Dataset

STREAMS = 64
"""Pictures never trained on that a run keeps, as captions and tokens."""
CAPTIONS = 128
"""Captions trained on that a run keeps."""


@dataclass(frozen=True)
class Start:
    """How one training begins, besides its plan."""

    device: torch.device
    out: Path | None = None
    weights: Path | None = None
    """Weights to start from."""


def train(plan: Plan, start: Start) -> runs.Run:
    """Train what a plan says, prerequisites first, each in a run folder of its own.

    Raises:
        TrainingError: a loss is not finite, or weights do not fit.
        KeyboardInterrupt: somebody asked to stop; the run can be resumed.
    """
    found = {name: _have(name, need, plan, start) for name, need in plan.needs.items()}
    dataset = data.open(plan.settings.data)
    wanted = needed(plan.system, plan.settings)
    needs = {name: load(each, name, dataset, wanted[name]) for name, each in found.items()}
    recipe = build(plan, dataset, needs, start.device)
    if start.weights is not None:
        begin_with(recipe, start.weights)
    folder = make_folder(plan.system, plan.preset, start.out)
    with held(folder):
        terminal.say(f"{plan.system}, preset {plan.preset}, on {start.device.type}: {folder}")
        brought = {name: bring(each, name, folder) for name, each in found.items()}
        run = RunFolder(folder, record(plan, recipe, dataset, brought))
        run.begin(dataset.tokenizer)
        keep_streams(run, recipe, dataset, start.device)
        keep_captions(run, dataset)
        loop = Loop(recipe, dataset, plan.settings.loop, start.device, run)
        if start.weights is not None:
            loop.checkpoint()  # to resume, the file is not needed again
        return _trained(loop)


def _have(name: str, need: Found | Plan, plan: Plan, start: Start) -> Found:
    if isinstance(need, Found):
        terminal.say(f"{plan.system} takes its {name} from {need.origin}")
        return need
    terminal.say(f"{plan.system} needs {name}, which is trained first")
    try:
        run = train(need, Start(start.device))
    except KeyboardInterrupt:
        terminal.say(f"once {name} is trained, repeat the command for {plan.system}")
        raise
    return Found(run.weights, run.folder / runs.RECIPE, run.folder.as_posix())


def resume(run: runs.Run, plan: Plan, device: torch.device) -> runs.Run:
    """Go on with a run from its newest whole checkpoint.

    Raises:
        TrainingError: no checkpoint is whole, or the checkpoints do not fit the settings.
    """
    with held(run.folder):
        terminal.say(f"{plan.system}, preset {plan.preset}, on {device.type}: {run.folder}")
        dataset = data.open(plan.settings.data)
        if dataset.tokenizer != run.tokenizer:
            raise TrainingError(
                f"the captions are not those that {run.folder} began with",
                hint="give it the data it began with, or start another run",
            )
        wanted = needed(plan.system, plan.settings)
        needs = load_brought(run.folder, run.recipe.needs, dataset, wanted)
        recipe = build(plan, dataset, needs, device)
        folder = RunFolder(run.folder, record(plan, recipe, dataset, run.recipe.needs))
        keep_streams(folder, recipe, dataset, device)
        keep_captions(folder, dataset)
        loop = Loop(recipe, dataset, plan.settings.loop, device, folder)
        loop.resume()
        terminal.say(f"going on after step {loop.step} of {loop.settings.steps}")
        return _trained(loop)


def _trained(loop: Loop) -> runs.Run:
    try:
        loop.train()
    except KeyboardInterrupt:
        system, path = loop.run.recipe.system, loop.run.path
        terminal.warn(
            f"stopped; {path} has all up to step {loop.saved}",
            hint=f"t2i-train {system} --out {path} --resume",
        )
        raise
    return runs.Run(loop.run.path)


def keep_streams(run: RunFolder, recipe: Recipe, dataset: "Dataset", device: torch.device) -> None:
    """Let a run that teaches to tell pictures in tokens have some that are not trained on."""
    if isinstance(recipe, Telling) and not (run.path / runs.STREAMS).is_file():
        run.keep_streams(recipe.streams(dataset.fixed(STREAMS).to(device)))


def keep_captions(run: RunFolder, dataset: "Dataset") -> None:
    """Let a run that learns to draw captions have some, to which eight bits are fitted."""
    draws = CATALOG[run.recipe.system].pipeline == "gan"
    told = draws and dataset.settings.condition == "caption" and dataset.captioned
    if not told or (run.path / runs.CAPTIONS).is_file():
        return
    count = min(CAPTIONS, len(told))
    captions = dataset.batch(0, count, seed=0).captions
    run.keep_captions([" ".join(each.split()) for each in captions])


def build(
    plan: Plan, dataset: "Dataset", needs: Mapping[str, Needed], device: torch.device
) -> Recipe:
    """Build a recipe; its first weights are drawn from the run's seed.

    Raises:
        UsageError: there is nothing to a network.
    """
    loop = plan.settings.loop
    if loop.threads is not None:
        torch.set_num_threads(loop.threads)
    torch.manual_seed(loop.seed)
    try:
        return recipe_of(plan.system).build(plan.settings, dataset.source(), needs, device)
    except ZeroDivisionError as error:
        raise UsageError(
            f"these settings leave nothing of a network of {plan.system}",
            hint="a size that --set names must be 1 at least",
        ) from error


def record(plan: Plan, recipe: Recipe, dataset: "Dataset", needs: Mapping[str, Any]) -> runs.Recipe:
    """What `recipe.json` says before the first step."""
    return runs.Recipe(
        schema=runs.SCHEMA,
        version=t2i.__version__,
        system=plan.system,
        preset=plan.preset,
        settings=encode(plan.settings),
        network=encode(recipe.network),
        text=dataset.text,
        classes=dataset.classes,
        data=described(dataset),
        needs=dict(needs),
        images_seen=0,
        steps=0,
        finished=False,
        facing=dataset.facing,
    )


def first_weights(recipe: Recipe) -> dict[str, torch.Tensor]:
    """What a recipe would export before its first step; these tensors are the networks' own."""
    live = {name: player.networks for name, player in recipe.players.items()}
    return prefixed(recipe.exported(live))


def begin_with(recipe: Recipe, path: Path) -> None:
    """Start from weights named as in a run (`PREFIX.PARAMETER`) or as in one of its networks.

    Tensors that the file does not hold stay as drawn; what has no place is named in a warning.

    Raises:
        UsageError: nothing has a place, a tensor has another shape, or one is another than that of
            a prerequisite, which stays as it is.
    """
    places, learning = first_weights(recipe), _learning(recipe)
    placed, strange = 0, []
    for name, value in read_state(path).items():
        meant = [name] if name in places else [each for each in places if each.endswith(f".{name}")]
        if len(meant) != 1:
            strange.append(name)
            continue
        place = places[meant[0]]
        if place.shape != value.shape:
            raise UsageError(
                f"{path}: {name} is {tuple(value.shape)}, expected {tuple(place.shape)}",
                hint="pass weights of the same sizes, or change the sizes with --set",
            )
        if place.data_ptr() in learning:
            place.copy_(value)
        elif not torch.allclose(place.cpu(), value, rtol=1e-2, atol=1e-3):  # may have been halves
            raise UsageError(
                f"{path}: {name} is another than in what this training needs",
                hint="pass by --with what these weights were trained with",
            )
        placed += 1
    if not placed:
        raise UsageError(
            f"{path} holds nothing that this system could start from",
            hint=did_you_mean(strange[0], places) if strange else "pass weights of a run",
        )
    terminal.say(f"starting from {path}: {placed} of {len(places)} tensors")
    if strange:
        terminal.warn(f"{len(strange)} tensors of {path} have no place: {', '.join(strange[:3])} …")


def _learning(recipe: Recipe) -> set[int]:
    """Where the tensors of the players lie; others belong to prerequisites."""
    networks = [player.networks for player in recipe.players.values()]
    return {each.data_ptr() for network in networks for each in network.state_dict().values()}
