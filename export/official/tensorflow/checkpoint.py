"""Variables of a checkpoint, in the two formats that TensorFlow 1 wrote.

The older is one table, whose values hold the numbers. The newer is a table of places, PREFIX.index,
and files of numbers beside it, PREFIX.data-00000-of-00001.

Source: tensorflow/tensorflow, `core/util/saved_tensor_slice.proto`, `core/framework/tensor.proto`
    and `core/protobuf/tensor_bundle.proto`.
"""

import math
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from t2i.export.official.natures import Damaged
from t2i.export.official.tensorflow import table
from t2i.export.official.tensorflow.checksum import masked
from t2i.export.official.tensorflow.wire import Message

Numbers = npt.NDArray[np.float32]

FLOAT = 1
"""TensorFlow's number of the type float32."""
CONTENTS = b""
"""Key under which a table says what it holds; the names of variables are others."""
DEEPEST, MOST_FILES = 8, 10_000
BESIDE = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")


def find(path: Path) -> Path | None:
    """The table of a checkpoint that is named by its prefix or by one of its files, if any is."""
    if not path.name:  # the folder where we are
        return None
    prefix = path.with_name(BESIDE.sub("", path.name))
    for file in (prefix.with_name(f"{prefix.name}.index"), prefix):
        if file.is_file() and _ends_as_table(file):
            return file
    return None


def read(file: Path) -> dict[str, Numbers]:
    """All variables of float32, by name; what they are is read when it is looked at.

    Args:
        file: what `find` found.

    Raises:
        Damaged: a file is missing or damaged, or a variable is spread over several tensors.
    """
    entries = table.entries(_mapped(file))
    key, contents = next(entries, (None, memoryview(b"")))
    if key != CONTENTS:
        raise Damaged("it does not begin with what it holds")
    if file.suffix == ".index":
        return dict(_bundled(file, Message(contents), entries))
    return dict(_tabled(Message(contents), entries))


def _ends_as_table(file: Path) -> bool:
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - len(table.MAGIC)))
        return opened.read() == table.MAGIC


def _mapped(file: Path) -> memoryview:
    with file.open("rb") as opened:
        if not file.stat().st_size:
            return memoryview(b"")
        return memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))


def _tabled(
    contents: Message, entries: Iterator[tuple[bytes, memoryview]]
) -> Iterator[tuple[str, Numbers]]:
    """Of a table that holds the numbers too: `SavedTensorSlices`."""
    shapes = {}
    for each in map(Message, Message(contents.bytes(1)).all_bytes(1)):
        if each.number(3) == FLOAT:
            name = each.text(1)
            _require_whole(name, each.all_bytes(4))
            shapes[name] = _shape(each.bytes(2))
    for _, value in entries:
        saved = Message(Message(value).bytes(2))
        name = saved.text(1)
        if name in shapes:
            yield name, _numbers(name, Message(saved.bytes(3)).bytes(5), shapes.pop(name))
    if shapes:
        raise Damaged(f"it does not hold {min(shapes)}, though it says so")


def _bundled(
    file: Path, header: Message, entries: Iterator[tuple[bytes, memoryview]]
) -> Iterator[tuple[str, Numbers]]:
    """Of a table of places: `BundleEntryProto`."""
    count = header.number(1)
    if header.number(2) or not 0 < count <= MOST_FILES:
        raise Damaged("its numbers are those of another kind of computer, or in too many files")
    opened: dict[int, memoryview] = {}
    for key, value in entries:
        entry = Message(value)
        if entry.number(1) != FLOAT:
            continue
        name = _text(key)
        if entry.all_bytes(7):
            raise Damaged(f"{name} is spread over several tensors")
        part = entry.number(3)
        if part >= count:
            raise Damaged(f"{name} lies in a file that it does not have")
        if part not in opened:
            opened[part] = _numbers_beside(file, f"data-{part:05}-of-{count:05}")
        start, size = entry.number(4), entry.number(5)
        data = opened[part][start : start + size]
        if len(data) != size:
            raise Damaged(f"{name} lies beyond the end of its file")
        if masked(data) != int.from_bytes(entry.bytes(6), "little"):
            raise Damaged(f"{name} does not have its checksum")
        yield name, _numbers(name, data, _shape(entry.bytes(2)))


def _numbers_beside(file: Path, ending: str) -> memoryview:
    """
    Raises:
        Damaged: there are none.
    """
    numbers = file.with_suffix(f".{ending}")
    if not numbers.is_file():
        raise Damaged(f"{numbers.name} is not beside it, and holds its numbers")
    return _mapped(numbers)


def _require_whole(name: str, slices: list[memoryview]) -> None:
    """
    Raises:
        Damaged: a variable is saved in parts.
    """
    extents = [Message(extent) for part in slices for extent in Message(part).all_bytes(1)]
    if len(slices) != 1 or any(2 in extent for extent in extents):
        raise Damaged(f"{name} is spread over several tensors")


def _shape(message: memoryview) -> tuple[int, ...]:
    """Of a `TensorShapeProto`."""
    sides = tuple(Message(side).number(1) for side in Message(message).all_bytes(2))
    if len(sides) > DEEPEST:
        raise Damaged("a tensor in it has too many sides")
    return sides


def _numbers(name: str, data: memoryview, shape: tuple[int, ...]) -> Numbers:
    if not data or len(data) != 4 * math.prod(shape):
        raise Damaged(f"{name} has {len(data):,} bytes, which are not {shape} numbers")
    return np.frombuffer(data, "<f4").reshape(shape)


def _text(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise Damaged("a name in it is no text") from error
