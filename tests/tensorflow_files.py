"""Checkpoints as TensorFlow writes them: the older and the newer format, packed or not.

Written from the descriptions of the formats, byte by byte, and not with what reads them.
"""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Variables = Mapping[str, npt.NDArray[Any]]
Entries = Sequence[tuple[bytes, bytes]]

TYPES = {"float32": 1, "int64": 9}
BLOCK = 300
"""Bytes after which a block ends."""


def write_older(path: Path, variables: Variables, *, packed: bool = False) -> Path:
    """A table of saved slices."""
    contents, entries = b"", []
    for name, value in sorted(variables.items()):
        whole = b"".join(nested(1, b"") for _ in value.shape)
        described = nested(1, name.encode()) + nested(2, shape(value)) + number(3, kind(value))
        contents += nested(1, described + nested(4, whole))
        # Numbers of 64 bits are written as varints.
        numbers = (
            nested(5, value.astype("<f4").tobytes())
            if value.dtype == np.float32
            else nested(10, b"".join(varint(int(each)) for each in value.reshape(-1)))
        )
        saved = nested(1, name.encode()) + nested(2, whole) + nested(3, numbers)
        entries.append((b"\0" + name.encode() + b"\0\1", nested(2, saved)))
    path.write_bytes(table([(b"", nested(1, contents)), *entries], packed))
    return path


def write_newer(
    prefix: Path, variables: Variables, *, parts: int = 1, packed: bool = False
) -> Path:
    """A table of places, and the files beside it; variables are dealt to them in turn."""
    data, entries = [b""] * parts, []
    for place, (name, value) in enumerate(sorted(variables.items())):
        part, numbers = place % parts, np.ascontiguousarray(value).tobytes()
        entry = number(1, kind(value)) + nested(2, shape(value)) + number(3, part)
        entry += number(4, len(data[part])) + number(5, len(numbers))
        entries.append((name.encode(), entry + fixed(6, masked(numbers))))
        data[part] += numbers
    header = number(1, parts) + nested(3, number(1, 1))
    prefix.with_name(f"{prefix.name}.index").write_bytes(table([(b"", header), *entries], packed))
    for part, numbers in enumerate(data):
        prefix.with_name(f"{prefix.name}.data-{part:05}-of-{parts:05}").write_bytes(numbers)
    return prefix


def table(entries: Entries, packed: bool = False) -> bytes:
    """Blocks of entries, a block of where these end, and a footer."""
    written, handles, waiting = b"", [], list[tuple[bytes, bytes]]()

    def end(block: bytes) -> bytes:
        nonlocal written
        stored = packed_literally(block) if packed else block
        handle = varint(len(written)) + varint(len(stored))
        trailed = stored + bytes([packed])
        written += trailed + struct.pack("<I", masked(trailed))
        return handle

    for key, value in entries:
        waiting.append((key, value))
        if sum(len(each) for pair in waiting for each in pair) > BLOCK:
            handles.append((key, end(block_of(waiting))))
            waiting.clear()
    if waiting:
        handles.append((waiting[-1][0], end(block_of(waiting))))
    footer = end(block_of([])) + end(block_of(handles, restart=1))
    return written + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def block_of(entries: Entries, restart: int = 16) -> bytes:
    """Keys without what they share with the one before, and where keys are whole."""
    block, restarts, before = b"", [], b""
    for place, (key, value) in enumerate(entries):
        shared = 0
        if place % restart:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        else:
            restarts.append(len(block))
        block += varint(shared) + varint(len(key) - shared) + varint(len(value))
        block += key[shared:] + value
        before = key
    restarts = restarts or [0]
    return block + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def packed_literally(data: bytes) -> bytes:
    """Snappy that repeats nothing but runs of one byte."""
    found, place = varint(len(data)), 0
    while place < len(data):
        run = 1
        while run < 64 and data[place : place + 1] * (run + 1) == data[place : place + run + 1]:
            run += 1
        found += bytes([0, data[place]])
        if run > 1:
            found += bytes([(run - 2) << 2 | 2, 1, 0])
        place += run
    return found


def kind(value: npt.NDArray[Any]) -> int:
    return TYPES[str(value.dtype)]


def shape(value: npt.NDArray[Any]) -> bytes:
    return b"".join(nested(2, number(1, side)) for side in value.shape)


def varint(value: int) -> bytes:
    found = b""
    while value >= 0x80:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value) if value else b""


def nested(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def fixed(field: int, value: int) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<I", value)


def masked(data: bytes) -> int:
    """CRC-32C byte by byte, turned and shifted."""
    found = 0xFFFFFFFF
    for byte in data:
        found = found >> 8 ^ REMAINDERS[(found ^ byte) & 0xFF]
    found ^= 0xFFFFFFFF
    return ((found >> 15 | found << 17) + 0xA282EAD8) & 0xFFFFFFFF


def remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


REMAINDERS = [remainder(byte) for byte in range(256)]
