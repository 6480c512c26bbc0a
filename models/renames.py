"""Official checkpoints into our networks: tables of names, and weights that fit or are refused.

A table maps an official name, or its beginning up to a dot, to ours: `{"ca_net.fc":
"condition.project.0"}` renames `ca_net.fc.weight` and `ca_net.fc.bias`. What it maps to "" is left
out: it is of no use to our network.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TypeVar

import torch
from torch import Tensor, nn

from t2i.runtime.errors import ExportError

T = TypeVar("T")

NAMED = 3  # names an error lists before it only counts


def rename(official: Mapping[str, T], table: Mapping[str, str]) -> dict[str, T]:
    """The same tensors, or what stands for them, under our names.

    A leading `module.` (DataParallel) is dropped.

    Raises:
        ExportError: a name is in no row of the table.
    """
    names = {key: new_name(key, table) for key in official}
    strangers = [key for key, ours in names.items() if ours is None]
    if strangers:
        raise ExportError(
            f"the checkpoint holds weights this network has no place for: {_few(strangers)}",
            hint="is it a checkpoint of this network, and of this variant of it?",
        )
    return {ours: official[key] for key, ours in names.items() if ours}


def new_name(official: str, table: Mapping[str, str]) -> str | None:
    """Our name of an official one by the longest beginning in the table; None if there is none."""
    parts = official.removeprefix("module.").split(".")
    for end in range(len(parts), 0, -1):
        ours = table.get(".".join(parts[:end]))
        if ours is not None:
            return ".".join([ours, *parts[end:]]) if ours else ""
    return None


def old_name(ours: str, table: Mapping[str, str]) -> str:
    """The first official name that a table makes ours of; ours itself where there is none."""
    parts = ours.split(".")
    for end in range(len(parts), 0, -1):
        for official, own in table.items():
            name = ".".join([official, *parts[end:]])
            if own == ".".join(parts[:end]) and new_name(name, table) == ours:
                return name
    return ours


def load(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy weights under our names into a network, cast to the network's own types.

    Raises:
        ExportError: weights are missing, left over, or of another shape.
    """
    check(network, {key: tuple(weight.shape) for key, weight in weights.items()})
    own = network.state_dict()
    with torch.no_grad():
        for key, weight in weights.items():
            own[key].copy_(weight)


def check(
    network: nn.Module,
    shapes: Mapping[str, tuple[int, ...]],
    table: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Compare weights that are told by their shapes with those of a network.

    Args:
        table: by which they were renamed; errors give the official names.

    Counters of batches may be absent: checkpoints older than them lack them, and with a fixed
    momentum nothing reads them.

    Raises:
        ExportError: weights are missing, left over, or of another shape.
    """
    own = network.state_dict()
    missing = [k for k in own if k not in shapes and not k.endswith("num_batches_tracked")]
    left_over = [key for key in shapes if key not in own]
    if missing or left_over:
        told = (("missing", missing), ("left over", left_over))
        wrong = [
            f"{what} {_few([old_name(each, table) for each in names])}"
            for what, names in told
            if names
        ]
        raise ExportError(
            f"the weights do not fit the network: {'; '.join(wrong)}",
            hint="the settings (stages, residual blocks, variant) must be those of the training",
        )
    unequal = [
        f"{old_name(key, table)} is {shape}, not {tuple(own[key].shape)}"
        for key, shape in shapes.items()
        if shape != tuple(own[key].shape)
    ]
    if unequal:
        raise ExportError(
            f"the weights do not fit the network: {_few(unequal)}",
            hint="widths and the size of the vocabulary must be those of the training; "
            "a rebuilt vocabulary has another size and order",
        )


def _few(names: Collection[str]) -> str:
    listed = ", ".join(list(names)[:NAMED])
    return listed if len(names) <= NAMED else f"{listed} and {len(names) - NAMED} more"
