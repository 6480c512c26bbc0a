"""Trained networks, read back from a run folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from t2i.export.official.kinds import OFFICIAL
from t2i.export.official.table import PUBLISHED
from t2i.models import renames
from t2i.models.catalog import CATALOG
from t2i.runtime import runs
from t2i.runtime.errors import ExportError, UsageError, did_you_mean
from t2i.runtime.records import RecordError, decode, encode
from t2i.runtime.text import vocabulary_size


@dataclass(frozen=True)
class Trained:
    """One run: its networks in eval mode, and all that the manifest says of them."""

    run: runs.Run
    sizes: Any
    """Settings of the networks: those of the system's file in `models/`."""
    networks: dict[str, nn.Module]
    """By prefix, as `networks()` of the system's file in `models/` names them."""
    tokenizer: bytes
    official: bool = False
    """Whether it was official code that trained them."""
    pixels: Literal["truncate", "round"] | None = None
    """How that code makes bytes of pictures; None: as the system's exporter says."""

    @property
    def name(self) -> str:
        """What its bundle is called, but for the precision."""
        recipe = self.recipe
        return recipe.system if recipe.preset == OFFICIAL else f"{recipe.system}-{recipe.preset}"

    @property
    def recipe(self) -> runs.Recipe:
        return self.run.recipe

    @property
    def vocabulary(self) -> int:
        """Token ids, those of the padding and the unknown word included."""
        return vocabulary_size(self.tokenizer)


def find_run(system: str, folder: Path | None) -> runs.Run:
    """The run asked for, else the newest finished one, else the one that ships.

    Raises:
        UsageError: there is no such system, or the folder holds a run of another one.
        ExportError: there is no run to take.
    """
    if system not in CATALOG:
        raise UsageError(f"there is no system {system!r}", hint=did_you_mean(system, CATALOG))
    if folder is not None:
        run = runs.Run(folder)
        if run.recipe.system != system:
            raise UsageError(
                f"{folder} is a run of {run.recipe.system}",
                hint=f"t2i-export {run.recipe.system} --run {folder}",
            )
        return run
    if found := runs.newest(system) or runs.shipped(system):
        return found
    if begun := runs.newest(system, finished=False):
        raise ExportError(
            f"{begun.folder} is not finished, and no other run of {system} is here or ships",
            hint=f"t2i-train {system} --resume, or export it as it is with --run {begun.folder}",
        )
    hint = f"train one first: t2i-train {system} --preset toy"
    if system in PUBLISHED:
        hint = f"pass official weights by --weights FILE, or {hint}"
    raise ExportError(
        f"there is no run of {system} in {runs.RUNS}, and none ships",
        hint=hint,
    )


def load(run: runs.Run) -> Trained:
    """Build the networks of a run and fill them; weights kept as fp16 become float32.

    Raises:
        ExportError: the weights are missing, damaged, or do not fit.
    """
    recipe, tokenizer = run.recipe, run.tokenizer
    if not run.weights.is_file():
        raise ExportError(
            f"{run.folder} has no {runs.WEIGHTS}",
            hint="a run has it once its training is over: t2i-train --resume goes on with it",
        )
    models = import_module(f"t2i.models.{recipe.system}")
    try:
        sizes = decode(models.Settings, recipe.network)
        weights = load_file(run.weights)
    except (RecordError, SafetensorError, OSError) as error:
        raise ExportError(
            f"{run.folder} cannot be exported: {error}",
            hint="it is damaged, or of another version: take another run, or train again",
        ) from error
    if max(_numbers(encode(sizes)), default=0) > run.weights.stat().st_size:
        raise ExportError(
            f"{run.folder} tells of a network that is larger than its {runs.WEIGHTS}",
            hint="it is damaged: take another run, or train again",
        )
    trained = Trained(run, sizes, _filled(models, sizes, weights), tokenizer)
    words = getattr(sizes, "vocabulary", None)  # some networks read none
    if words is not None and trained.vocabulary != words:
        raise ExportError(
            f"{run.folder} has {trained.vocabulary} words in {runs.TOKENIZER} and networks that "
            f"read {words}",
            hint="a run fits only the vocabulary it was trained with: put its own file back",
        )
    return trained


def _filled(models: Any, sizes: Any, weights: Mapping[str, Tensor]) -> dict[str, nn.Module]:
    """
    Raises:
        ExportError: the weights do not fit.
    """
    own: dict[str, dict[str, Tensor]] = {}
    for prefix, network in hollow(models, sizes).items():
        start = f"{prefix}."
        found = {k.removeprefix(start): v for k, v in weights.items() if k.startswith(start)}
        renames.check(network, {name: tuple(each.shape) for name, each in found.items()})
        own[prefix] = found
    networks: dict[str, nn.Module] = models.networks(sizes)
    for prefix, network in networks.items():
        renames.load(network, own[prefix])
        network.eval().requires_grad_(requires_grad=False)
    return networks


def hollow(models: Any, sizes: Any) -> dict[str, nn.Module]:
    """Networks of these sizes without their numbers, for which nothing is allocated.

    What a stranger's file says of one layer decides the sizes of others: so shapes are compared
    with these first.

    Raises:
        ExportError: there are none.
    """
    nonsense = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError, UsageError)
    try:
        with torch.device("meta"):
            networks: dict[str, nn.Module] = models.networks(sizes)
    except nonsense as error:
        reason, *_ = str(error).splitlines() or [type(error).__name__]
        raise ExportError(
            f"there is no network of these sizes: {reason}",
            hint="the file is damaged, or of a variant that is not known here",
        ) from error
    return networks


def _numbers(value: Any) -> Iterator[int]:
    """All whole numbers in a record."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _numbers(each)
