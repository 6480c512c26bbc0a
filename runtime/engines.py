"""Engines of TensorRT, kept in the user's cache: built once for each card, then loaded.

An engine fits one bundle, card and version, and what loads it looks at little of that: a damaged
one may crash, one of another bundle with the same layers draws that bundle's pictures. So each key
has a folder of its own, with a record of the key and of the hash of every file; it appears in one
rename, and what does not agree with its record is built again. Builders work in folders of their
own (`workplace`): two at once both finish, and the later one finds the place taken.

A cache can only save time: where its folder cannot be written or the disk is full, all works
without.
"""

import contextlib
import errno
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from t2i.runtime import card, places, shapes
from t2i.runtime.bundle import Bundle, Graph

ENGINES, TIMINGS = "*.engine", "*.timing"  # as ONNX Runtime names the files of its cache
RECORD = "key.json"
SCRATCH = ".t2i-work-"
TRIES = 9  # where others publish in the same place at the same time
STALE_SECONDS = 24 * 3600
ROOM = 2**28  # bytes that must be free before an engine is built there, and some of it after

Files = dict[str, bytes]


@dataclass(frozen=True)
class Shelf:
    """The place of one key in the cache."""

    kind: str
    """What lies there, for people who look: `generator`, `timings`."""
    key: Mapping[str, Any]
    """All that its files depend on, as JSON holds it."""
    files: str
    """Which files of a workplace belong here."""

    @property
    def folder(self) -> Path:
        return places.cache() / "tensorrt" / f"{self.kind}-{_sha256(_dumps(self.key))[:32]}"

    def read(self) -> Files:
        """What was published, every byte of it; else nothing."""
        try:
            record = json.loads((self.folder / RECORD).read_bytes())
            if _dumps(record["key"]) != _dumps(self.key):
                return {}
            files = {name: (self.folder / Path(name).name).read_bytes() for name in record["files"]}
            intact = all(_sha256(data) == record["files"][name] for name, data in files.items())
        except (OSError, ValueError, LookupError, TypeError):
            return {}
        return files if intact else {}

    def publish(self, files: Files) -> None:
        """Put files in the place of what is there, all at once.

        Raises:
            OSError: the cache cannot be written.
        """
        record = {"key": self.key, "files": {name: _sha256(data) for name, data in files.items()}}
        with _aside(self.folder.parent) as aside:
            draft = aside / "draft"
            draft.mkdir()
            for name, data in files.items():
                (draft / name).write_bytes(data)
            (draft / RECORD).write_bytes(_dumps(record))
            self._take_place(draft, aside)

    def _take_place(self, draft: Path, aside: Path) -> None:
        for number in range(TRIES):
            with contextlib.suppress(FileNotFoundError):
                self.folder.rename(aside / f"replaced-{number}")
            try:
                draft.rename(self.folder)
            except OSError:
                if self.read():  # another process was sooner: what it made is as good
                    return
                if number == TRIES - 1:  # else a third one is replacing that
                    raise
            else:
                return


def shelves(bundle: Bundle, graph: Graph, version: str, *, low_memory: bool) -> tuple[Shelf, Shelf]:
    """Where engines and timings are kept; timings serve every bundle on the same card.

    Args:
        version: of ONNX Runtime.
    """
    found, profiles = card.find(), shapes.profiles(bundle.manifest, graph)
    machine: dict[str, Any] = {
        "card": found and asdict(found),
        "onnxruntime": version,
        "tensorrt": card.tensorrt(),
    }
    engine = machine | {
        "bundle": bundle.sha256,
        "graph": graph.sha256,
        "precision": graph.precision,
        "shapes": {name: asdict(each) for name, each in profiles.items()},
        "low_memory": low_memory,
    }
    return Shelf(graph.role, engine, ENGINES), Shelf("timings", machine, TIMINGS)


@contextlib.contextmanager
def workplace(*shelves: Shelf) -> Iterator[Path | None]:
    """A folder with the files of these shelves, to build in; None where there is no room for one.

    It lies beside the shelves, else where this machine keeps what is temporary.
    """
    with contextlib.ExitStack() as stack:
        folder = None
        for parent in (places.cache() / "tensorrt", Path(tempfile.gettempdir())):
            try:
                folder = stack.enter_context(_aside(parent))
                _fill(folder, shelves)
                break
            except OSError:
                folder = None
        yield folder


def _fill(folder: Path, shelves: Iterable[Shelf]) -> None:
    """Raises OSError where there is not room enough to build."""
    _sweep(folder.parent)
    if shutil.disk_usage(folder).free < ROOM:
        raise OSError(errno.ENOSPC, "there is too little room to build an engine")
    for shelf in shelves:
        for name, data in shelf.read().items():
            (folder / name).write_bytes(data)


def keep(folder: Path, *shelves: Shelf) -> None:
    """Publish what was built in a workplace, but for what its shelf holds already.

    On a full disk a builder leaves half a file without a word, so nothing is kept from one.
    """
    with contextlib.suppress(OSError):
        if shutil.disk_usage(folder).free < ROOM // 4:
            return
        for shelf in shelves:
            built = {path.name: path.read_bytes() for path in sorted(folder.glob(shelf.files))}
            if built and built != shelf.read():
                shelf.publish(built)


def discard(*shelves: Shelf) -> bool:
    """Empty them, so that all is built again; whether there was anything."""
    there = any(shelf.read() for shelf in shelves)
    for shelf in shelves:
        shutil.rmtree(shelf.folder, ignore_errors=True)
    return there


@contextlib.contextmanager
def _aside(parent: Path) -> Iterator[Path]:
    """A new folder beside the shelves, so that it can be renamed to one; removed in the end."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(root: Path) -> None:
    """Remove what processes that were killed left behind."""
    for folder in root.glob(f"{SCRATCH}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _dumps(contents: Mapping[str, Any]) -> bytes:
    return json.dumps(contents, sort_keys=True, indent=2).encode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
