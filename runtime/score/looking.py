"""Networks look at pictures, in chunks that depend on nothing but the pictures' places."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from math import ceil, lcm
from typing import NamedTuple, Protocol, TypeVar

from t2i.runtime import terminal
from t2i.runtime.pictures import Pixels
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.memory import Chunk, Memory, key_of
from t2i.runtime.score.parts import Shown
from t2i.runtime.score.sources import Source
from t2i.runtime.sessions import Arrays

CHUNK = 16
"""Places whose pictures a network sees at once, filled up to as many where some are missing, so
that no number depends on how pictures are drawn or read, or on which machine."""

Item = TypeVar("Item")
Found = TypeVar("Found")
Outputs = Mapping[Extractor, Sequence[str]]
"""What is wanted of each network."""


class Seen(NamedTuple):
    """The pictures of a chunk."""

    places: Sequence[int]
    """Their numbers in the source; none where none of them can be read."""
    captions: Sequence[int | None]
    """By their places."""
    found: dict[Extractor, Arrays]
    """What each network says of them."""
    pixels: Sequence[Pixels]
    """Nothing where they are remembered, or were seen elsewhere and nobody asked for them."""


class Engine(Protocol):
    """Who looks: this process, or many of them."""

    def see(
        self, source: Source, wanted: Outputs, batch_size: int, start: int, pixels: bool
    ) -> Iterator[Seen]:
        """Chunks of a source in their order, from picture `start` on, which begins one; those that
        cannot be read are left out of the source.

        Args:
            batch_size: pictures that are drawn at once.
            pixels: whether the pictures themselves are wanted too.
        """

    def each(
        self, function: Callable[[Item], Found], items: Sequence[Item], workers: int
    ) -> Iterator[Found]:
        """What a function makes of each item, in their order, some ahead of what is asked for."""


class Local:
    """This process."""

    def see(
        self, source: Source, wanted: Outputs, batch_size: int, start: int, pixels: bool
    ) -> Iterator[Seen]:
        return seen(source.batches(batch_size, start), wanted, start, len(source))

    def each(
        self, function: Callable[[Item], Found], items: Sequence[Item], workers: int
    ) -> Iterator[Found]:
        with ThreadPoolExecutor(workers) as pool:
            coming = iter(items)
            begun = deque(pool.submit(function, item) for item in islice(coming, 2 * workers))
            try:
                while begun:
                    yield begun.popleft().result()
                    begun += [pool.submit(function, item) for item in islice(coming, 1)]
            finally:
                pool.shutdown(cancel_futures=True)


LOCAL = Local()


def seen(batches: Iterable[list[Shown]], wanted: Outputs, start: int, stop: int) -> Iterator[Seen]:
    """What networks see in some chunks, one after the other."""
    for shown in chunks(batches, start, stop):
        found = {
            each: each.look_at_chunk([one.pixels for one in shown], list(outputs), CHUNK)
            for each, outputs in wanted.items()
            if shown
        }
        yield Seen(
            [each.place for each in shown],
            [each.caption for each in shown],
            found,
            [each.pixels for each in shown],
        )


def chunks(batches: Iterable[list[Shown]], start: int, stop: int) -> Iterator[list[Shown]]:
    """The pictures of each `CHUNK` places from `start` to `stop`."""
    waiting: list[Shown] = []
    end = start + CHUNK
    for batch in batches:
        for each in batch:
            while each.place >= end:
                yield waiting
                waiting, end = [], end + CHUNK
            waiting.append(each)
    while end - CHUNK < stop:
        yield waiting
        waiting, end = [], end + CHUNK


def look(
    source: Source,
    wanted: Outputs,
    batch_size: int,
    memory: Memory | None = None,
    engine: Engine = LOCAL,
    pixels: bool = False,
) -> Iterator[Seen]:
    """Let each network look at each picture once; what is remembered is not looked at again.

    Args:
        batch_size: pictures that are drawn at once.
        pixels: whether the pictures themselves are wanted too; they are not remembered.
    """
    if memory is None:
        yield from engine.see(source, wanted, batch_size, 0, pixels)
        return
    keys = {each: _key(source, each, batch_size) for each in wanted}
    known = min(memory.known(key) for key in keys.values())
    if known < ceil(len(source) / CHUNK):
        # What is drawn is drawn in the same batches again, or it would differ in a level here or
        # there.
        known -= known % (lcm(batch_size, CHUNK) // CHUNK)
    for number in range(known):
        remembered = {each: memory.recall(key, number) for each, key in keys.items()}
        first = next(iter(remembered.values()))
        source.leave_out(first.unreadable)
        found = {each: chunk.seen for each, chunk in remembered.items()}
        yield Seen(first.places, first.captions, found, ())
    if known:
        before = min(known * CHUNK, len(source))
        terminal.say(f"{source.name}: {before:,} of {len(source):,} pictures were seen before")
    everything = {each: each.outputs for each in wanted}
    told = len(source.unreadable)
    found_now = engine.see(source, everything, batch_size, known * CHUNK, pixels)
    for number, chunk in enumerate(found_now, known):
        new = dict(islice(source.unreadable.items(), told, None))
        told += len(new)
        for each, key in keys.items():
            kept = Chunk(tuple(chunk.places), tuple(chunk.captions), new, chunk.found.get(each, {}))
            memory.keep(key, number, kept)
        yield chunk


def _key(source: Source, extractor: Extractor, batch_size: int) -> str:
    drawn = batch_size if source.seed is not None else None
    return key_of(source.identity, drawn, extractor.sha256, extractor.resizes, extractor.device)
