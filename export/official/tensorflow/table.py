"""Sorted tables: keys and values in blocks, as LevelDB and TensorFlow write them.

Source: google/leveldb, `doc/table_format.md`.
"""

from collections.abc import Iterator

from t2i.export.official.natures import Damaged
from t2i.export.official.tensorflow import snappy
from t2i.export.official.tensorflow.checksum import masked
from t2i.export.official.tensorflow.wire import varint

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
FOOTER = 48
PLAIN, SNAPPY = 0, 1
TRAILER = 5
"""Bytes behind a block: how it is packed, and its checksum."""
MOST_UNPACKED = 2**31
"""Bytes by which unpacked blocks may exceed the file: thrice the largest known checkpoint's."""


def entries(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Keys and values, in the order of the keys.

    Raises:
        Damaged: it is no table, or not as it was written.
    """
    if len(data) < FOOTER or data[-8:] != MAGIC:
        raise Damaged("it is no sorted table")
    footer = data[-FOOTER:]
    _, _, place = _handle(footer, 0)  # of what describes blocks: nothing does
    start, size, _ = _handle(footer, place)
    read = unpacked = 0
    for _, handle in _entries(_block(data, start, size)):
        start, size, _ = _handle(handle, 0)
        block = _block(data, start, size)
        read, unpacked = read + size, unpacked + len(block)
        if read > len(data) or unpacked > len(data) + MOST_UNPACKED:
            raise Damaged("it claims to hold more than it can")
        yield from _entries(block)


def _handle(data: memoryview, start: int) -> tuple[int, int, int]:
    """Where a block begins, how long it is, and where the handle ends."""
    first, place = varint(data, start)
    size, place = varint(data, place)
    return first, size, place


def _block(data: memoryview, start: int, size: int) -> memoryview:
    """A block as it was before it was packed."""
    end = start + size
    if end + TRAILER > len(data):
        raise Damaged("a block of it lies beyond its end")
    if masked(data[start : end + 1]) != int.from_bytes(data[end + 1 : end + TRAILER], "little"):
        raise Damaged("a block of it does not have its checksum")
    block, packing = data[start:end], data[end]
    if packing not in (PLAIN, SNAPPY):
        raise Damaged("a block of it is packed in an unknown way")
    return snappy.unpacked(block) if packing == SNAPPY else block


def _entries(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Keys and values of a block; a key leaves out what it begins with as the one before did."""
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise Damaged("a block of it is too short")
    key, place = b"", 0
    while place < end:
        shared, place = varint(block, place)
        own, place = varint(block, place)
        size, place = varint(block, place)
        if shared > len(key) or own + size > end - place:
            raise Damaged("an entry of it reaches beyond its block")
        key = key[:shared] + bytes(block[place : place + own])
        place += own
        yield key, block[place : place + size]
        place += size
