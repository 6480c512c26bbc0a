"""What a graph file says, before anything loads it.

An ONNX file may name other files, whose contents a loader would read as weights: any file of the
machine. So a stranger's graph is walked through first, with no library but this page.

Source: onnx.proto for the numbers of the fields, the protocol buffers' encoding guide for the rest.
"""

from t2i.runtime.errors import BundleError

HINT = "get the bundle again from where it came, or export it again"
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
_OPERATOR = 4  # of a node
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


def refuse_other_files(data: bytes, name: str) -> None:
    """Accept a graph only if all its weights lie in the file itself.

    Raises:
        BundleError: it names another file, or is no whole ONNX file.
    """
    left = MOST_FIELDS
    messages = [("model", 0, len(data))]
    while messages:
        kind, at, end = messages.pop()
        while at < end:
            key, at = _varint(data, at, end, name)
            field, wire = key >> 3, key & 7
            value, start = 0, at
            if wire == _VARINT:
                value, at = _varint(data, at, end, name)
            elif wire == _LENGTH:
                value, start = _varint(data, at, end, name)
                at = start + value
            elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
                at += 8 if wire == _EIGHT_BYTES else 4
            left -= 1
            if at > end or left < 0 or wire not in (_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES):
                raise _damaged(name)
            if kind == "tensor" and field in (_EXTERNAL_DATA, _DATA_LOCATION) and value:
                raise BundleError(f"{name} takes its weights from another file", hint=HINT)
            # A context operator names a compiled engine, which a device would load and run.
            if kind == "node" and field == _OPERATOR and data[start:at] == b"EPContext":
                raise BundleError(f"{name} runs an engine from another file", hint=HINT)
            if wire == _LENGTH and field in _INSIDE[kind]:
                messages.append((_INSIDE[kind][field], start, at))


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
    return BundleError(f"{name} is no whole ONNX file", hint=HINT)
