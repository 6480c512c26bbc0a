"""The tables of named tensors in a checkpoint, however it wraps them."""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from t2i.export.official import luaencoder, luagenerator
from t2i.export.official.legacy import Legacy
from t2i.export.official.natures import Damaged, Nature, explained, nature_of
from t2i.export.official.pickles import StandIn
from t2i.export.official.stored import SAFE_DTYPES, Storage, Stored, Table
from t2i.export.official.tensorflow import checkpoint as tensorflow
from t2i.export.official.torch7 import Torch7
from t2i.export.official.zips import Zip
from t2i.runtime.errors import ExportError

DEEPEST, MOST = 64, 50_000
"""Levels of a checkpoint within each other, and values that are looked at: real ones have a few
levels, and some thousands of tensors."""

Entries = dict[str, Stored]


@dataclass(frozen=True)
class Checkpoint:
    """What a file of weights holds."""

    path: Path
    format: str
    """How it was written, in words."""
    tables: Mapping[str, Table]
    """By the names that lead to each, joined by dots; "" is the whole file."""


class Source(Protocol):
    """A file that is open: its values, and the numbers of its tensors."""

    format: str
    tree: Any

    def numbers(self, storage: Storage) -> Tensor: ...


READERS: dict[Nature, Callable[[Path], Source]] = {"zip": Zip, "pickle": Legacy, "torch7": Torch7}


def open_checkpoint(path: Path) -> Checkpoint:
    """Find the tensors of a file by name and shape, without reading them.

    Raises:
        ExportError: it is damaged, would run code, or holds no tensors by name.
    """
    with explained(path):
        if index := tensorflow.find(path):
            return _tensorflow(index)
    nature = nature_of(path)
    with explained(path):
        if nature == "safetensors":
            return _safetensors(path)
        source = READERS[nature](path)
        tables = dict(Walk().tables(source.tree))
    if not tables:
        raise ExportError(
            f"{path} holds no tensors by name, but {_described(source.tree)}",
            hint="pass a table of weights: torch.save(network.state_dict(), FILE)",
        )
    read = _reader(path, source.numbers)
    return Checkpoint(
        path, source.format, {name: Table(each, read) for name, each in tables.items()}
    )


class Walk:
    """A way through the values of a checkpoint, which ends however they refer to each other."""

    def __init__(self) -> None:
        self.left = MOST

    def tables(self, value: Any, *path: str) -> Iterator[tuple[str, Entries]]:
        """Every table and the names that lead to it; those of optimisers are left out.

        Raises:
            Damaged: there is no end of values.
        """
        self._step(path)
        if isinstance(value, StandIn):
            known = dict(luaencoder.layers(value)) or dict(luagenerator.layers(value))
            if entries := known or dict(self._network(value)):
                yield ".".join(path), entries
        elif isinstance(value, dict) and not is_optimiser(value):
            named = {name: each for name, each in value.items() if isinstance(name, str)}
            entries = {name: each for name, each in named.items() if isinstance(each, Stored)}
            if entries:
                yield ".".join(path), entries
            for name, each in named.items():
                yield from self.tables(each, *path, name)

    def _network(self, network: StandIn, *path: str) -> Iterator[tuple[str, Stored]]:
        """The tensors of a network that was pickled whole, named as its state dict names them."""
        self._step(path)
        state = network.state if isinstance(network.state, dict) else {}
        registered = ("_parameters", "_buffers", "_modules")
        # In a TorchScript archive they are attributes like others.
        groups = [state[each] for each in registered if each in state] or [state]
        for group in groups:
            for name, value in group.items() if isinstance(group, dict) else ():
                if isinstance(value, Stored):
                    yield ".".join((*path, str(name))), value
                elif isinstance(value, StandIn):
                    yield from self._network(value, *path, str(name))
                elif name == "modules" and isinstance(value, dict):  # of Torch7
                    for place, each in value.items():
                        if isinstance(each, StandIn):
                            yield from self._network(each, *path, str(place))

    def _step(self, path: tuple[str, ...]) -> None:
        self.left -= 1
        if self.left < 0 or len(path) > DEEPEST:
            raise Damaged("its values are nested in each other without end")


def is_optimiser(value: Any) -> bool:
    return isinstance(value, dict) and {"state", "param_groups"} <= value.keys()


def _described(tree: Any) -> str:
    """What a checkpoint without tensors is."""
    within = tree.values() if isinstance(tree, dict) else ()
    if any(map(is_optimiser, (tree, *within))):
        return "the state of an optimiser"
    if isinstance(tree, list) and [type(each) for each in tree[2:]] == [dict, dict]:
        return "captions and their vocabulary, which --vocabulary takes"
    if isinstance(tree, StandIn):
        return f"a {type(tree).__name__}"
    if isinstance(tree, dict):
        names = ", ".join(str(each)[:40] for each in list(tree)[:3])
        return f"a dictionary of {names}" if tree else "an empty dictionary"
    return f"a {type(tree).__name__}"


def _reader(path: Path, numbers: Callable[[Storage], Tensor]) -> Callable[[Stored], Tensor]:
    """Reads tensors; the storage that was read last is kept, for tensors that share one."""
    kept: list[tuple[Storage, Tensor]] = []

    def read(stored: Stored) -> Tensor:
        if not (kept and kept[0][0] is stored.storage):
            kept.clear()
            with explained(path):
                kept.append((stored.storage, _numbers(stored.storage, numbers)))
        return stored.of(kept[0][1])

    return read


def _numbers(storage: Storage, numbers: Callable[[Storage], Tensor]) -> Tensor:
    return numbers(storage) if storage.held is None else storage.filled(io.BytesIO(storage.held))


def _safetensors(path: Path) -> Checkpoint:
    try:
        file = safe_open(path, framework="pt")
        entries = {}
        names = file.keys()  # which are all that can be iterated
        for name in names:
            part = file.get_slice(name)
            shape, dtype = tuple(part.get_shape()), SAFE_DTYPES.get(part.get_dtype())
            if dtype is None:
                raise Damaged(f"{name} in it is of the type {part.get_dtype()}")
            entries[name] = Stored.whole(name, dtype, shape)
    except SafetensorError as error:
        raise Damaged(str(error)) from error
    if not entries:
        raise Damaged("it holds no tensors")

    def read(stored: Stored) -> Tensor:
        with explained(path):
            return file.get_tensor(stored.storage.key)

    return Checkpoint(path, "a safetensors file", {"": Table(entries, read)})


def _tensorflow(index: Path) -> Checkpoint:
    """Variables and, under the same names, their averages; dots take the place of slashes.

    What else is named after a variable is its optimiser's, and left out.
    """
    variables = tensorflow.read(index)
    plain = {name: name for name in variables if name.rpartition("/")[0] not in variables}
    averages = {name: f"{name}/ExponentialMovingAverage" for name in plain}
    found = {"ema": {k: v for k, v in averages.items() if v in variables}, "": plain}

    def read(stored: Stored) -> Tensor:
        return torch.from_numpy(variables[stored.storage.key].copy())

    def table(names: Mapping[str, str]) -> Table:
        entries = {
            name.replace("/", "."): Stored.whole(held, torch.float32, variables[held].shape)
            for name, held in names.items()
        }
        return Table(entries, read)

    tables = {name: table(names) for name, names in found.items() if names}
    if not tables:
        raise Damaged("it holds no tensors of float32")
    return Checkpoint(index, "a checkpoint of TensorFlow", tables)
