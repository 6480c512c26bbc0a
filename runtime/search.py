"""Find pictures by words: what a bundle sees in the pictures of a folder, kept in one file.

| at | holds |
|---|---|
| 0 | `t2i-index`, a line break, and the header: JSON, padded with spaces |
| 4096 | the pictures' vectors of length 1: (N, E) float32 |
| then | where each name begins, and where the last one ends: (N + 1,) uint64 |
| then | bytes and time of the last change of each picture: (N, 2) int64 |
| then | the names, relative to the folder: UTF-8 |

Numbers begin with their smallest byte. The file is mapped, not read, and searched block by block,
so that memory does not grow with it.
"""

import json
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from t2i.runtime import records, terminal
from t2i.runtime.errors import DataError, PictureError
from t2i.runtime.matching import Matcher, Vectors, read
from t2i.runtime.pictures import ENDINGS, is_picture

MAGIC = b"t2i-index\n"
SCHEMA = 1
VECTORS = 4096  # where they begin
BLOCK_BYTES = 2**22  # searched at once
_AGAIN = "make it again: remove it, and name the pictures with --folder"


@dataclass(frozen=True)
class Header:
    """What an index says of itself."""

    schema: int
    model: str
    """The bundle that saw the pictures."""
    sha256: str
    """Of its graph `image`."""
    folder: str
    count: int
    """N: pictures."""
    size: int
    """E: numbers of a vector."""


@dataclass(frozen=True)
class Hit:
    """A picture that was found."""

    file: Path
    cosine: float


