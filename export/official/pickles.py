"""Pickles of strangers, read without running what is in them.

A pickle is a program that may call anything. Here it finds nothing but plain values, tensors that
stay in the file (`Stored`), and, for the classes of networks that were pickled whole, stand-ins
that keep what they are given and do nothing.
"""

import codecs
import io
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any, BinaryIO, ClassVar, Protocol

import torch

from t2i.export.official.natures import Damaged, Forbidden
from t2i.export.official.stored import DTYPES, Storage, Stored

LARGEST_BYTES = 64 * 2**20
"""Of a pickle, without the tensors that lie behind it or beside it."""


class Reader(Protocol):
    """A file that is open for reading, as pickles are read."""

    def read(self, size: int, /) -> bytes: ...
    def readline(self) -> bytes: ...


MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""What the first two pickles of torch.save's older format hold."""
COUNT_BYTES = 8
"""Before each storage of it stands how many numbers it has."""
FRAME_BYTES = 8
"""How long a frame is."""
SMALL_BYTES = 512
"""A value of a pickle counts for no more: some hold their numbers themselves."""


class StandIn(dict[Any, Any]):
    """In the place of an object: what it was made of, and its attributes, but none of its code."""

    def __init__(self, *given: Any) -> None:
        super().__init__()
        self.given = given
        self.state: Any = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def append(self, value: Any) -> None:
        self[len(self)] = value

    def extend(self, values: Any) -> None:
        for value in values:
            self.append(value)


class Ordered(dict[Any, Any]):
    """A dictionary; what else is said of it, such as versions of modules, is left out."""

    def __setstate__(self, state: Any) -> None:
        pass


class Bounded:
    """A file from which no more is read than it holds, or than a pickle may have."""

    def __init__(self, file: BinaryIO) -> None:
        start = file.tell()
        self.file = file
        self.left, self.counted = file.seek(0, 2) - start, 0
        file.seek(start)

    def read(self, size: int, /) -> bytes:
        self.left -= size
        self.counted += min(size, SMALL_BYTES)
        if self.left < 0 or self.counted > LARGEST_BYTES:
            raise Damaged("it ends too early, or lists more than any checkpoint does")
        return self.file.read(size)

    def readline(self) -> bytes:
        line = self.file.readline(SMALL_BYTES)
        self.left -= len(line)
        return line


def load(file: BinaryIO) -> Any:
    """The values of the next pickle in a file; tensors are `Stored`.

    Raises:
        Forbidden: it asks for something that no checkpoint needs.
        Damaged: it is no pickle, or is cut off.
    """
    return load_with_storages(file)[0]


def load_with_storages(file: BinaryIO) -> tuple[Any, dict[str, Storage]]:
    """As `load`; and what its tensors lie in, by key."""
    try:
        unpickler = _Unpickler(Bounded(file), encoding="latin1")
        return unpickler.load(), unpickler.storages
    except (Damaged, Forbidden, MemoryError):
        raise
    except Exception as error:  # a damaged one raises whatever it likes
        raise Damaged(f"it is no pickle that can be read ({error})") from error


def load_behind_magic(file: BinaryIO) -> tuple[Any, dict[str, Storage], list[str]]:
    """As `load_with_storages`, of torch.save's older format, whose first pickle is read; and the
    keys of its storages in the order in which they follow.

    Raises:
        Damaged, Forbidden: as `load`; or it is of another machine or version.
    """
    if load(file) != PROTOCOL:
        raise Damaged("it was written by a protocol that PyTorch never used")
    machine = load(file)
    if not isinstance(machine, dict) or machine.get("little_endian") is False:
        raise Damaged("its numbers are those of a big-endian machine")
    value, storages = load_with_storages(file)
    keys = load(file)
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
        raise Damaged("it holds other storages than its pickle says")
    return value, storages, keys


class _Unpickler(pickle._Unpickler):
    """In Python, not C, whose table of what was read before is as long as the file says.

    Finds nothing by name but what is listed below. Frames, within which all would count as one
    value, are passed over: they only say how much may be read at once. Bytes that can be changed,
    which checkpoints have none of, are refused: room for them is made before any is read.
    """

    dispatch: ClassVar[Any] = {
        **{
            code: read
            for code, read in pickle._Unpickler.dispatch.items()
            if code != pickle.BYTEARRAY8[0]
        },
        pickle.FRAME[0]: lambda self: self.read(FRAME_BYTES),
    }

    def __init__(self, file: Reader, encoding: str) -> None:
        super().__init__(file, encoding=encoding)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """
        Raises:
            Forbidden: it is not listed.
        """
        module = _MOVED.get(module, module)
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if module in ("torch", "torch.cuda") and name.removesuffix("Storage") in DTYPES:
            return DTYPES[name.removesuffix("Storage")]
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if (module, name) in _SHOWN or module.startswith(_NETWORKS):
            return type(name, (StandIn,), {})
        raise Forbidden(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        match pid:
            case ("storage", torch.dtype() as dtype, str(key), _, int(size), *view):
                if view and view[0] is not None:
                    raise Damaged("its tensors are views of a kind that is no longer written")
                storage = self.storages.setdefault(key, Storage(key, dtype, size))
                if (storage.dtype, storage.size) != (dtype, size):
                    raise Damaged(f"it says two things of the numbers {key!r}")
                return storage
            case ("module", kind, *_):  # a class and its source, which stays unread
                return kind
        raise Damaged("it points to something outside itself")


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Stored:
    if not isinstance(storage, Storage):
        raise Damaged("a tensor in it has no storage")
    return Stored(storage, offset, tuple(shape), tuple(strides))


def _first(value: Any, *_: Any) -> Any:
    """Of a parameter its tensor, of a typed value the value."""
    return value


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1", "utf-8", "ascii"):
        raise Forbidden(f"the encoding {encoding!r}")
    return codecs.encode(text, encoding)


def _held(data: Any) -> Storage:
    """A storage that a pickle holds as a file within itself."""
    if not isinstance(data, bytes):
        raise Damaged("a tensor in it has no storage")
    file = io.BytesIO(data)
    if load(file) != MAGIC:
        raise Damaged("a storage in it was not written by PyTorch")
    storage, _, _ = load_behind_magic(file)
    numbers = memoryview(data)[file.tell() + COUNT_BYTES :]
    if not isinstance(storage, Storage) or len(numbers) < storage.bytes:
        raise Damaged("a storage in it ends too early")
    return replace(storage, held=numbers)


def _rebuilt(meta: Any) -> StandIn:
    """A network as NVIDIA's code pickles it: with the source of its class, which stays unread."""
    network = StandIn()
    network.state = meta.get("state") if isinstance(meta, dict) else None
    return network


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): Ordered,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("_codecs", "encode"): _encode,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch.storage", "_load_from_bytes"): _held,
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _rebuilt,
    **{
        ("torch.jit._pickle", name): _first
        for name in (
            *("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist"),
            "restore_type_tag",
        )
    },
}
_MOVED = {"__builtin__": "builtins"}

_ARRAYS = ("scalar", "_reconstruct")

_SHOWN = {
    ("argparse", "Namespace"),
    ("torch", "device"),
    ("easydict", "EasyDict"),
    ("dnnlib.util", "EasyDict"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in _ARRAYS),
}
"""Notes of a training beside its weights: settings, losses."""

_NETWORKS = ("torch.nn.", "torch.optim.", "dall_e.", "__torch__.")
"""Where the classes of networks, and of what trained them, lie that are published whole."""
