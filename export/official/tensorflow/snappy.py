"""Snappy, in which blocks of a table may be packed.

Source: google/snappy, `format_description.txt`.
"""

from t2i.export.official.natures import Damaged
from t2i.export.official.tensorflow.wire import varint

GREATEST_RATIO = 22
"""A copy of at most 64 bytes takes three."""


def unpacked(data: memoryview) -> memoryview:
    """The bytes that were packed; never more than `GREATEST_RATIO` times as many as there are.

    Raises:
        Damaged: it is packed otherwise.
    """
    size, place = varint(data, 0)
    if size > GREATEST_RATIO * len(data):
        raise Damaged("a block in it claims to be larger than packing allows")
    found = bytearray()
    while place < len(data):
        tag, place = data[place], place + 1
        kind = tag & 3
        if kind == 0:
            length, place = _literal(data, tag >> 2, place)
            found += data[place : place + length]
            place += length
        else:
            length, offset, place = _copy(data, tag, place)
            _repeat(found, length, offset)
        if len(found) > size or place > len(data):
            break
    if len(found) != size or place != len(data):
        raise Damaged("a block in it cannot be unpacked")
    return memoryview(bytes(found))


def _literal(data: memoryview, tag: int, place: int) -> tuple[int, int]:
    """How many bytes stand there as they are, and where they begin."""
    if tag < 60:
        return tag + 1, place
    size = tag - 59
    return int.from_bytes(data[place : place + size], "little") + 1, place + size


def _copy(data: memoryview, tag: int, place: int) -> tuple[int, int, int]:
    """How many bytes come once more, how far back they are, and where the next tag stands."""
    kind = tag & 3
    size = (1, 2, 4)[kind - 1]
    offset = int.from_bytes(data[place : place + size], "little")
    if kind == 1:
        return 4 + (tag >> 2 & 7), (tag >> 5 << 8) | offset, place + size
    return (tag >> 2) + 1, offset, place + size


def _repeat(found: bytearray, length: int, offset: int) -> None:
    if not 0 < offset <= len(found):
        raise Damaged("a block in it repeats what it has not")
    start = len(found) - offset
    seen = bytes(found[start : start + length])
    times = -(-length // len(seen))  # what is copied may reach into itself
    found += (seen * times)[:length]
