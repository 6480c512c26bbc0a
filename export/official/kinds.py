"""Kinds of networks that are published: told from each other by the names of their tensors."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from t2i.export.official.stored import Shape, Table
from t2i.export.official.tables import Checkpoint
from t2i.models import renames
from t2i.runtime.errors import ExportError

Shapes = Mapping[str, Shape]
Role = Literal["weights", "text-weights", "image-weights", "encoder", "detoker"]
"""The option of the command that takes a file; the last two lie beside the first, in a folder."""
NAMED = 3  # of what an error lists
OFFICIAL = "official"
"""Preset of official weights."""


@dataclass(frozen=True, eq=False)
class Kind:
    """A network as official code saves it."""

    title: str
    """What it is called in messages."""
    names: Mapping[str, str]
    """Its names -> ours: of the tables in `models/`."""
    marks: tuple[str, ...]
    """Names that it has. Relatives may have them too, and more: they are asked for first."""
    sizes: Callable[[Shapes], dict[str, Any]] = lambda shapes: {}
    """Settings of the networks, as its shapes tell them."""
    fits: Callable[[Shapes], bool] = lambda shapes: True
    """What is asked of its shapes, where names do not tell it from others."""
    amended: Mapping[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)
    """What is done to tensors of these names."""
    lacking: Callable[[nn.Module], Mapping[str, Tensor]] = lambda network: {}
    """Weights of ours that its files leave out, because they are always the same."""
    remark: Callable[[Shapes], str] = lambda shapes: ""
    """What else its shapes tell people, such as for which data it was made."""
    preset: Callable[[Shapes], str] = lambda shapes: OFFICIAL
    """What tells it from other official networks of its system."""

    def is_in(self, shapes: Shapes) -> bool:
        return all(mark in shapes for mark in self.marks) and self.fits(shapes)


@dataclass(frozen=True)
class Part:
    """A file of a system: what it must hold, and which of our networks it fills."""

    role: Role
    prefix: str
    kinds: tuple[Kind, ...]
    """Which it may be; the first is what it is called."""
    optional: bool = False
    """Without it a bundle is given what this network would make."""

    @property
    def title(self) -> str:
        return self.kinds[0].title


@dataclass(frozen=True)
class Recognised:
    """A table of a checkpoint, and what it is."""

    path: Path
    name: str
    """Where in the file."""
    table: Table
    kind: Kind | None

    @property
    def title(self) -> str:
        if self.kind:
            return self.kind.title
        first = ", ".join(list(self.table)[:NAMED])
        return f"a network that is not known here ({first}, …)"

    def told(self) -> str:
        """What it is, and its sizes, in a line."""
        if self.kind is None:
            return self.title
        sizes = [
            f"{key} {value}"
            for key, value in self.sizes.items()
            if key != "vocabulary" and not isinstance(value, dict)
        ]
        return ", ".join(filter(None, [self.title, self.kind.remark(self.bare), *sizes]))

    @property
    def sizes(self) -> dict[str, Any]:
        """
        Raises:
            ExportError: its shapes are no such network's.
        """
        assert self.kind is not None
        try:
            return self.kind.sizes(self.bare)
        except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
            raise ExportError(
                f"{self.path}: {self.kind.title} cannot have these shapes: {error}",
                hint="the file is damaged, or of a variant that is not known here",
            ) from error

    @property
    def preset(self) -> str:
        assert self.kind is not None
        return self.kind.preset(self.bare)

    @property
    def bare(self) -> Shapes:
        """Shapes by names without what DataParallel puts before them."""
        return bare(self.table.shapes)


def count(shapes: Shapes, name: str, first: int = 0) -> int:
    """How many numbered names there are, one after the other."""
    number = first
    while name.format(number) in shapes:
        number += 1
    return number - first


def bare(shapes: Shapes) -> dict[str, Shape]:
    return {name.removeprefix("module."): shape for name, shape in shapes.items()}


def recognise(checkpoint: Checkpoint, kinds: Sequence[Kind]) -> list[Recognised]:
    """What the tables of a checkpoint are, in its order."""
    found = []
    for name, table in checkpoint.tables.items():
        shapes = bare(table.shapes)
        kind = next((each for each in kinds if each.is_in(shapes)), None)
        found.append(Recognised(checkpoint.path, name, table, kind))
    return found


def choose(checkpoint: Checkpoint, part: Part, kinds: Sequence[Kind]) -> Recognised:
    """The table of a part; of several the one whose weights were averaged.

    Raises:
        ExportError: the checkpoint holds something else.
    """
    found = recognise(checkpoint, kinds)
    fitting = [each for each in found if each.kind in part.kinds]
    if not fitting:
        others = " and ".join(each.title for each in found[:NAMED])
        raise ExportError(
            f"{checkpoint.path} holds {others}, not {part.title}",
            hint=f"pass the file with {part.title}; `t2i-export --inspect FILE` tells what one is",
        )
    best = averaged(each.name for each in fitting)
    return next((each for each in fitting if each.name in best), fitting[0])


def averaged(names: Iterable[str]) -> list[str]:
    """Which of the tables of a checkpoint are averages over a training."""
    return [name for name in names if "ema" in name.lower() or "avg" in name.lower()]


def renamed(found: Recognised) -> "Renamed":
    """Its tensors under our names, each read when it is asked for.

    Raises:
        ExportError: a name is not known.
    """
    assert found.kind is not None
    official = {name: name for name in found.table}
    with _naming(found.path):
        return Renamed(found, renames.rename(official, found.kind.names))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say which file does not fit."""
    try:
        yield
    except ExportError as error:
        raise ExportError(f"{path}: {error}", hint=error.hint) from error


@dataclass(frozen=True, eq=False)
class Renamed(Mapping[str, Tensor]):
    """Tensors of a table by our names."""

    found: Recognised
    official: Mapping[str, str]
    lacking: Mapping[str, Tensor] = field(default_factory=dict)
    """What else the network has."""

    def made_whole(self, network: nn.Module) -> "Renamed":
        """With what its files leave out."""
        assert self.found.kind is not None
        whole = self.found.kind.lacking(network)
        return replace(
            self, lacking={name: each for name, each in whole.items() if name not in self.official}
        )

    def check(self, network: nn.Module) -> None:
        """Compare their shapes with a network's; none is read.

        Raises:
            ExportError: one is missing, left over, or of another shape.
        """
        assert self.found.kind is not None
        official = self.found.table.shapes
        hollow = {
            ours: torch.empty(official[name], device="meta") for ours, name in self.official.items()
        }
        shapes = {ours: tuple(self._amended(ours, each).shape) for ours, each in hollow.items()}
        shapes |= {name: tuple(each.shape) for name, each in self.lacking.items()}
        with _naming(self.found.path):
            renames.check(network, shapes, self.found.kind.names)

    def __getitem__(self, name: str) -> Tensor:
        if name in self.lacking:
            return self.lacking[name]
        return self._amended(name, self.found.table[self.official[name]])

    def _amended(self, name: str, tensor: Tensor) -> Tensor:
        assert self.found.kind is not None
        amend = self.found.kind.amended.get(self.official[name].removeprefix("module."))
        return amend(tensor) if amend else tensor

    def __iter__(self) -> Iterator[str]:
        return chain(self.official, self.lacking)

    def __len__(self) -> int:
        return len(self.official) + len(self.lacking)
