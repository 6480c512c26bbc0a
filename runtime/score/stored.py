"""Pictures that lie somewhere: in a folder, a zip, a tar, shards of tars, or named by a list.

Each can be sent to another process, and read there.
"""

import gzip
import os
import re
import shutil
import tarfile
import tempfile
import threading
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import IO, Any

from t2i.runtime import batch, records
from t2i.runtime.errors import PictureError, ScoreError
from t2i.runtime.pictures import ENDINGS, is_picture
from t2i.runtime.score.listed import Listed, listed
from t2i.runtime.score.locations import ELSEWHERE, location, reaching

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
LISTS = (".txt", ".lst")
LARGEST_BYTES = 2**28
"""Of one picture in an archive."""
KINDS = "a folder, a .zip or .tar of pictures, shards such as data-{000..099}.tar, or a list (.txt)"
DAMAGED = (
    *(OSError, EOFError, RuntimeError, ValueError),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error),
)
"""What reading an archive may end in. RuntimeError: encrypted; NotImplementedError, one of them:
packed as nobody does."""
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass(frozen=True, slots=True)
class Item:
    """One picture, not yet read."""

    name: str
    """Within its set; pictures of two sets with one name are partners."""
    where: str
    """How errors call it."""
    load: Callable[[], bytes]
    """Raises PictureError where it cannot be read."""
    caption: str | None = None
    told: str = ""
    """Where the caption comes from."""
    label: str | None = None
    """The class of what it shows, where that is told."""


def items_of(path: Path) -> tuple[Item, ...]:
    """The pictures of a set by their names, or in the order of what tells their captions.

    Raises:
        ScoreError: there are none, or nothing lies there.
    """
    with reaching(path):
        return _items_of(path)


def _items_of(path: Path) -> tuple[Item, ...]:
    if path.is_dir():
        shards = sorted(each for each in path.iterdir() if each.suffix.lower() == ".tar")
        return from_folder(path) if not shards or has_pictures(path) else from_shards(shards)
    if _RANGE.search(path.name):
        return from_shards(expanded(path))
    if not path.is_file() or not is_set(path):
        raise ScoreError(f"{path} is no folder of pictures", hint=f"pass {KINDS}")
    return from_list(path) if path.suffix.lower() in LISTS else from_shards([path])


def is_set(path: Path) -> bool:
    """Whether a file holds or names pictures, by its ending."""
    return path.name.lower().endswith((*ARCHIVES, *LISTS))


def has_pictures(folder: Path) -> bool:
    return any(is_picture(each.name) for each in folder.iterdir())


def from_folder(folder: Path) -> tuple[Item, ...]:
    """Where captions lie beside the pictures, those that have one, in that order.

    Captions are in the index that `t2i-run` writes, or in the metadata of a data set.
    """
    index = folder / batch.INDEX
    told = [
        Listed(folder / entry.file, entry.caption, f"{index}, picture {entry.index}")
        for entry in batch.entries(folder)
        if entry.file
    ] or listed(folder)
    if told:
        return tuple(from_file(each.file, each.caption, each.where, each.label) for each in told)
    return tuple(map(from_file, pictures_in(folder)))


def from_list(path: Path) -> tuple[Item, ...]:
    """A path or address a line, from the folder of the list; the order of lines does not count.

    Where two files have one name, all are told from the folder that they lie in together, as those
    of an archive are.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ScoreError(f"{path} cannot be read: {error}", hint="write a path a line") from error
    named = [line.strip() for line in lines if line.strip()]
    files = [location(line) if ELSEWHERE in line else path.parent / line for line in named]
    files.sort(key=lambda file: file.parts)
    if not files:
        raise ScoreError(f"{path} lists no pictures", hint="write a path a line")
    items = tuple(map(from_file, files))
    if len({item.name for item in items}) == len(items):
        return items
    # In this order, what the first and the last one share, all share.
    ends = zip(files[0].parent.parts, files[-1].parent.parts, strict=False)
    shared = len(list(takewhile(lambda parts: parts[0] == parts[1], ends)))
    names = ["/".join(file.parts[shared:]) for file in files]
    return tuple(replace(item, name=name) for item, name in zip(items, names, strict=True))


def from_shards(paths: Sequence[Path]) -> tuple[Item, ...]:
    """Pictures of archives; files of the same stem tell the caption (`.txt`, or `text` or `caption`
    in a `.json`) and the label (`.cls`, or `label`) of each.

    Source: the layout of WebDataset.
    """
    items = []
    for path in paths:
        members = open_archive(path)
        several = f"{path.stem}/" if len(paths) > 1 else ""
        shared = _shared_folder([name for name in members if is_picture(name)])
        for name in sorted(members):
            if is_picture(name):
                caption, label = _told_beside(name, members)
                shown = several + name.removeprefix(shared)
                where = f"{path}: {name}"
                items.append(Item(shown, where, members[name], caption, where, label))
    if not items:
        raise ScoreError(
            f"there are no pictures in {paths[0]}" if paths else "there are no shards",
            hint=f"pass {KINDS}",
        )
    with_caption = sum(item.caption is not None for item in items)
    if with_caption not in (0, len(items)):
        raise ScoreError(
            f"{with_caption:,} of {len(items):,} pictures of {paths[0]} have captions",
            hint="give each its .txt, or none",
        )
    return tuple(items)


def expanded(path: Path) -> list[Path]:
    """The shards that `data-{000..003}.tar` names."""
    first, last = _RANGE.findall(path.name)[0]
    numbers = range(int(first), int(last) + 1)
    names = (_RANGE.sub(f"{number:0{len(first)}}", path.name, count=1) for number in numbers)
    return [path.with_name(name) for name in names]


def pictures_in(folder: Path) -> tuple[Path, ...]:
    """Pictures of a folder in the order of their names; other files, and hidden ones, are none.

    Raises:
        ScoreError: there are none.
    """
    if not folder.is_dir():
        raise ScoreError(f"{folder} is no folder", hint="pass a folder of pictures")
    found = sorted(file for file in folder.iterdir() if is_picture(file.name))
    if not found:
        raise ScoreError(
            f"there are no pictures in {folder}",
            hint=f"their names end in {', '.join(sorted(ENDINGS))}; folders in it are not searched",
        )
    return tuple(found)


class Archive:
    """An archive, opened when it is first read, and anew in each process that it is sent to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path.absolute(),)  # another process may be in another folder

    def where(self, name: str) -> str:
        return f"{self.path}: {name}"

    def kept(self, file: IO[bytes]) -> IO[bytes]:
        """The same, open for as long as any of its pictures may be asked for."""
        weakref.finalize(self, file.close)
        return file


