"""Drawn birds kept on disk: each is drawn once, at one size, and read again ever after.

A *series* is an endless row of birds; its pictures are cut into chunks, each two `.npy` files that
are complete or absent. So an interrupted rendering goes on where it stopped, several programs may
render the same series at once, and a chunk that was removed is simply drawn again.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import numpy as np
import numpy.typing as npt

from t2i.train.data.birds.attributes import Bird, Facts, complete, facts_of
from t2i.train.data.birds.pose import NOISE
from t2i.train.data.birds.render import VERSION, draw
from t2i.train.data.dice import Dice, mix_text
from t2i.train.data.settings import Split, Traits

CHUNK = 64
"""Pictures in one file."""
LIMIT_BYTES = 8 * 2**30
"""More than this is not kept: the series that was used longest ago goes first."""
_QUICK_PIXELS = 2**23
"""So few pixels are drawn before helping processes would have started."""

Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Series:
    """An endless row of birds of one split, all drawn at one size."""

    split: Split
    side: int
    seed: int = 0
    facing: str = "both"
    traits: Traits = "told"

    @property
    def folder(self) -> Path:
        name = f"v{VERSION}-{self.side}px-{self.split}-{self.facing}-seed{self.seed}"
        return cache_folder() / "birds" / (name if self.traits == "told" else f"{name}-free")

    def facts(self, index: int) -> Facts:
        return facts_of(self.seed, self.split, index, self.traits)

    def bird(self, index: int) -> Bird:
        return complete(self.facts(index))

    def noise(self, index: int) -> tuple[float, ...]:
        """Standard normal numbers, exact in float32."""
        dice = Dice(self.seed, mix_text(self.split), index, mix_text("noise"))
        return tuple(float(np.float32(dice.normal())) for _ in NOISE)

    def looks_left(self, index: int) -> bool:
        """As the facts say; where they say nothing, as one of the noise numbers does."""
        if self.facing == "right":
            return False
        said = self.facts(index).get("facing")
        return said == "left" if said else self.noise(index)[NOISE.index("facing")] > 0

    def picture(self, index: int) -> tuple[Pictures, npt.NDArray[np.bool_]]:
        """Pixels (side, side, 3) and where the bird is (side, side)."""
        chunk, place = divmod(index, CHUNK)
        pixels, masks = _opened(self, chunk, self.folder)
        mask = np.unpackbits(masks[place], count=self.side * self.side)
        return pixels[place], mask.reshape(self.side, self.side).astype(bool)

    def fill(self, count: int) -> None:
        """Draw what is missing of the first `count` birds, on all cores."""
        chunks = range(-(-count // CHUNK))
        missing = [chunk for chunk in chunks if not _path(self.folder, chunk, "pixels").exists()]
        self.folder.mkdir(parents=True, exist_ok=True)
        os.utime(self.folder)
        if missing:
            from t2i.runtime.terminal import progress

            with progress("drawing birds", len(missing) * CHUNK) as bar:
                for _ in _drawn(self, missing):
                    bar.advance(CHUNK)
            forget(LIMIT_BYTES, keep=self.folder)


def cache_folder() -> Path:
    """`$T2I_HOME/cache`, or where this platform keeps what can be made again."""
    if home := os.environ.get("T2I_HOME"):
        return Path(home) / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "t2i"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "t2i-cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "t2i"


def forget(limit_bytes: int, *, keep: Path) -> None:
    """Remove whole series, longest unused first, until the cache is small enough."""
    series = sorted((each for each in keep.parent.iterdir() if each.is_dir()), key=_used)
    sizes = {each: sum(file.stat().st_size for file in each.glob("*.npy")) for each in series}
    for each in series:
        if sum(sizes.values()) > limit_bytes and each != keep:
            shutil.rmtree(each, ignore_errors=True)
            del sizes[each]


def _used(folder: Path) -> float:
    return folder.stat().st_mtime


def _path(folder: Path, chunk: int, what: str) -> Path:
    return folder / f"{chunk:05}-{what}.npy"


@lru_cache(maxsize=4096)
def _opened(series: Series, chunk: int, folder: Path) -> tuple[Pictures, Pictures]:
    """Memory-mapped pixels (CHUNK, side, side, 3) and packed masks; drawn now if they are gone."""
    with contextlib.suppress(OSError, ValueError):
        return _read(series, chunk, folder)
    _draw_chunk(series, chunk, folder)
    return _read(series, chunk, folder)


def _read(series: Series, chunk: int, folder: Path) -> tuple[Pictures, Pictures]:
    pixels = np.load(_path(folder, chunk, "pixels"), mmap_mode="r")
    masks = np.load(_path(folder, chunk, "masks"), mmap_mode="r")
    side = series.side
    if pixels.shape != (CHUNK, side, side, 3) or masks.shape != (CHUNK, -(-side * side // 8)):
        raise ValueError("another program's file")
    return pixels, masks


def _drawn(series: Series, chunks: list[int]) -> Iterable[int]:
    """Draw chunks, and tell each as it is done."""
    folder = series.folder
    processes = min(os.cpu_count() or 1, len(chunks))
    if processes == 1 or len(chunks) * CHUNK * series.side**2 <= _QUICK_PIXELS:
        for chunk in chunks:
            yield _draw_chunk(series, chunk, folder)
        return
    # Started afresh: a fork of a program with threads may hang.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_end_with_parent)
    try:
        for done in as_completed(pool.submit(_draw_chunk, series, n, folder) for n in chunks):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """A killed program cannot stop its helpers: they watch for its end themselves."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _draw_chunk(series: Series, chunk: int, folder: Path) -> int:
    side = series.side
    pixels = np.empty((CHUNK, side, side, 3), np.uint8)
    masks = np.empty((CHUNK, -(-side * side // 8)), np.uint8)
    for place in range(CHUNK):
        index = chunk * CHUNK + place
        left = series.looks_left(index)
        drawing = draw(series.bird(index), series.noise(index), side, mirrored=left)
        pixels[place] = drawing.pixels
        masks[place] = np.packbits(drawing.parts > 0)
    folder.mkdir(parents=True, exist_ok=True)
    _save(_path(folder, chunk, "masks"), masks)
    _save(_path(folder, chunk, "pixels"), pixels)  # last: where it stands, the chunk is whole
    return chunk


def _save(path: Path, array: Pictures) -> None:
    """Write aside, then rename: the file is complete or absent."""
    handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".draft")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, array)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
