"""Many who order one by one are drawn together, each as if alone."""

import gc
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, wait
from pathlib import Path

import numpy as np
import pytest

from t2i.runtime.draw import ROOM, TOGETHER, Painter, load
from t2i.runtime.errors import BusyError, TextError, UsageError
from t2i.runtime.waiting import Waiting

CAPTIONS = ("a red bird", "the bird is small and yellow with black wings", "blue")


class Slow:
    """Serves numbers when it is let, and remembers which ones together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.go_on = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, orders: Sequence[int]) -> list[int]:
        self.batches.append(list(orders))
        self.begun.release()
        assert self.go_on.acquire(timeout=30)
        if -1 in orders:
            raise ValueError("no such number")
        return [10 * each for each in orders]

    def let(self, times: int) -> None:
        for _ in range(times):
            self.go_on.release()


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def waiting(slow: Slow) -> Waiting[int, int]:
    return Waiting(slow, most=3, room=5)


def test_what_comes_while_others_are_served_goes_together(
    slow: Slow, waiting: Waiting[int, int]
) -> None:
    futures = [waiting.submit(0, None)]
    slow.begun.acquire(timeout=30)
    futures += [waiting.submit(n, None) for n in range(1, 6)]
    slow.let(3)
    assert [each.result(timeout=30) for each in futures] == [0, 10, 20, 30, 40, 50]
    assert slow.batches == [[0], [1, 2, 3], [4, 5]]


def test_there_is_room_for_so_many_and_no_more(slow: Slow, waiting: Waiting[int, int]) -> None:
    futures = [waiting.submit(0, None)]
    slow.begun.acquire(timeout=30)
    futures += [waiting.submit(n, 0) for n in range(1, 6)]
    with pytest.raises(BusyError, match="5 captions are waiting"):
        waiting.submit(6, 0.01)
    slow.let(9)
    assert waiting.submit(6, 30).result(timeout=30) == 60  # it waited until there was room
    wait(futures, timeout=30)


def test_an_error_goes_to_those_who_ordered_and_ends_nothing(
    slow: Slow, waiting: Waiting[int, int]
) -> None:
    slow.let(2)
    with pytest.raises(ValueError, match="no such number"):
        waiting.submit(-1, None).result(timeout=30)
    assert waiting.submit(1, None).result(timeout=30) == 10


def test_what_was_cancelled_is_not_served(slow: Slow, waiting: Waiting[int, int]) -> None:
    first = waiting.submit(0, None)
    slow.begun.acquire(timeout=30)
    assert waiting.submit(1, None).cancel()
    last = waiting.submit(2, None)
    slow.let(2)
    assert (first.result(timeout=30), last.result(timeout=30)) == (0, 20)
    assert slow.batches == [[0], [2]]


def test_closing_cancels_what_waits_and_finishes_what_is_served(
    slow: Slow, waiting: Waiting[int, int]
) -> None:
    first = waiting.submit(0, None)
    slow.begun.acquire(timeout=30)
    second = waiting.submit(1, None)
    slow.let(1)
    waiting.close()
    assert first.result(timeout=0) == 0
    with pytest.raises(CancelledError):
        second.result(timeout=0)
    with pytest.raises(UsageError, match="closed"):
        waiting.submit(2, None)
    waiting.close()  # once more does no harm


def test_closing_wakes_those_who_wait_for_room(slow: Slow) -> None:
    waiting: Waiting[int, int] = Waiting(slow, most=1, room=1)
    waiting.submit(0, None)
    slow.begun.acquire(timeout=30)
    waiting.submit(1, None)
    said: list[UsageError] = []

    def knock() -> None:
        with pytest.raises(UsageError) as caught:
            waiting.submit(2, None)
        said.append(caught.value)

    late = threading.Thread(target=knock)
    late.start()
    slow.let(1)
    waiting.close()
    late.join(timeout=30)
    assert len(said) == 1


def test_who_is_called_back_may_close_it(slow: Slow, waiting: Waiting[int, int]) -> None:
    future = waiting.submit(0, None)
    slow.begun.acquire(timeout=30)
    done = threading.Event()

    def close(_: "Future[int]") -> None:
        waiting.close()
        done.set()

    future.add_done_callback(close)
    slow.let(1)
    assert done.wait(timeout=30)


def test_the_thread_ends_when_nothing_waits(slow: Slow, waiting: Waiting[int, int]) -> None:
    slow.let(1)
    waiting.submit(1, None).result(timeout=30)
    waiting.close()
    assert not [each for each in threading.enumerate() if each.name == "t2i-painter"]


# Painters


@pytest.fixture
def own(tiny_bundle: Path) -> Painter:
    """A painter for one test, which may close it."""
    return load(tiny_bundle, device="cpu", threads=1)


def test_submitted_captions_are_drawn_as_when_they_are_called(own: Painter) -> None:
    orders = [(CAPTIONS[n % 3], n) for n in range(3 * TOGETHER)]
    futures = [own.submit(caption, seed=seed) for caption, seed in orders]
    for (caption, seed), future in zip(orders, futures, strict=True):
        drawn = np.asarray(future.result(timeout=60)).astype(int)
        assert np.abs(drawn - np.asarray(own(caption, seed=seed))).max() <= 1
    assert ROOM > TOGETHER


def test_several_threads_may_submit(own: Painter) -> None:
    found: list[Future[object]] = []

    def ask() -> None:
        found.extend(own.submit(caption, seed=n) for n, caption in enumerate(CAPTIONS * 4))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 48
    assert not wait(found, timeout=60).not_done


@pytest.mark.parametrize(
    ("caption", "seed", "kind"), [("zebra", 0, TextError), ("a red bird", -1, UsageError)]
)
def test_what_cannot_be_drawn_is_told_at_once(
    own: Painter, caption: str, seed: int, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        own.submit(caption, seed=seed)


@pytest.mark.parametrize(
    "draw",
    [
        lambda painter: painter("a red bird"),
        lambda painter: painter.submit("a red bird"),
        lambda painter: painter.selftest(),
    ],
    ids=["called", "submitted", "tested"],
)
def test_a_closed_painter_says_so(own: Painter, draw: Callable[[Painter], object]) -> None:
    own("a red bird")
    own.close()
    with pytest.raises(UsageError, match="closed"):
        draw(own)


def resident_mb() -> float:
    """Memory of this process that is really held."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells what is held")
def test_many_pictures_leave_memory_as_it_is(own: Painter) -> None:
    def serve(pictures: int) -> None:
        for start in range(0, pictures, ROOM):
            wait([own.submit(CAPTIONS[n % 3], seed=start + n) for n in range(ROOM)])

    serve(10 * ROOM)
    before = resident_mb()
    serve(40 * ROOM)  # a kilobyte lost for each would be 2.6 MB
    assert resident_mb() - before < 2


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells what is held")
def test_closed_painters_leave_nothing(tiny_bundle: Path) -> None:
    kept = []  # their graphs are freed all the same

    def draw(times: int) -> None:
        for _ in range(times):
            painter = load(tiny_bundle, device="cpu", threads=1)
            painter.submit("a red bird").result()
            painter.close()
            kept.append(painter)

    draw(5)
    before = resident_mb()
    draw(30)
    assert resident_mb() - before < 6
