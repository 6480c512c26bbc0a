"""Captions times counts: what is to be drawn, and drawing it batch by batch."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import numpy.typing as npt

from t2i.runtime.blend import Between
from t2i.runtime.captions import Line
from t2i.runtime.draw import Painter
from t2i.runtime.errors import TextError
from t2i.runtime.noise import Held
from t2i.runtime.text import Reading


@dataclass(frozen=True)
class Job:
    """One picture to draw."""

    index: int
    """line × count + k, for picture k of a line, both from 0; or the place on a way."""
    line: int
    caption: str
    reading: Reading | Between
    seed: int


@dataclass(frozen=True)
class Drawn:
    """One picture, drawn."""

    job: Job
    pixels: npt.NDArray[np.uint8]
    """(H, W, 3)."""
    stages: dict[int, npt.NDArray[np.uint8]]
    """Smaller pictures by their width, where they were asked for."""
    attentions: dict[str, npt.NDArray[np.float32]]
    """(T, H, W) by name, where they were asked for."""
    seconds: float
    """Its share of the time of its batch."""


def read_jobs(
    painter: Painter, lines: Sequence[Line], *, seed: int, count: int
) -> tuple[list[Job], dict[int, Line]]:
    """What can be drawn, and by its place each line that cannot, with its problem."""
    jobs: list[Job] = []
    bad: dict[int, Line] = {}
    for place, line in enumerate(lines):
        if line.problem:
            bad[place] = line
            continue
        try:
            reading = painter.read(line.caption)
        except TextError as error:
            bad[place] = replace(line, problem=str(error))
            continue
        for index in range(place * count, (place + 1) * count):
            jobs.append(Job(index, place, line.caption, reading, seed + index))
    return jobs, bad


def read_typed(painter: Painter, captions: Sequence[str], *, seed: int) -> list[Job]:
    """A picture a caption. What was typed is right as a whole, or nothing is drawn.

    Raises:
        TextError: nothing in a caption can be drawn.
    """
    readings = [painter.read(caption) for caption in captions]
    return [
        Job(index, index, caption, reading, seed + index)
        for index, (caption, reading) in enumerate(zip(captions, readings, strict=True))
    ]


def read_way(painter: Painter, start: str, end: str, *, frames: int, seed: int) -> list[Job]:
    """A picture a frame from one caption to another, all of one seed.

    Raises:
        TextError: nothing in a caption can be drawn.
    """
    places = painter.way(start, end, frames)
    return [Job(index, 0, f"{start} → {end}", place, seed) for index, place in enumerate(places)]


def paint(
    painter: Painter,
    jobs: Sequence[Job],
    *,
    batch_size: int,
    outputs: Sequence[str] = ("image",),
    hold: Mapping[str, Held] | None = None,
    done: Collection[int] = (),
) -> Iterator[Drawn]:
    """Draw in order, leaving out what is done; `hold` as `Painter.paint` takes it.

    A batch of which only a part is done is drawn whole again: in other company the last bit of a
    picture could differ, and going on must give what an uninterrupted run gives.
    """
    for start in range(0, len(jobs), batch_size):
        part = jobs[start : start + batch_size]
        if all(job.index in done for job in part):
            continue
        began = perf_counter()
        seeds = [job.seed for job in part]
        readings = [job.reading for job in part]
        painting = painter.paint(readings, seeds=seeds, outputs=outputs, hold=hold)
        seconds = (perf_counter() - began) / len(part)
        for place, job in enumerate(part):
            if job.index not in done:
                yield Drawn(
                    job,
                    painting.pictures[place],
                    {px: stage[place] for px, stage in painting.stages.items()},
                    {name: each[place] for name, each in painting.attentions.items()},
                    seconds,
                )
