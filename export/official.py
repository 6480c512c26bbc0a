"""Weights as official code published them, in the place of a run."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

import t2i
from t2i.export.trained import Trained, is_one_file
from t2i.models import renames
from t2i.models.catalog import CATALOG
from t2i.runtime import runs
from t2i.runtime.errors import ExportError, UsageError, did_you_mean
from t2i.runtime.records import encode

PRESET = "official"


@dataclass(frozen=True)
class Published:
    """What official files hold."""

    sizes: Any
    networks: dict[str, nn.Module]
    """By prefix, filled."""
    weights: Path
    """The file whose hash tells them from others."""
    tokenizer: bytes = b""
    length: int = 0
    """Most tokens of a caption."""


@dataclass(frozen=True)
class Official(runs.Run):
    """Official weights, told as a run is."""

    published: Published
    made: runs.Recipe

    @property
    def recipe(self) -> runs.Recipe:
        return self.made

    @property
    def weights(self) -> Path:
        return self.published.weights

    @property
    def tokenizer(self) -> bytes:
        return self.published.tokenizer

    @property
    def scores(self) -> tuple[Any, ...]:
        return ()


def load(system: str, path: Path) -> Trained:
    """The official networks of a system, at an official size, filled from what was published.

    Where that is more than one file of one network, the system's file in `export/` reads it, in a
    function `published`.

    Raises:
        UsageError: there is no such system, or it is more than what was published tells.
        ExportError: a file cannot be read, or holds the weights of something else.
    """
    if system not in CATALOG:
        raise UsageError(f"there is no system {system!r}", hint=did_you_mean(system, CATALOG))
    column: Any = import_module(f"t2i.export.{system}")
    if is_one_file(system):
        found = _one_file(system, path)
    elif hasattr(column, "published"):
        found = column.published(path)
    else:
        raise UsageError(
            f"--weights: {system} is more than a file of weights tells",
            hint=f"begin a training with it, `t2i-train {system} --weights FILE`, and export that",
        )
    for network in found.networks.values():
        network.eval().requires_grad_(requires_grad=False)
    recipe = runs.Recipe(
        schema=runs.SCHEMA,
        version=t2i.__version__,
        system=system,
        preset=PRESET,
        settings={},
        network=encode(found.sizes),
        text=runs.TextSettings(found.length, "keep" if found.length else "drop"),
        classes=(),
        data={"weights": path.name},
        needs={},
        images_seen=0,
        steps=0,
        finished=True,
        facing=None,
    )
    run = Official(path.parent, found, recipe)
    return Trained(run, found.sizes, found.networks, found.tokenizer, official=True)


def _one_file(system: str, file: Path) -> Published:
    models: Any = import_module(f"t2i.models.{system}")
    sizes = models.Settings()
    networks = models.networks(sizes)
    ((prefix, network),) = networks.items()
    renames.load(network, renames.rename(read_weights(file), models.RENAMES[prefix]))
    return Published(sizes, networks, file)


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
