"""Files of Torch7, the Lua one, as it writes them on a machine of 64 bits."""

import struct
from pathlib import Path
from typing import Any

import numpy as np


class Lua:
    """An object of a class of Lua."""

    def __init__(self, kind: str, **fields: Any) -> None:
        self.kind, self.fields = kind, fields


class Function:
    """A function of Lua, as its bytes and what it knows."""


class Storage:
    """Numbers, of which tensors are views: of those of a network, once it was trained, all are."""

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers


class Writer:
    """Values as Torch7 writes them; what comes again is written once."""

    def __init__(self) -> None:
        self.written: list[Any] = []
        self.storages: dict[int, Storage] = {}

    def write(self, value: Any) -> bytes:
        match value:
            case None:
                return struct.pack("<i", 0)
            case bool():
                return struct.pack("<ii", 5, value)
            case int() | float():
                return struct.pack("<id", 1, value)
            case str():
                return struct.pack("<i", 2) + self.text(value)
            case Function():
                return struct.pack("<iiii", 8, self.index(value)[0], 4, 0x1B4C4A01) + self.write({})
            case list():
                return self.write({place + 1: each for place, each in enumerate(value)})
        kind = 3 if isinstance(value, dict) else 4
        index, known = self.index(value)
        head = struct.pack("<ii", kind, index)
        return head if known else head + self.content(value)

    def content(self, value: Any) -> bytes:
        if isinstance(value, dict):
            pairs = b"".join(self.write(each) for pair in value.items() for each in pair)
            return struct.pack("<i", len(value)) + pairs
        if isinstance(value, Lua):
            return self.text("V 1") + self.text(value.kind) + self.write(value.fields)
        if isinstance(value, Storage):
            head = self.text("V 1") + self.text("torch.CudaStorage")
            return head + struct.pack("<q", value.numbers.size) + value.numbers.tobytes()
        return self.tensor(value)

    def tensor(self, value: np.ndarray) -> bytes:
        whole = value if value.base is None else value.base
        first = (value.ctypes.data - whole.ctypes.data) // value.itemsize + 1
        strides = [each // value.itemsize for each in value.strides]
        head = self.text("V 1") + self.text("torch.CudaTensor") + struct.pack("<i", value.ndim)
        head += struct.pack(f"<{2 * value.ndim + 1}q", *value.shape, *strides, first)
        return head + self.write(self.storages.setdefault(id(whole), Storage(whole)))

    def index(self, value: Any) -> tuple[int, bool]:
        for place, each in enumerate(self.written):
            if each is value:
                return place + 1, True
        self.written.append(value)
        return len(self.written), False

    @staticmethod
    def text(value: str) -> bytes:
        return struct.pack("<i", len(value)) + value.encode("latin1")


def module(kind: str, *within: Any, **fields: Any) -> Lua:
    listed = {"modules": list(within)} if within else {}
    return Lua(f"nn.{kind}", train=False, **listed, **fields)


def save_lua(value: Any, path: Path) -> Path:
    path.write_bytes(Writer().write(value))
    return path
