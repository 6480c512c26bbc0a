"""What Torch7, the Lua one, wrote: tables, tensors and modules. Its functions are passed over."""

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from t2i.export.official.natures import Damaged
from t2i.export.official.pickles import StandIn
from t2i.export.official.stored import DTYPES, Storage, Stored

NIL, NUMBER, STRING, TABLE, OBJECT, BOOLEAN, FUNCTION = range(7)
FUNCTIONS = (7, 8)
MOST = 5_000_000
"""Values of a file: a network and the graph of its modules have some ten thousand."""

Put = Callable[[Any], None]


class Torch7:
    """One binary file as Torch7 writes it on machines of 64 bits, little-endian."""

    format = "a file of Torch7"

    def __init__(self, path: Path) -> None:
        """
        Raises:
            Damaged: it is cut off, holds what Torch7 does not write, or is a file of text.
        """
        self.path = path
        self.seen: dict[int, Any] = {}
        with path.open("rb") as self.file:
            self.end = self.file.seek(0, 2)
            self.file.seek(0)
            self.tree = self._values()

    def numbers(self, storage: Storage) -> Tensor:
        """
        Raises:
            Damaged: the file ends before them.
        """
        with self.path.open("rb") as file:
            file.seek(int(storage.key))
            return storage.filled(file)

    def _values(self) -> Any:
        """All values, one after the other; those within others wait on a stack of ours."""
        first: list[Any] = []
        waiting: list[Iterator[Put]] = [iter([first.append])]
        for _ in range(MOST):
            while waiting:
                put = next(waiting[-1], None)
                if put:
                    break
                waiting.pop()
            else:
                return first[0]
            value, within = self._value()
            put(value)
            if within:
                waiting.append(within)
        raise Damaged("its values have no end")

    def _value(self) -> tuple[Any, Iterator[Put] | None]:
        """A value, and where what is in it is to be put."""
        kind = self._int()
        if kind == NIL:
            return None, None
        if kind == NUMBER:
            number = self._unpack("d")
            return int(number) if number.is_integer() else number, None
        if kind == STRING:
            return self._text(), None
        if kind == BOOLEAN:
            return bool(self._int()), None
        if kind == FUNCTION:
            return self._function()
        if kind not in (TABLE, OBJECT, *FUNCTIONS):
            raise Damaged(f"it holds a value of kind {kind}, which there is none of")
        index = self._int()
        if index in self.seen:
            return self.seen[index], None
        if kind in FUNCTIONS:
            self.seen[index] = None
            return self._function()
        return self._table(index) if kind == TABLE else self._object(index)

    def _function(self) -> tuple[None, Iterator[Put]]:
        """Its bytes are passed over; what it knew follows them."""
        self._read(self._int())
        return None, iter([lambda _: None])

    def _table(self, index: int) -> tuple[dict[Any, Any], Iterator[Put]]:
        table: dict[Any, Any] = {}
        self.seen[index] = table
        return table, _entries(table, self._int())

    def _object(self, index: int) -> tuple[Any, Iterator[Put] | None]:
        name = self._text()
        if name.startswith("V "):  # a version, which older files lack
            name = self._text()
        package, _, kind = name.partition(".")
        if package == "torch" and kind.endswith("Storage"):
            self.seen[index] = self._storage(_dtype(kind.removesuffix("Storage")))
            return self.seen[index], None
        if package == "torch" and kind.endswith("Tensor"):
            self.seen[index] = self._tensor()
            return self.seen[index], None
        if "\0" in name:
            raise Damaged("a class in it has a name that is none")
        made = type(kind or package, (StandIn,), {})()
        self.seen[index] = made
        return made, iter([made.__setstate__])

    def _storage(self, dtype: torch.dtype) -> Storage:
        size, place = self._long(), self.file.tell()
        storage = Storage(str(place), dtype, size)
        self._pass(storage.bytes)
        return storage

    def _tensor(self) -> Stored | None:
        """None where it has no numbers."""
        count = self._int()
        shape = tuple(self._long() for _ in range(self._few(count)))
        strides = tuple(self._long() for _ in range(count))
        offset = self._long() - 1
        storage, _ = self._value()
        if storage is None:
            return None
        if not isinstance(storage, Storage):
            raise Damaged("a tensor in it has no storage")
        return Stored(storage, offset, shape, strides)

    def _few(self, count: int) -> int:
        if not 0 <= count <= 16:
            raise Damaged(f"a tensor in it has {count} dimensions")
        return count

    def _int(self) -> int:
        return int(self._unpack("i"))

    def _long(self) -> int:
        return int(self._unpack("q"))

    def _text(self) -> str:
        return self._read(self._int()).decode("latin1")

    def _unpack(self, kind: str) -> Any:
        return struct.unpack(f"<{kind}", self._read(struct.calcsize(kind)))[0]

    def _read(self, size: int) -> bytes:
        here = self.file.tell()
        self._pass(size)
        self.file.seek(here)
        return self.file.read(size)

    def _pass(self, size: int) -> None:
        """
        Raises:
            Damaged: there is not so much left.
        """
        if size < 0 or self.file.tell() + size > self.end:
            raise Damaged("it ends too early")
        self.file.seek(size, 1)


def kind_of(value: Any) -> str:
    """The class of an object, without its package; "" of what is none."""
    return type(value).__name__ if isinstance(value, StandIn) else ""


def state_of(value: Any) -> dict[Any, Any]:
    """The fields of an object."""
    return value.state if isinstance(value, StandIn) and isinstance(value.state, dict) else {}


def listed(value: Any, name: str) -> Iterator[StandIn]:
    """The objects in a list that is a field of another; Lua counts from 1."""
    table = state_of(value).get(name)
    if isinstance(table, dict):
        for place in range(1, len(table) + 1):
            if isinstance(each := table.get(place), StandIn):
                yield each


def weights_of(layer: StandIn, name: str, parts: Sequence[str]) -> Iterator[tuple[str, Stored]]:
    """The tensors of a layer, each under its full name.

    Raises:
        Damaged: one is missing.
    """
    for part in parts:
        tensor = state_of(layer).get(part)
        if not isinstance(tensor, Stored):
            raise Damaged(f"its layer {name} has no {part}")
        yield f"{name}.{part}", tensor


def _entries(table: dict[Any, Any], count: int) -> Iterator[Put]:
    for _ in range(count):
        key: list[Any] = []
        yield key.append
        if not isinstance(key[0], (int, float, str, bool, StandIn)):
            raise Damaged("a table in it has a key that is none")
        yield partial(table.__setitem__, key[0])


def _dtype(kind: str) -> torch.dtype:
    """Numbers on a card are written as those of the same kind are elsewhere."""
    plain = kind.removeprefix("Cuda") or "Float"
    if plain not in DTYPES:
        raise Damaged(f"it holds numbers of the kind {kind!r}")
    return DTYPES[plain]
