"""Sentence vectors that were made elsewhere: a file that holds one under each caption.

| file | holds |
|---|---|
| `.npz` | an array (E,) a caption, named by the caption: `np.savez(file, **vectors)` |
| `.hdf5`, `.h5` | a dataset (E,) a caption, named likewise; needs h5py |

Captions are looked up letter for letter. Nothing in these files is ever unpickled.
"""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from t2i.runtime.errors import DataError
from t2i.runtime.proof import plain_array

LARGEST = 2**16
"""Most numbers of a vector."""

Vector = npt.NDArray[np.float32]
Find = Callable[[str], npt.NDArray[Any] | None]
"""The array under a caption, or None where there is none."""


class Embeddings:
    """A file of vectors, read one by one as they are asked for."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            DataError: there is no such file, or it is of another kind.
        """
        self.path = path
        kinds: dict[str, Callable[[Path], Find]] = {".npz": _npz, ".hdf5": _hdf5, ".h5": _hdf5}
        if path.suffix.lower() not in kinds:
            raise DataError(
                f"vectors are not read from {path.name}",
                hint=f"name a file that ends in {', '.join(kinds)}",
            )
        if not path.is_file():
            raise DataError(f"there is no file {path}", hint="pass the file of the vectors")
        self._find = kinds[path.suffix.lower()](path)

    def get(self, caption: str) -> Vector | None:
        """The vector (E,) of a caption, or None where the file has none.

        Raises:
            DataError: what the file has there is no vector.
        """
        try:
            found = self._find(caption)
        except (ValueError, EOFError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error) as why:
            raise self._no_vector(caption, str(why)) from why
        if found is None:
            return None
        if found.ndim != 1 or found.dtype.kind != "f" or not 0 < len(found) <= LARGEST:
            raise self._no_vector(caption, f"{found.dtype} {found.shape}")
        vector = found.astype(np.float32)
        if not np.isfinite(vector).all():
            raise self._no_vector(caption, "not all of its numbers are finite")
        return vector

    def _no_vector(self, caption: str, why: str) -> DataError:
        return DataError(
            f"what {self.path} holds of {caption[:40]!r} is no vector: {why}",
            hint="save one row of floating-point numbers (E,) under each caption",
        )


def _npz(path: Path) -> Find:
    try:
        archive = zipfile.ZipFile(path)  # stays open: its table of contents may be long
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error

    def find(caption: str) -> npt.NDArray[Any] | None:
        try:
            entry = archive.getinfo(f"{caption}.npy")
        except KeyError:
            return None
        if entry.file_size > 16 * LARGEST:
            raise ValueError("it is too large")
        return plain_array(archive.read(entry))

    return find


def _hdf5(path: Path) -> Find:
    try:
        import h5py
    except ModuleNotFoundError:
        raise DataError(
            f"to read {path.name}, h5py is needed, which is not installed",
            hint="pip install 't2i[hdf5]', or save the vectors as .npz",
        ) from None
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise _unreadable(path, error) from error

    def find(caption: str) -> npt.NDArray[Any] | None:
        link = file.get(caption, getlink=True) if caption.strip("/.") else None
        found = file[caption] if isinstance(link, h5py.HardLink) else None
        if not isinstance(found, h5py.Dataset):  # a group: a slash in a name makes one
            return None
        if found.external or found.is_virtual:
            raise ValueError("it lies in another file")
        if found.dtype.kind != "f" or found.size is None or found.size > LARGEST:
            raise ValueError("it is no array of floating-point numbers, or too large")
        return np.asarray(found)

    return find


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read: {error}", hint="save the vectors again")
