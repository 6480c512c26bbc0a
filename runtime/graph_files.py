"""What a graph file says, before anything loads it.

An ONNX file may name other files, whose contents a loader would read as weights: any file of the
machine. So a stranger's graph is walked through first, with no library but this page; it may name
the file of weights of its own bundle, and places within that.

Source: onnx.proto for the numbers of the fields, the protocol buffers' encoding guide for the rest.
"""

from collections.abc import Iterator, Mapping, Sequence

from t2i.runtime.archives import AGAIN
from t2i.runtime.errors import BundleError

ALIGNED = 64  # places in a file of weights, as vectors of numbers are in memory
MOST_FIELDS = 5_000_000  # a graph of 1,000 nodes has some 20,000

# For each message that may hold a tensor or a node: numbers of such fields, and their messages.
_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor
_KEY, _VALUE = 1, 2  # of one entry of external data
_OPERATOR = 4  # of a node
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


def refuse_other_files(data: bytes, name: str, beside: Mapping[str, int] | None = None) -> None:
    """Accept a graph only if all its weights lie in the file itself, or where they may.

    Args:
        beside: files of the bundle that weights may lie in, and their bytes.

    Raises:
        BundleError: it names another file, or is no whole ONNX file.
    """
    left = MOST_FIELDS
    messages = [("model", 0, len(data))]
    while messages:
        kind, begin, end = messages.pop()
        outside, said = False, []
        for field, wire, value, start, at in _fields(data, begin, end, name):
            left -= 1
            if left < 0:
                raise _damaged(name)
            if kind == "tensor" and field == _DATA_LOCATION:
                outside |= value != 0
            if kind == "tensor" and field == _EXTERNAL_DATA:
                said.append(_said(data, start, at, name))
            # A context operator names a compiled engine, which a device would load and run.
            if kind == "node" and field == _OPERATOR and data[start:at] == b"EPContext":
                raise BundleError(f"{name} runs an engine from another file", hint=AGAIN)
            if wire == _LENGTH and field in _INSIDE[kind]:
                messages.append((_INSIDE[kind][field], start, at))
        if (outside or said) and not _lies_in(beside or {}, said):
            raise BundleError(f"{name} takes its weights from another file", hint=AGAIN)


def _fields(data: bytes, at: int, end: int, name: str) -> Iterator[tuple[int, int, int, int, int]]:
    """Of a message: number, kind, value or length, where its bytes begin, and where they end."""
    while at < end:
        key, at = _varint(data, at, end, name)
        wire, value, start = key & 7, 0, at
        if wire == _VARINT:
            value, at = _varint(data, at, end, name)
        elif wire == _LENGTH:
            value, start = _varint(data, at, end, name)
            at = start + value
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if wire == _EIGHT_BYTES else 4
        else:
            raise _damaged(name)
        if at > end:
            raise _damaged(name)
        yield key >> 3, wire, value, start, at


def _said(data: bytes, at: int, end: int, name: str) -> tuple[bytes, bytes]:
    """One thing that a tensor says of where its values are, and what it is called."""
    told = {field: data[start:at] for field, _, _, start, at in _fields(data, at, end, name)}
    return told.get(_KEY, b""), told.get(_VALUE, b"")


def _lies_in(beside: Mapping[str, int], said: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether this says, and says nothing else than, a place within one of these files."""
    told = dict(said)
    if sorted(key for key, _ in said) != [b"length", b"location", b"offset"]:
        return False
    size = {file.encode(): size for file, size in beside.items()}.get(told[b"location"], -1)
    numbers = told[b"offset"], told[b"length"]
    # Twelve digits are more than any file has bytes, and any program reads them alike.
    if not all(0 < len(each) <= 12 and each.isdigit() for each in numbers):
        return False
    offset, length = map(int, numbers)
    return offset % ALIGNED == 0 and offset + length <= size


def _varint(data: bytes, at: int, end: int, name: str) -> tuple[int, int]:
    """A number of seven bits a byte, least first, and where it ends."""
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise _damaged(name)


def _damaged(name: str) -> BundleError:
    return BundleError(f"{name} is no whole ONNX file", hint=AGAIN)
