"""A folder of many pictures that can be stopped at any moment and gone on with.

| file | holds |
|---|---|
| `batch.json` | what was ordered: going on with anything else is refused |
| `index.jsonl` | a line for each finished picture, and for each caption that drew nothing |
| `0003-a-red-bird.png` | picture 3 |

Everything in it counts from 0: picture k of a line has the index line × count + k and the seed
`seed + index`; a line that cannot be drawn keeps its indices. On the way from one caption to
another a picture's index is its place, and all have the same seed.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from t2i.runtime import records
from t2i.runtime.decode import Sampling
from t2i.runtime.errors import PictureError
from t2i.runtime.pictures import ASIDE, slug, write_whole

ORDER, INDEX = "batch.json", "index.jsonl"
LEAST_DIGITS = 4
SLUG_LENGTH = 40  # characters of a caption in a file name


@dataclass(frozen=True)
class Order:
    """What decides every picture of a batch."""

    bundle: str
    sha256: str
    """Of the bundle's manifest."""
    seed: int
    count: int
    """Pictures a line."""
    lines: int
    captions: str
    """SHA-256 of all lines."""
    stages: bool
    attention: bool
    nearest_class: bool = False
    embeddings: str | None = None
    """SHA-256 of the file that holds the vectors of the captions, where they are not read."""
    hold: tuple[str, ...] = ()
    """Noises that all pictures share: those of `seed`."""
    frames: int | None = None
    """How many pictures lead from the first line to the second, where that was asked for."""
    rerank: str | None = None
    """SHA-256 of the graph that chose among the pictures of a caption."""
    keep: int | None = None
    """How many of them it kept."""
    sampling: Sampling | None = None
    """How tokens were drawn, where that was said."""
    complete: str | None = None
    """SHA-256 of the picture that all pictures begin with."""
    keep_rows: int | None = None
    """How many rows of its tokens."""

    @property
    def pictures(self) -> int:
        return self.lines * self.count if self.frames is None else self.frames


@dataclass(frozen=True)
class Entry:
    """One line of the index."""

    index: int
    line: int
    caption: str
    seed: int
    file: str | None
    """None where nothing could be drawn: then `error` says why, once a line."""
    beside: tuple[str, ...] = ()
    """Its stages and its attention, where they were asked for."""
    words: tuple[str, ...] = ()
    """Words of the caption that the bundle read."""
    unknown: tuple[str, ...] = ()
    surplus: int = 0
    """How many words were cut."""
    error: str | None = None
    share: float | None = None
    """How far it lies on the way from one caption to another, 0 … 1."""


def hash_captions(captions: Iterable[str]) -> str:
    return hashlib.sha256(json.dumps(list(captions)).encode()).hexdigest()


def hash_file(path: Path | None) -> str | None:
    if path is None:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_what_is_there(folder: Path, *, force: bool, resume: bool) -> None:
    """Protect what a folder holds, before anything is drawn.

    Raises:
        PictureError: it holds something, and nobody said what to do with it.
    """
    try:
        full = folder.is_dir() and any(not each.match(ASIDE) for each in folder.iterdir())
    except OSError as error:
        raise PictureError(
            f"{folder} cannot be read: {error.strerror}", hint="choose another --out"
        ) from error
    if folder.exists() and not folder.is_dir():
        raise PictureError(f"{folder} is not a folder", hint="choose another --out")
    if full and resume and not (folder / ORDER).is_file():
        raise PictureError(
            f"{folder} holds no batch: there is no {ORDER} in it",
            hint="leave out --resume, and choose another --out",
        )
    if full and not (force or resume):
        raise PictureError(
            f"{folder} is not empty",
            hint="--resume goes on with the batch in it, --force replaces it; or choose another",
        )


