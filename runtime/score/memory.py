"""What networks saw, kept: an interrupted scoring goes on, and another metric need not look again.

One file of SQLite holds chunks of pictures, each as whole as its transaction: whatever ends the
process, a chunk is there or it is not. What is computed from kept chunks, in their order, is bit
for bit what an uninterrupted scoring computes.
"""

import hashlib
import io
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from t2i.runtime.errors import ScoreError, T2IError
from t2i.runtime.proof import read_arrays
from t2i.runtime.sessions import Arrays

FILE = "seen.sqlite"
_PLACES, _CAPTIONS, _LEFT_OUT = "places", "captions", "left out"
_OUTPUT = "output."  # before the names of outputs


@dataclass(frozen=True)
class Chunk:
    """Some pictures that were seen together."""

    places: tuple[int, ...]
    """Their numbers in the source."""
    captions: tuple[int | None, ...]
    unreadable: Mapping[str, str]
    """All that could not be read up to here, and why."""
    seen: Arrays


class Memory:
    """Chunks by key and number. A key tells the pictures, the network, and how it is fed."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            ScoreError: the file is damaged, or cannot be written to.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path)
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS chunks"
                " (key TEXT, number INTEGER, data BLOB, PRIMARY KEY (key, number))"
            )
        except (OSError, sqlite3.Error) as error:
            raise ScoreError(
                f"{path} cannot keep what is seen: {error}",
                hint="delete the file, make room, or leave out --resume",
            ) from error

    def close(self) -> None:
        self._file.close()

    def known(self, key: str) -> int:
        """How many chunks are there, from the first on without a gap.

        Raises:
            ScoreError: the file is damaged.
        """
        query = "SELECT number FROM chunks WHERE key = ? ORDER BY number"
        try:
            numbers = [number for (number,) in self._file.execute(query, (key,))]
        except sqlite3.Error as error:
            raise self._damaged(error) from error
        return next((n for n, number in enumerate(numbers) if n != number), len(numbers))

    def recall(self, key: str, number: int) -> Chunk:
        """Raises ScoreError where the chunk is damaged."""
        query = "SELECT data FROM chunks WHERE key = ? AND number = ?"
        try:
            ((data,),) = self._file.execute(query, (key, number))
            arrays = read_arrays(data, FILE)
            captions = arrays[_CAPTIONS].tolist()
            return Chunk(
                tuple(arrays[_PLACES].tolist()),
                tuple(None if caption < 0 else caption for caption in captions),
                json.loads(arrays[_LEFT_OUT].tobytes()),
                {
                    name.removeprefix(_OUTPUT): array
                    for name, array in arrays.items()
                    if name.startswith(_OUTPUT)
                },
            )
        except (T2IError, KeyError, ValueError, sqlite3.Error) as error:
            raise self._damaged(error) from error

    def keep(self, key: str, number: int, chunk: Chunk) -> None:
        """Whole, or not at all."""
        captions = [-1 if caption is None else caption for caption in chunk.captions]
        arrays: dict[str, Any] = {
            _PLACES: np.array(chunk.places, np.int64),
            _CAPTIONS: np.array(captions, np.int64),
            _LEFT_OUT: np.frombuffer(json.dumps(dict(chunk.unreadable)).encode(), np.uint8),
            **{_OUTPUT + name: array for name, array in chunk.seen.items()},
        }
        data = io.BytesIO()
        np.savez(data, **arrays)
        try:
            with self._file:
                self._file.execute(
                    "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?)", (key, number, data.getvalue())
                )
        except sqlite3.Error as error:
            raise ScoreError(
                f"{self.path} cannot keep what is seen: {error}",
                hint="make room on the disk, or leave out --resume",
            ) from error

    def _damaged(self, error: Exception) -> ScoreError:
        return ScoreError(
            f"{self.path} is damaged: {error}", hint="delete the file, and score again"
        )


def key_of(*told: object) -> str:
    """A key of all that decides what is seen."""
    return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()