class Index:
    """An index of a folder, mapped into memory."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            DataError: it is missing, damaged, or something else.
        """
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError as error:
            raise DataError(
                f"there is no index {path}",
                hint=f"make one of a folder of pictures: t2i-search {path} --folder PICTURES",
            ) from error
        except (OSError, ValueError) as error:  # a folder; nothing in it
            raise DataError(f"{path} is no index: {error}", hint=_AGAIN) from error
        self.header = _header(path, self._map[:VECTORS])
        N, E = self.header.count, self.header.size
        if not (0 <= N < 2**40 and 0 < E < 2**20 and self._names_at <= len(self._map)):
            raise DataError(f"{path} is cut off", hint=_AGAIN)

    @property
    def vectors(self) -> Vectors:
        """(N, E), not copied."""
        N, E = self.header.count, self.header.size
        return self._array(VECTORS, np.dtype("<f4"), N * E).reshape(N, E)

    def name(self, place: int) -> str:
        """Of a picture, relative to the folder."""
        begin, end = (self._names_at + int(each) for each in self._spans[place : place + 2])
        return self._map[begin:end].decode("utf-8", "surrogateescape")

    def stamp(self, place: int) -> tuple[int, int]:
        """How large a picture was, and when it was last changed."""
        size, time = self._stamps[place].tolist()
        return size, time

    def search(self, direction: npt.NDArray[np.floating], top: int) -> list[Hit]:
        """The pictures nearest to a vector (E,) of length 1, the best first."""
        wanted = direction.astype(np.float32)
        places, best = np.empty(0, np.int64), np.empty(0, np.float32)
        for start, block in self._blocks():
            cosines = block @ wanted
            if len(best) == top and cosines.max() <= best[-1]:
                continue
            places = np.concatenate([places, np.arange(start, start + len(block))])
            best = np.concatenate([best, cosines])
            kept = np.argsort(-best, kind="stable")[:top]
            places, best = places[kept], best[kept]
        folder = Path(self.header.folder)
        return [
            Hit(folder / self.name(place), cosine)
            for place, cosine in zip(places.tolist(), best.tolist(), strict=True)
        ]

    def _blocks(self) -> Iterator[tuple[int, Vectors]]:
        """Some vectors at a time; their pages are given back after use."""
        rows = max(1, BLOCK_BYTES // (4 * self.header.size))
        given_back = 0
        for start in range(0, self.header.count, rows):
            block = self.vectors[start : start + rows]
            yield start, block
            end = (VECTORS + (start + len(block)) * 4 * self.header.size) // mmap.PAGESIZE
            if hasattr(mmap, "MADV_DONTNEED") and end > given_back:
                span = (end - given_back) * mmap.PAGESIZE
                self._map.madvise(mmap.MADV_DONTNEED, given_back * mmap.PAGESIZE, span)
                given_back = end

    @cached_property
    def _spans(self) -> npt.NDArray[np.uint64]:
        at = VECTORS + 4 * self.header.count * self.header.size
        return self._array(at, np.dtype("<u8"), self.header.count + 1)

    @cached_property
    def _stamps(self) -> npt.NDArray[np.int64]:
        N = self.header.count
        at = VECTORS + 4 * N * self.header.size + 8 * (N + 1)
        return self._array(at, np.dtype("<i8"), 2 * N).reshape(N, 2)

    @property
    def _names_at(self) -> int:
        N = self.header.count
        return VECTORS + 4 * N * self.header.size + 8 * (N + 1) + 16 * N

    def _array(self, at: int, dtype: np.dtype[Any], count: int) -> npt.NDArray[Any]:
        return np.frombuffer(self._map, dtype, count, at)


def _header(path: Path, data: bytes) -> Header:
    try:
        if not data.startswith(MAGIC):
            raise records.RecordError("it begins otherwise")
        contents = records.loads(data.removeprefix(MAGIC))
        if isinstance(contents, dict) and contents.get("schema") != SCHEMA:
            raise DataError(
                f"{path} was made by another version of t2i", hint=f"upgrade t2i, or {_AGAIN}"
            )
        return records.decode(Header, contents)
    except records.RecordError as error:
        raise DataError(f"{path} is no index: {error}", hint=_AGAIN) from error


@dataclass(frozen=True)
class Changes:
    """What bringing an index up to date came to."""

    pictures: int
    seen: int
    """New or changed ones, which were looked at."""
    gone: int
    broken: tuple[str, ...]
    """Why some of them could not be read."""


@dataclass
class Update:
    """An index on its way to what a folder holds; what was seen before is copied."""

    path: Path
    folder: Path
    matcher: Matcher
    batch_size: int = 8

    def run(self) -> Changes:
        """Look at what is new or changed, and put the new index in the old one's place.

        What was seen until somebody stops it is kept.

        Raises:
            DataError: another bundle made the index, or there is no such folder.
            KeyboardInterrupt: somebody stopped it.
        """
        found = _pictures(self.folder)
        old = Index(self.path) if self.path.exists() else None
        if old:
            refuse_other(old, self.path, self.matcher.name, self.matcher.extractor.sha256)
        known = {old.name(n): n for n in range(old.header.count)} if old else {}
        aside = self.path.with_name(f".{os.getpid()}-{os.urandom(4).hex()}.part")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("wb") as file:
                self._file, self._names, self._stamps = file, list[str](), list[tuple[int, int]]()
                file.write(b" " * VECTORS)
                seen, broken, stopped = self._fill(found, old, known)
                self._close()
            aside.replace(self.path)
        finally:
            aside.unlink(missing_ok=True)
        if stopped:
            raise KeyboardInterrupt
        gone = len(known.keys() - found.keys())
        return Changes(len(self._names), seen, gone, tuple(broken))

    def _fill(
        self, found: dict[str, Path], old: Index | None, known: dict[str, int]
    ) -> tuple[int, list[str], bool]:
        """How many were looked at, why others were not, and whether somebody stopped it."""
        new: list[tuple[str, Path, tuple[int, int]]] = []
        seen, broken = 0, list[str]()
        for name, path in found.items():
            try:
                about = path.stat()
            except OSError as error:  # a link that leads nowhere
                broken.append(f"{path} cannot be read: {error.strerror}")
                continue
            stamp = (about.st_size, about.st_mtime_ns)
            place = known.get(name)
            if old and place is not None and old.stamp(place) == stamp:
                self._add([name], [stamp], old.vectors[place : place + 1])
            else:
                new.append((name, path, stamp))
        try:
            with terminal.progress("looking at pictures", len(new)) as bar:
                for start in range(0, len(new), self.batch_size):
                    part = new[start : start + self.batch_size]
                    seen += self._look(part, broken)
                    bar.advance(len(part))
        except KeyboardInterrupt:
            return seen, broken, True
        return seen, broken, False

    def _look(self, part: list[tuple[str, Path, tuple[int, int]]], broken: list[str]) -> int:
        names, stamps, pixels = [], [], []
        for name, path, stamp in part:
            try:
                pixels.append(read(path))
            except PictureError as error:
                broken.append(str(error))
                continue
            names.append(name)
            stamps.append(stamp)
        if names:
            self._add(names, stamps, self.matcher.pictures(pixels))
        return len(names)

    def _add(self, names: list[str], stamps: list[tuple[int, int]], vectors: Vectors) -> None:
        self._file.write(np.ascontiguousarray(vectors, "<f4").tobytes())
        self._names += names
        self._stamps += stamps

    def _close(self) -> None:
        """Write what follows the vectors, then the header."""
        encoded = [name.encode("utf-8", "surrogateescape") for name in self._names]
        spans = np.cumsum([0, *map(len, encoded)], dtype="<u8")
        self._file.write(spans.tobytes())
        self._file.write(np.array(self._stamps, "<i8").reshape(-1, 2).tobytes())
        self._file.write(b"".join(encoded))
        header = Header(
            schema=SCHEMA,
            model=self.matcher.name,
            sha256=self.matcher.extractor.sha256,
            folder=str(self.folder.resolve()),
            count=len(self._names),
            size=self.matcher.size,
        )
        data = MAGIC + json.dumps(records.encode(header)).encode()
        if len(data) > VECTORS:
            raise DataError("the path of the folder is too long", hint="move the pictures")
        self._file.seek(0)
        self._file.write(data.ljust(VECTORS))


def refuse_other(index: Index, path: Path, model: str, sha256: str) -> None:
    """
    Raises:
        DataError: another bundle, or another export of it, made the index.
    """
    made = index.header
    if made.sha256 != sha256:
        other = made.model if made.model != model else f"another bundle called {model}"
        raise DataError(
            f"{path} was made by {other}, not by this {model}: their vectors do not compare",
            hint=f"search it with --model {made.model}, or {_AGAIN}",
        )


def _pictures(folder: Path) -> dict[str, Path]:
    """All pictures in a folder and the folders in it, by their names in the index.

    Raises:
        DataError: there are none.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder", hint="pass a folder of pictures with --folder")
    found = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if is_picture(path.name)
    }
    if not found:
        raise DataError(
            f"there are no pictures in {folder}",
            hint=f"their names end in {', '.join(sorted(ENDINGS))}",
        )
    return found
