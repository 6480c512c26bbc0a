"""What `t2i-train` does once its arguments are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2i.runtime import runs
from t2i.runtime.errors import DataError, TrainingError, UsageError, did_you_mean
from t2i.runtime.records import RecordError, decode, encode
from t2i.train import data, precision, training
from t2i.train.data.check import Report, check
from t2i.train.data.classes import holds_classes
from t2i.train.data.settings import SPLITS
from t2i.train.data.write import write
from t2i.train.folder import next_folder, refuse_full
from t2i.train.kept import Kept, beside, held, names
from t2i.train.prerequisites import Found, Plan, check_given, plan
from t2i.train.rehearsal import rehearse
from t2i.train.settings import change, check_settings, listed
from t2i.train.systems import needed, preset_of, settings_type

if TYPE_CHECKING:
    import torch

    from t2i.train.data.dataset import Dataset

PRESET = "birds"


@dataclass(frozen=True)
class Order:
    """The command line."""

    system: str
    preset: str | None = None
    data: Path | None = None
    given: Mapping[str, Path] = field(default_factory=dict)
    """Prerequisites: `--with`."""
    weights: Path | None = None
    out: Path | None = None
    resume: bool = False
    device: str = "auto"
    precision: str | None = None
    changes: tuple[str, ...] = ()
    """`--set`."""

    @cached_property
    def kept(self) -> Kept | None:
        """What lies beside the weights to start from."""
        return beside(self.weights, self.system)

    def settings(self) -> Any:
        """All settings of a new run."""
        settings = preset_of(self.system, self.preset or PRESET)
        return self.changed(self.kept.fitted(settings) if self.kept else settings)

    def changed(self, settings: Any) -> Any:
        if self.data is not None:
            kind = kind_of(self.data)
            where = replace(settings.data, kind=kind, folder=str(self.data))
            settings = replace(settings, data=where)
        chosen = [] if self.precision is None else [f"loop.precision={self.precision}"]
        return change(settings, [*chosen, *self.changes])


def kind_of(folder: Path) -> str:
    """Which layout a data folder has.

    Raises:
        DataError: there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}", hint="pass --data the folder of pictures")
    if (folder / "CUB_200_2011").is_dir():
        return "cub"
    return "classes" if holds_classes(folder) else "folder"


def train(order: Order) -> runs.Run:
    """Train, or go on with a run."""
    device = precision.choose_device(order.device)
    if order.resume:
        return _resume(order, device)
    wanted, _ = _prepare(order, device)
    return training.train(wanted, training.Start(device, order.out, order.weights))


def _prepare(order: Order, device: "torch.device") -> "tuple[Plan, Dataset]":
    """Everything that can go wrong before a folder is made."""
    settings = order.settings()
    if order.weights:
        names(order.weights)
    precision.check_precision(settings.loop.precision, device)
    check_settings(settings.loop)
    check_given(order.system, order.given)
    refuse_full(order.out)
    given = {**_held(order, settings), **order.given}
    dataset = data.open(settings.data, ready=False)
    return plan(order.system, order.preset or PRESET, settings, given, dataset), dataset


def _held(order: Order, settings: Any) -> dict[str, Path]:
    """Prerequisites that lie in the weights to start from."""
    if not (order.weights and order.kept):
        return {}
    wanted = needed(order.system, settings).keys() - order.given.keys()
    return {name: order.weights for name in wanted if held(name, order.weights, order.kept.recipe)}


def _resume(order: Order, device: "torch.device") -> runs.Run:
    run = _unfinished(order)
    recipe = run.recipe
    if recipe.system != order.system:
        raise UsageError(
            f"{run.folder} is a run of {recipe.system}",
            hint=f"t2i-train {recipe.system} --out {run.folder} --resume",
        )
    if order.preset not in (None, recipe.preset):
        raise UsageError(
            f"{run.folder} has preset {recipe.preset}", hint="leave out --preset with --resume"
        )
    if order.given or order.weights:
        raise UsageError(
            "a run that goes on has its weights", hint="leave out --with and --weights"
        )
    try:
        settings = decode(settings_type(order.system), recipe.settings)
    except RecordError as error:
        raise TrainingError(
            f"{run.folder} was begun with other settings than this version knows: {error}",
            hint="start another run",
        ) from None
    if settings.data.vocabulary:  # the file may be gone, and the run has a copy
        words = replace(settings.data, vocabulary=str(run.folder / runs.TOKENIZER))
        settings = replace(settings, data=words)
    wanted = Plan(order.system, recipe.preset, order.changed(settings), {})
    return training.resume(run, wanted, device)


def _unfinished(order: Order) -> runs.Run:
    if order.out is not None:
        return runs.Run(order.out)
    run = runs.newest(order.system, finished=False)
    if run is None:
        raise UsageError(
            f"there is no unfinished run of {order.system} in {runs.RUNS}",
            hint="pass its folder with --out, or leave out --resume to start one",
        )
    return run


def check_data(order: Order) -> Report:
    """Look through the data."""
    settings = order.settings()
    return check(settings.data, batch_size=settings.loop.batch_size)


def write_data(order: Order, folder: Path, split: str) -> dict[str, Any]:
    """Write drawn birds out as an imagefolder, with all that is known of them; what it holds.

    Raises:
        UsageError: there is no such split, or these settings draw no birds.
        DataError: the folder exists.
    """
    settings = order.settings().data
    if settings.kind != "birds":
        raise UsageError(
            "only drawn birds can be written out", hint="leave out --data, and pass --preset birds"
        )
    chosen = [each for each in SPLITS if each == split]
    if not chosen:
        raise UsageError(f"there is no split {split!r}", hint=did_you_mean(split, SPLITS))
    write(settings, folder, chosen[0])
    return {"folder": str(folder), "split": split, "pictures": settings.count}


def summary(run: runs.Run) -> dict[str, Any]:
    """A trained run as a record."""
    recipe = run.recipe
    return {
        "system": recipe.system,
        "preset": recipe.preset,
        "run": str(run.folder),
        "steps": recipe.steps,
        "images_seen": recipe.images_seen,
        "finished": recipe.finished,
    }


def dry_run(order: Order) -> dict[str, Any]:
    """What would be trained, as a record. Nothing is written."""
    device = precision.choose_device(order.device)
    wanted, dataset = _prepare(order, device)
    return {
        "system": order.system,
        "preset": wanted.preset,
        "device": device.type,
        "run": str(order.out or next_folder(order.system, wanted.preset)),
        "needs": {name: _told(need) for name, need in wanted.needs.items()},
        "parameters": rehearse(wanted, dataset),
        "data": dataset.describe(),
        "settings": {path: encode(value) for path, _, value in listed(wanted.settings)},
    }


def _told(need: Found | Plan) -> dict[str, Any]:
    if isinstance(need, Found):
        return {"from": need.origin}
    return {
        "trained first": need.preset,
        "steps": need.settings.loop.steps,
        "needs": {name: _told(each) for name, each in need.needs.items()},
    }
