"""Tensors that are still in their file: told by name and shape, read when they are asked for."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from t2i.export.official.natures import Damaged

Shape = tuple[int, ...]
DTYPES = {
    "Float": torch.float32,
    "Double": torch.float64,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
}
"""By what the classes of storages begin with."""

SAFE_DTYPES = {
    "F32": torch.float32,
    "F64": torch.float64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""By their names in safetensors."""


PIECE_BYTES = 2**20


@dataclass(frozen=True, eq=False)
class Storage:
    """Numbers in a row, somewhere in a file."""

    key: str
    dtype: torch.dtype
    size: int
    """How many."""
    held: memoryview | None = None
    """The numbers themselves, where a pickle holds them."""

    @property
    def bytes(self) -> int:
        return self.size * self.dtype.itemsize

    def filled(self, file: Any) -> Tensor:
        """Its numbers, which begin where a file stands.

        Raises:
            Damaged: the file ends before them.
        """
        data = torch.empty(self.size, dtype=self.dtype)
        if self.size:
            room = data.view(torch.uint8).numpy().data
            while room:  # piece by piece: archives hand out copies
                if not (read := file.readinto(room[:PIECE_BYTES])):
                    raise Damaged("it ends too early")
                room = room[read:]
        return data


@dataclass(frozen=True, eq=False)
class Stored:
    """A tensor: which numbers of which storage."""

    storage: Storage
    offset: int
    shape: Shape
    strides: Shape

    def __post_init__(self) -> None:
        """
        Raises:
            Damaged: it reaches beyond its storage, or is larger than that.
        """
        counts = (self.offset, *self.shape, *self.strides)
        sound = all(type(each) is int and each >= 0 for each in counts)
        if not sound or len(self.shape) != len(self.strides):
            raise Damaged("a tensor in it has no shape")
        size = math.prod(self.shape)
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((side - 1) * stride for side, stride in steps)
        if size and (size > self.storage.size or last >= self.storage.size):
            raise Damaged(
                f"a tensor in it is said to be {self.shape}, which is more than the file holds"
            )

    @classmethod
    def whole(cls, key: str, dtype: torch.dtype, shape: Shape) -> "Stored":
        """A tensor that has a storage of its own."""
        strides = tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
        return cls(Storage(key, dtype, math.prod(shape)), 0, shape, strides)

    def of(self, numbers: Tensor) -> Tensor:
        """The tensor, once its storage is read."""
        return numbers.as_strided(self.shape, self.strides, self.offset)


@dataclass(frozen=True, eq=False)
class Table(Mapping[str, Tensor]):
    """Named tensors of one file, of which at most one storage is in memory at a time.

    Args:
        read: what is stored, as a tensor.
    """

    entries: Mapping[str, Stored]
    read: Callable[[Stored], Tensor]

    @property
    def shapes(self) -> dict[str, Shape]:
        return {name: entry.shape for name, entry in self.entries.items()}

    def __getitem__(self, name: str) -> Tensor:
        return self.read(self.entries[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)
