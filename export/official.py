"""Weights as official code published them, in the place of a run."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

import t2i
from t2i.export.trained import Trained, is_one_file
from t2i.models import renames
from t2i.models.catalog import CATALOG
from t2i.runtime import runs
from t2i.runtime.errors import ExportError, UsageError, did_you_mean
from t2i.runtime.records import encode

PRESET = "official"


@dataclass(frozen=True)
class Official(runs.Run):
    """One file of weights, told as a run is."""

    file: Path
    made: runs.Recipe

    @property
    def recipe(self) -> runs.Recipe:
        return self.made

    @property
    def weights(self) -> Path:
        return self.file

    @property
    def tokenizer(self) -> bytes:
        return b""

    @property
    def scores(self) -> tuple[Any, ...]:
        return ()


def load(system: str, file: Path) -> Trained:
    """The official network of a system, at the official sizes, filled from a file.

    Raises:
        UsageError: there is no such system, or it is more than what one file of weights holds.
        ExportError: the file cannot be read, or holds the weights of something else.
    """
    if system not in CATALOG:
        raise UsageError(f"there is no system {system!r}", hint=did_you_mean(system, CATALOG))
    if not is_one_file(system):
        raise UsageError(
            f"--weights: {system} is more than a file of weights tells",
            hint=f"begin a training with it, `t2i-train {system} --weights FILE`, and export that",
        )
    models: Any = import_module(f"t2i.models.{system}")
    sizes = models.Settings()
    networks = models.networks(sizes)
    ((prefix, network),) = networks.items()
    renames.load(network, renames.rename(read_weights(file), models.RENAMES[prefix]))
    network.eval().requires_grad_(requires_grad=False)
    recipe = runs.Recipe(
        schema=runs.SCHEMA,
        version=t2i.__version__,
        system=system,
        preset=PRESET,
        settings={},
        network=encode(sizes),
        text=runs.TextSettings(0, "drop"),
        classes=(),
        data={"weights": file.name},
        needs={},
        images_seen=0,
        steps=0,
        finished=True,
        facing=None,
    )
    return Trained(Official(file.parent, file, recipe), sizes, networks, b"", official=True)


def read_weights(file: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors`, or of what `torch.save` wrote, by name; no code is run.

    Raises:
        ExportError: it cannot be read, or holds something else.
    """
    try:
        if file.suffix == ".safetensors":
            state: Any = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, UnpicklingError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "it ends too early"
        raise ExportError(
            f"{file} cannot be read as weights: {reason.splitlines()[0]}",
            hint="pass the file as it was published: a flat table of tensors, .pth or .safetensors",
        ) from error
    if not (isinstance(state, dict) and all(isinstance(each, Tensor) for each in state.values())):
        raise ExportError(
            f"{file} holds more than named tensors",
            hint="pass a flat table of tensors: torch.save(network.state_dict(), FILE)",
        )
    return state
