"""What torch.save wrote before PyTorch 1.6: some pickles, then the storages, one by one."""

from pathlib import Path
from typing import BinaryIO

from torch import Tensor

from t2i.export.official import pickles
from t2i.export.official.natures import Damaged
from t2i.export.official.stored import Storage


class Legacy:
    """One file, its pickles read; or another pickle, which has no storages behind it."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            Damaged, Forbidden: as `pickles.load`; or it ends before its storages do.
        """
        self.path, self.format = path, "a pickle"
        self.places: dict[str, int] = {}
        with path.open("rb") as file:
            self.tree = pickles.load(file)
            if self.tree == pickles.MAGIC:
                self.format = "a file of torch.save before PyTorch 1.6"
                self._read_on(file)

    def _read_on(self, file: BinaryIO) -> None:
        self.tree, storages, keys = pickles.load_behind_magic(file)
        place = file.tell()
        for key in keys:
            self.places[key] = place
            place += pickles.COUNT_BYTES + storages[key].bytes
        if place > file.seek(0, 2):
            raise Damaged("it ends too early")

    def numbers(self, storage: Storage) -> Tensor:
        """
        Raises:
            Damaged: the file holds other numbers than its pickle says.
        """
        if storage.key not in self.places:
            raise Damaged("it is a pickle with tensors, but not one that torch.save wrote")
        with self.path.open("rb") as file:
            file.seek(self.places[storage.key])
            if int.from_bytes(file.read(pickles.COUNT_BYTES), "little") != storage.size:
                raise Damaged(f"the numbers {storage.key!r} are not as many as it says")
            return storage.filled(file)
