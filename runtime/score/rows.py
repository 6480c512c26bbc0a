"""Numbers of a million pictures: kept on disk, seen block by block."""

import tempfile
import weakref
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import numpy.typing as npt

BLOCK = 1024
"""Rows that are in memory at once."""

Numbers = npt.NDArray[np.floating]


class Rows:
    """Rows (B, F) that come batch by batch and lie, as float32, in a file without a name.

    The file is gone with the object, or with the process, however that ends.
    """

    def __init__(self) -> None:
        self.count = 0
        self._width = 0
        with ExitStack() as opening:
            self._file = opening.enter_context(tempfile.TemporaryFile())
            weakref.finalize(self, opening.pop_all().close)

    def __len__(self) -> int:
        return self.count

    def add(self, rows: Numbers) -> None:
        """Take some more."""
        self._width = rows.shape[1]
        self._file.write(np.ascontiguousarray(rows, np.float32).tobytes())
        self.count += len(rows)

    def all(self) -> npt.NDArray[np.float32]:
        """All of them, (N, F), mapped into memory."""
        self._file.flush()
        shape = (self.count, self._width)
        if not self.count:
            return np.zeros((0, 0), np.float32)
        return np.memmap(self._file, np.float32, mode="r", shape=shape)


def blocks(rows: Numbers, size: int = BLOCK) -> Iterator[tuple[slice, npt.NDArray[np.float64]]]:
    """Some rows after the others, in double precision, and where they stand."""
    for start in range(0, len(rows), size):
        place = slice(start, min(start + size, len(rows)))
        yield place, np.asarray(rows[place], np.float64)
