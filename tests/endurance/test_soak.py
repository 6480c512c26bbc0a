"""Eight people at once, for as long as you like: every picture is right, and memory stays level."""

import json
import os
import resource
import statistics
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic

import numpy as np
import pytest
from endurance.conftest import Record

from t2i.runtime.draw import Painter, load
from t2i.runtime.errors import TextError
from t2i.runtime.score.references import CAPTIONS

PICTURES, FEW = 10_000, 48
THREADS = 8
ORDERS = 16
"""Different ones, which come again and again."""
BAD = "zzz"
"""A caption without a word that is known; each round has one."""
GROWTH_MB = 16
"""Between the second quarter of the pictures and the last: less than a hundredth of a picture's
memory for each would be more."""
OFTEN_SECONDS = 0.05

STATM = Path("/proc/self/statm")

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Moment:
    """How much was held, and when."""

    seconds: float
    pictures: int
    megabytes: float


class Watch:
    """Looks at the memory of this process until it is told to stop."""

    def __init__(self) -> None:
        self.drawn = 0
        self.moments: list[Moment] = []
        self._lock, self._over = threading.Lock(), threading.Event()
        self._began = monotonic()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def count(self) -> None:
        with self._lock:
            self.drawn += 1

    def _look(self) -> None:
        while not self._over.wait(OFTEN_SECONDS):
            self.moments.append(Moment(monotonic() - self._began, self.drawn, held_megabytes()))

    def median(self, first: float, last: float, total: int) -> float:
        """Of the megabytes while these shares of the pictures were drawn."""
        span = (first * total, last * total)
        return statistics.median(
            each.megabytes for each in self.moments if span[0] <= each.pictures <= span[1]
        )


def held_megabytes() -> float:
    """Resident memory of this process; where it isn't Linux, as `ps` tells it."""
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * resource.getpagesize() / 1e6
    told = ["ps", "-o", "rss=", "-p", str(os.getpid())]
    return int(subprocess.run(told, capture_output=True, text=True, check=True).stdout) * 1.024e-3


def orders() -> list[tuple[str, int]]:
    """Captions of many lengths, each with its seed."""
    lines = CAPTIONS.read_text(encoding="utf-8").splitlines()
    captions = sorted((json.loads(line)["text"] for line in lines), key=len)
    return [(captions[i * len(captions) // ORDERS], 1000 + i) for i in range(ORDERS)]


@pytest.fixture(scope="module")
def painter() -> Iterator[Painter]:
    painter = load("birds", device="cpu", threads=1)
    yield painter
    painter.close()


def test_eight_threads_get_the_pictures_they_asked_for_and_memory_stays_level(
    painter: Painter, in_full: bool, record: Record, record_folder: Path | None
) -> None:
    total, wanted = PICTURES if in_full else FEW, orders()
    alone = [painter.draw([caption], seed=seed)[0].astype(int) for caption, seed in wanted]
    numbers, lock = count(), threading.Lock()

    def client() -> int:
        """Ask for one picture after the other; how far the worst was from what it should be."""
        worst = 0
        while True:
            with lock:
                number = next(numbers)
            if number >= total:
                return worst
            place = number % ORDERS
            if place == 0:
                with pytest.raises(TextError):
                    painter.submit(BAD)
            caption, seed = wanted[place]
            drawn = np.asarray(painter.submit(caption, seed=seed).result())
            worst = max(worst, int(np.abs(alone[place] - drawn).max()))
            watch.count()

    with Watch() as watch, ThreadPoolExecutor(THREADS) as pool:
        worst = max(future.result() for future in [pool.submit(client) for _ in range(THREADS)])
    before, after = watch.median(0.25, 0.5, total), watch.median(0.75, 1, total)
    record(
        "soak",
        {
            "pictures": watch.drawn,
            "threads": THREADS,
            "seconds": round(watch.moments[-1].seconds, 1),
            "worst_levels": worst,
            "megabytes_second_quarter": round(before, 1),
            "megabytes_last_quarter": round(after, 1),
            "megabytes_most": round(max(each.megabytes for each in watch.moments), 1),
        },
    )
    if record_folder:
        plot(watch.moments, record_folder / "soak.svg")
    assert watch.drawn == total
    assert worst <= 1
    assert after - before < GROWTH_MB


def plot(moments: list[Moment], path: Path) -> None:
    """Memory over the pictures that were drawn by then."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "t2i"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3), layout="constrained")
    thinned = moments[:: max(1, len(moments) // 500)]
    axes.plot([each.pictures for each in thinned], [each.megabytes for each in thinned])
    axes.set(xlabel="pictures drawn", ylabel="resident memory, MB", ylim=(0, None))
    axes.set_xlim(0, moments[-1].pictures)
    axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
