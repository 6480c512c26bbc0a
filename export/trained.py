"""Trained networks, read back from a run folder."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from t2i.models import renames
from t2i.models.catalog import CATALOG
from t2i.runtime import runs
from t2i.runtime.errors import ExportError, UsageError, did_you_mean
from t2i.runtime.records import RecordError, decode


@dataclass(frozen=True)
class Trained:
    """One run: its networks in eval mode, and all that the manifest says of them."""

    run: runs.Run
    networks: dict[str, nn.Module]
    """By prefix, as `networks()` of the system's file in `models/` names them."""
    sizes: Any
    """Settings of the networks."""

    @property
    def recipe(self) -> runs.Recipe:
        return self.run.recipe


def find_run(system: str, folder: Path | None) -> runs.Run:
    """The run asked for, else the newest finished one, else the one that ships.

    Raises:
        UsageError: there is no such system, or no run of it.
        ExportError: the folder holds a run of another system.
    """
    if system not in CATALOG:
        raise UsageError(f"there is no system {system!r}", hint=did_you_mean(system, CATALOG))
    if folder is not None:
        run = runs.Run(folder)
        if run.recipe.system != system:
            raise ExportError(
                f"{folder} is a run of {run.recipe.system}",
                hint=f"t2i-export {run.recipe.system} --run {folder}",
            )
        return run
    found = runs.newest(system) or runs.shipped(system)
    if found is None:
        raise ExportError(
            f"there is no finished run of {system} here, and none ships",
            hint=f"train one first: t2i-train {system}",
        )
    return found


def load(run: runs.Run) -> Trained:
    """Build the networks of a run and fill them; weights kept as fp16 become float32.

    Raises:
        ExportError: the weights are missing, damaged, or do not fit.
    """
    recipe = run.recipe
    models = import_module(f"t2i.models.{recipe.system}")
    try:
        sizes = decode(models.Settings, recipe.network)
        with torch.device("cpu"):
            weights = load_file(run.weights)
    except (RecordError, SafetensorError, OSError) as error:
        raise ExportError(
            f"{run.folder} cannot be exported: {error}",
            hint="pass the folder that `t2i-train` printed, once it has written a checkpoint",
        ) from error
    networks: dict[str, nn.Module] = models.networks(sizes)
    for prefix, network in networks.items():
        start = f"{prefix}."
        own = {k.removeprefix(start): v for k, v in weights.items() if k.startswith(start)}
        renames.load(network, own)
        network.eval().requires_grad_(requires_grad=False)
    return Trained(run, networks, sizes)