class Batch:
    """The folder while it is drawn into."""

    def __init__(self, folder: Path, order: Order, *, resume: bool = False) -> None:
        """Begin a batch, or with `resume` go on with the one that is there, if any is.

        Raises:
            PictureError: another batch is there to go on with, or the folder cannot be written.
        """
        self.folder = folder
        self.order = order
        self.done: dict[int, Entry] = {}
        self._digits = max(LEAST_DIGITS, len(str(order.pictures - 1)))
        if resume and (folder / ORDER).exists():
            _refuse_another(folder, order)
            found = (each for each in entries(folder) if _is_there(each, folder))
            self.done = {each.index: each for each in found}
        else:
            if folder.is_dir():
                _clear(folder)  # an old index must never stand beside a new order
            write_whole(folder / ORDER, records.dumps(order).encode())
        for left in folder.glob(ASIDE):
            left.unlink(missing_ok=True)
        self._write_index()
        self._index = (folder / INDEX).open("ab", buffering=0)

    def __enter__(self) -> "Batch":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._index.close()
        if kind is None and list(self.done) != sorted(self.done):
            self._write_index()

    def path(self, index: int, caption: str) -> Path:
        """Where the picture of this index goes."""
        words = slug(caption)[:SLUG_LENGTH].rstrip("-")
        return self.folder / f"{index:0{self._digits}}-{words}.png"

    def add(self, entry: Entry) -> None:
        """Record a picture whose file is whole.

        Raises:
            PictureError: the disk is full; nothing is left of the line.
        """
        data = _line(entry)
        end = os.fstat(self._index.fileno()).st_size
        try:
            while data:  # a disk that gets full may take a part, and says so at the next try
                data = data[self._index.write(data) :]
        except OSError as error:
            os.ftruncate(self._index.fileno(), end)
            raise PictureError(
                f"{self.folder / INDEX} cannot be written: {error.strerror}",
                hint="make room on the disk, then go on with --resume",
            ) from error
        self.done[entry.index] = entry

    def _write_index(self) -> None:
        in_order = (self.done[index] for index in sorted(self.done))
        write_whole(self.folder / INDEX, b"".join(map(_line, in_order)))


def _line(entry: Entry) -> bytes:
    return json.dumps(records.encode(entry)).encode() + b"\n"


def _is_there(entry: Entry, folder: Path) -> bool:
    return all((folder / name).is_file() for name in _files(entry))


def _files(entry: Entry) -> tuple[str, ...]:
    return (entry.file, *entry.beside) if entry.file else ()


def entries(folder: Path) -> list[Entry]:
    """What the index of a folder tells; what is torn or strange in it counts as not drawn."""
    found = []
    path = folder / INDEX
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            entry = records.decode(Entry, records.loads(line))
        except records.RecordError:
            continue
        if all(Path(name).name == name for name in _files(entry)):
            found.append(entry)
    return found


def _clear(folder: Path) -> None:
    """Remove the pictures of an earlier batch and its index, and nothing else that is there."""
    files = [folder / name for entry in entries(folder) for name in _files(entry)]
    for file in files:
        if file.is_file():
            file.unlink()
    (folder / INDEX).unlink(missing_ok=True)


def _refuse_another(folder: Path, wanted: Order) -> None:
    try:
        there = records.decode(Order, records.loads((folder / ORDER).read_bytes()))
    except (OSError, records.RecordError) as error:
        raise PictureError(
            f"{folder / ORDER} cannot be read: {error}", hint="begin again with --force"
        ) from error
    said = {
        "bundle": f"it was drawn by {there.bundle}",
        "sha256": f"{there.bundle} was another bundle then",
        "seed": f"its seed is {there.seed}",
        "count": f"its count is {there.count}",
        "lines": f"it has {there.lines} captions",
        "captions": "its captions are others",
        "stages": f"it was drawn {'with' if there.stages else 'without'} --stages",
        "attention": f"it was drawn {'with' if there.attention else 'without'} --attention",
        "nearest_class": f"it was drawn {'with' if there.nearest_class else 'without'} "
        "--nearest-class",
        "embeddings": "the vectors of its captions are others",
        "hold": f"it was drawn {'with' if there.hold else 'without'} --hold "
        f"{','.join(there.hold)}".rstrip(),
        "frames": "it was drawn without --interpolate"
        if there.frames is None
        else f"it was drawn with --interpolate --frames {there.frames}",
        "rerank": f"it was drawn {'with' if there.rerank else 'without'} this --rerank",
        "keep": f"it keeps {there.keep or 'all'} pictures of a caption",
        "sampling": "its tokens were drawn otherwise",
        "complete": f"it {'goes on with another' if there.complete else 'begins with no'} picture",
        "keep_rows": f"it keeps {there.keep_rows or 'half of the'} rows of that picture",
    }
    for name, difference in said.items():
        if getattr(there, name) != getattr(wanted, name):
            raise PictureError(
                f"{folder} cannot be gone on with: {difference}",
                hint="order the same again, choose another --out, or begin again with --force",
            )