class Zip(Archive):
    """A zip."""

    @cached_property
    def opened(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(self.kept(self.path.open("rb")))

    def members(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        for member in self.opened.infolist():
            if not member.is_dir():
                yield member.filename, partial(self.load, member.filename)

    def load(self, name: str) -> bytes:
        """One file of it; any thread may ask.

        Raises:
            PictureError: it cannot be read.
        """
        with self.lock:
            archive = self.opened
        _refuse_large(self.where(name), archive.getinfo(name).file_size)
        try:
            with reaching(self.path), archive.open(name) as stream:
                return stream.read(LARGEST_BYTES)
        except DAMAGED as error:
            raise _unreadable(self.where(name), error) from error


class Tar(Archive):
    """A tar; a packed one is unpacked into a file without a name, for its members have no place
    that could be gone to."""

    @cached_property
    def opened(self) -> IO[bytes]:
        if not self.path.name.lower().endswith("gz"):
            return self.kept(self.path.open("rb"))
        unpacked = self.kept(tempfile.TemporaryFile())  # noqa: SIM115
        with self.path.open("rb") as packed, gzip.open(packed) as stream:
            shutil.copyfileobj(stream, unpacked)
        return unpacked

    def members(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        self.opened.seek(0)
        with tarfile.open(fileobj=self.opened, mode="r:") as archive:
            for member in archive:
                if member.isreg():
                    place = (member.name, member.offset_data, member.size)
                    yield member.name, partial(self.load, *place)

    def load(self, name: str, start: int, size: int) -> bytes:
        """As that of a zip."""
        _refuse_large(self.where(name), size)
        with self.lock, reaching(self.path):
            self.opened.seek(start)
            data = self.opened.read(size)
        if len(data) < size:
            raise _unreadable(self.where(name), EOFError("it ends too early"))
        return data


def open_archive(path: Path) -> Mapping[str, Callable[[], bytes]]:
    """The files of a zip or a tar by name, each read when it is asked for, by any thread.

    Raises:
        ScoreError: it is damaged, or cannot be read.
    """
    archive = Zip(path) if path.suffix.lower() == ".zip" else Tar(path)
    try:
        return dict(archive.members())
    except DAMAGED as error:
        reason = getattr(error, "strerror", None) or str(error) or "it ends too early"
        raise ScoreError(f"{path} cannot be read: {reason}", hint=f"pass {KINDS}") from error


def from_file(
    path: Path, caption: str | None = None, told: str = "", label: str | None = None
) -> Item:
    """One file."""
    where = str(path)
    # Whatever folder the process is in that it is sent to.
    load = partial(_read, path.absolute(), where)
    return Item(path.name, where, load, caption, told, label)


def _read(path: Path, where: str) -> bytes:
    try:
        with reaching(path):
            return path.read_bytes()
    except FileNotFoundError as error:
        raise PictureError(f"{where} does not exist", hint="check its name") from error
    except (OSError, ValueError) as error:  # a list may name what no file can be called
        raise _unreadable(where, error) from error


def _shared_folder(names: Sequence[str]) -> str:
    """The folder that all lie in, with its slash, or nothing."""
    if not names:
        return ""
    shared = os.path.commonpath([str(PurePosixPath(name).parent) for name in names])
    return f"{shared}/" if shared and shared != "." else ""


def _told_beside(
    name: str, members: Mapping[str, Callable[[], bytes]]
) -> tuple[str | None, str | None]:
    """Caption and label of a picture, where files of its stem tell them."""
    stem = name.rpartition(".")[0]

    def read(ending: str) -> str | None:
        data = members.get(stem + ending)
        return data().decode("utf-8", "replace").strip() if data else None

    row: Any = {}
    if table := members.get(f"{stem}.json"):
        try:
            row = records.loads(table())
        except records.RecordError as error:
            raise ScoreError(f"{stem}.json: {error}", hint='such as {"text": "a bird"}') from error
    told = row if isinstance(row, dict) else {}
    captions = [told[key] for key in ("text", "caption") if isinstance(told.get(key), str)]
    label = told.get("label")
    return (
        read(".txt") or next(iter(captions), None),
        read(".cls") or (str(label) if isinstance(label, (str, int)) else None),
    )


def _refuse_large(where: str, size: int) -> None:
    if size > LARGEST_BYTES:
        raise PictureError(
            f"{where} is larger than {LARGEST_BYTES // 2**20} MiB", hint="make it smaller first"
        )


def _unreadable(where: str, error: Exception) -> PictureError:
    reason = getattr(error, "strerror", None) or error
    return PictureError(f"{where} cannot be read: {reason}", hint="check that you may read it")
