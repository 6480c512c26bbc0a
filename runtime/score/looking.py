"""Networks look at pictures, in chunks that depend on nothing but the pictures' order."""

from collections.abc import Iterator, Mapping, Sequence
from math import lcm
from typing import NamedTuple

from t2i.runtime import terminal
from t2i.runtime.pictures import Pixels
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.memory import Chunk, Memory, key_of
from t2i.runtime.score.sources import Shown, Source
from t2i.runtime.sessions import Arrays

CHUNK = 16
"""Pictures that a network sees at once, the last ones filled up to as many, so that no number
depends on how they are drawn or read."""

Outputs = Mapping[Extractor, Sequence[str]]
"""What is wanted of each network."""


class Seen(NamedTuple):
    """Some pictures of a source."""

    captions: Sequence[int | None]
    """By their places."""
    found: dict[Extractor, Arrays]
    """What each network says of them."""
    pixels: Sequence[Pixels]
    """Nothing where they are remembered."""


def look(
    source: Source, wanted: Outputs, batch_size: int, memory: Memory | None = None
) -> Iterator[Seen]:
    """Let each network look at each picture once; what is remembered is not looked at again.

    Args:
        batch_size: pictures that are drawn at once.
    """
    if memory is None:
        for _, shown in chunks(source.batches(batch_size), 0):
            seen = {each: _look_at(each, shown, outputs) for each, outputs in wanted.items()}
            yield Seen([each.caption for each in shown], seen, [each.pixels for each in shown])
        return
    keys = {each: _key(source, each, batch_size) for each in wanted}
    # What is drawn is drawn in the same batches again, or it would differ in a level here or there.
    step = lcm(batch_size, CHUNK) // CHUNK
    known = min(memory.known(key) for key in keys.values())
    start = 0
    if known and memory.recall(next(iter(keys.values())), known - 1).places[-1] + 1 < len(source):
        known -= known % step
    for number in range(known):
        remembered = {each: memory.recall(key, number) for each, key in keys.items()}
        first = next(iter(remembered.values()))
        start = first.places[-1] + 1
        source.leave_out(first.unreadable)
        yield Seen(first.captions, {each: chunk.seen for each, chunk in remembered.items()}, ())
    if known:
        terminal.say(f"{source.name}: {start:,} of {len(source):,} pictures were seen before")
    for number, shown in chunks(source.batches(batch_size, start), known):
        seen = {each: _look_at(each, shown, each.outputs) for each in wanted}
        places = tuple(each.place for each in shown)
        captions = tuple(each.caption for each in shown)
        for each, key in keys.items():
            memory.keep(key, number, Chunk(places, captions, source.unreadable, seen[each]))
        yield Seen(captions, seen, [each.pixels for each in shown])


def chunks(batches: Iterator[list[Shown]], first: int) -> Iterator[tuple[int, list[Shown]]]:
    """The same pictures, `CHUNK` at once, numbered."""
    waiting: list[Shown] = []
    for batch in batches:
        waiting += batch
        while len(waiting) >= CHUNK:
            yield first, waiting[:CHUNK]
            waiting, first = waiting[CHUNK:], first + 1
    if waiting:
        yield first, waiting


def _look_at(extractor: Extractor, shown: Sequence[Shown], outputs: Sequence[str]) -> Arrays:
    return extractor.look_at_chunk([each.pixels for each in shown], list(outputs), CHUNK)


def _key(source: Source, extractor: Extractor, batch_size: int) -> str:
    drawn = batch_size if source.seed is not None else None
    return key_of(source.identity, drawn, extractor.sha256, extractor.resizes, extractor.device)
