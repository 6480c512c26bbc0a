"""What torch.save writes since PyTorch 1.6, and TorchScript archives: a zip of a pickle and its
storages. Of the code that the latter hold nothing is read."""

import io
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any

from torch import Tensor

from t2i.export.official import pickles
from t2i.export.official.natures import Damaged
from t2i.export.official.stored import Storage

UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)
"""RuntimeError: packed in a way that nobody uses; ValueError: with a name that is no text."""
GROWTH = 100
"""A pickle of names is packed well by some programs, but not better than this."""


class Zip:
    """One archive; nothing in it is unpacked to the disk."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            Damaged, Forbidden: as `pickles.load`; or it holds what PyTorch never writes.
        """
        try:
            self.archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise Damaged("its table of contents is missing, so its end is too") from error
        entries = self.archive.infolist()
        for entry in entries:
            _check(entry)
        pickled = [each.filename for each in entries if each.filename.endswith("data.pkl")]
        if len(pickled) != 1 or len({each.filename for each in entries}) < len(entries):
            raise Damaged("it is a zip, but not one that torch.save wrote")
        self.root = pickled[0].removesuffix("data.pkl")
        scripted = any(each.filename.startswith(f"{self.root}code/") for each in entries)
        self.format = "a TorchScript archive" if scripted else "a file of torch.save"

        self.tree = self._tree()

    def _tree(self) -> Any:
        entry = self.archive.getinfo(f"{self.root}data.pkl")
        if entry.file_size > min(pickles.LARGEST_BYTES, GROWTH * max(entry.compress_size, 1)):
            raise Damaged("its pickle would grow beyond any checkpoint's when unpacked")
        order = f"{self.root}byteorder"
        if order in self.archive.namelist() and self._bytes(order) != b"little":
            raise Damaged("its numbers are those of a big-endian machine")
        tree, storages = pickles.load_with_storages(io.BytesIO(self._bytes(entry.filename)))
        for storage in storages.values():
            self._entry(storage)
        return tree

    def numbers(self, storage: Storage) -> Tensor:
        """
        Raises:
            Damaged: they cannot be read.
        """
        try:
            with self.archive.open(self._entry(storage)) as file:
                return storage.filled(file)
        except UNREADABLE as error:
            raise Damaged(f"the numbers {storage.key!r} are not those that were written") from error

    def _entry(self, storage: Storage) -> zipfile.ZipInfo:
        """
        Raises:
            Damaged: the archive holds other numbers than its pickle says.
        """
        try:
            entry = self.archive.getinfo(f"{self.root}data/{storage.key}")
        except KeyError:
            raise Damaged(f"the numbers {storage.key!r} are missing") from None
        if entry.file_size != storage.bytes or entry.compress_type != zipfile.ZIP_STORED:
            raise Damaged(f"the numbers {storage.key!r} are not as many as it says")
        return entry

    def _bytes(self, name: str) -> bytes:
        try:
            return self.archive.read(name)
        except (*UNREADABLE, OSError) as error:
            raise Damaged(f"{name} in it cannot be unpacked") from error


def _check(entry: zipfile.ZipInfo) -> None:
    """
    Raises:
        Damaged: it is a link, lies outside, or is packed in a way that PyTorch does not use.
    """
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise Damaged(f"{entry.filename!r} in it is a link to another file")
    parts = entry.filename.replace("\\", "/").split("/")
    if ".." in parts or not parts[0] or ":" in parts[0]:
        raise Damaged(f"{entry.filename!r} in it lies outside of it")
    if entry.flag_bits & 1 or entry.compress_type not in (
        zipfile.ZIP_STORED,
        zipfile.ZIP_DEFLATED,
    ):
        raise Damaged(f"{entry.filename!r} in it is locked, or packed in an unusual way")
