"""Where the pictures of a metric come from: files, a bundle that draws captions, or memory."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from t2i.runtime import terminal
from t2i.runtime.captions import Line
from t2i.runtime.draw import Painter
from t2i.runtime.errors import DataError, PictureError, ScoreError, TextError
from t2i.runtime.jobs import Job
from t2i.runtime.pictures import Pixels
from t2i.runtime.score import protocol
from t2i.runtime.score.memory import key_of
from t2i.runtime.score.parts import Painted, Part, Read, Shown
from t2i.runtime.score.protocol import Input
from t2i.runtime.score.similarity import Picture, pixels_of
from t2i.runtime.score.stored import Item, items_of
from t2i.runtime.sessions import usable_threads
from t2i.runtime.text import Reading

NAMED = 5
"""Pictures that a warning names before it only counts."""

Pictures = str | Path | Sequence[Picture] | npt.NDArray[np.uint8]
"""What a caller of the Python API may pass as a set of pictures."""


@dataclass(frozen=True)
class Caption:
    """What pictures were drawn from."""

    text: str
    facts: Mapping[str, str] | None
    """What it states, `{"wing": "black"}`, where that is known."""
    where: str
    """How errors call it."""
    label: str | None = None
    """The class of what it describes, where that is known."""


class Source(Protocol):
    """Pictures in an order that does not change."""

    @property
    def name(self) -> str: ...

    @property
    def captions(self) -> Sequence[Caption]:
        """All that could have been drawn, drawn or not; none where pictures have no captions."""

    @property
    def seed(self) -> int | None:
        """Of the first picture, where they are drawn."""

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the protocol says about it."""

    @property
    def identity(self) -> str:
        """A hash of all that decides its pictures and their order."""

    @property
    def unreadable(self) -> Mapping[str, str]:
        """Pictures that could not be read and were left out, and why, once all were asked for."""

    def leave_out(self, unreadable: Mapping[str, str]) -> None:
        """Take note of pictures that could not be read before."""

    def __len__(self) -> int: ...

    def batches(self, size: int, start: int = 0) -> Iterator[list[Shown]]:
        """Pictures in their order, from number `start` on, `size` at once, the last ones fewer."""


@runtime_checkable
class Dividing(Protocol):
    """What a source can do beside, if other processes may look at parts of it."""

    def part(self, start: int, stop: int) -> Part:
        """Pictures `start` to `stop`. Where they are drawn, `start` begins a batch."""

    def learn(self, hashes: Mapping[int, bytes]) -> None:
        """Take note of files that were read elsewhere."""


@runtime_checkable
class Drawing(Protocol):
    """What a source can do beside, if it draws."""

    def repeated(self, captions: int, seeds: int) -> Source:
        """The first `captions`, each from `seeds` seeds, caption by caption."""


class Whole:
    """A source whose pictures can all be read, because they are in no files."""

    @property
    def unreadable(self) -> Mapping[str, str]:
        return {}

    def leave_out(self, unreadable: Mapping[str, str]) -> None:
        assert not unreadable, "all can be read"

    def learn(self, hashes: Mapping[int, bytes]) -> None:
        assert not hashes, "there are no files"


class Stored:
    """Pictures that lie somewhere, in the order of `items_of`; see `Read`."""

    seed: None = None

    def __init__(self, path: Path, *, strict: bool = False, workers: int | None = None) -> None:
        self.path = path
        self.strict = strict
        self.workers = workers or usable_threads()
        self.unreadable: dict[str, str] = {}
        """Why each was left out."""
        self._hashes: dict[int, bytes] = {}

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """Raises ScoreError where there are none."""
        return items_of(self.path)

    @cached_property
    def captions(self) -> tuple[Caption, ...]:
        return tuple(
            Caption(item.caption, None, item.told, item.label)
            for item in self.items
            if item.caption is not None
        )

    @property
    def inputs(self) -> tuple[Input, ...]:
        hashed = [(item.name, self._hash(n)) for n, item in enumerate(self.items)]
        return (protocol.describe(self.name, hashed),)

    @property
    def identity(self) -> str:
        return key_of([(item.name, self._hash(n)) for n, item in enumerate(self.items)])

    def leave_out(self, unreadable: Mapping[str, str]) -> None:
        """Raises ScoreError where none is left."""
        self.unreadable.update(unreadable)
        if len(self.unreadable) == len(self):
            why = next(iter(self.unreadable.values()))
            raise ScoreError(f"no picture of {self.path} can be read", hint=f"the first: {why}")

    def learn(self, hashes: Mapping[int, bytes]) -> None:
        self._hashes.update(hashes)

    def __len__(self) -> int:
        return len(self.items)

    def part(self, start: int, stop: int) -> Read:
        return Read(self.items[start:stop], start, strict=self.strict, workers=self.workers)

    def batches(self, size: int, start: int = 0) -> Iterator[list[Shown]]:
        found = self.part(start, len(self))
        found.unreadable, found.hashes = self.unreadable, self._hashes
        yield from found.batches(size)
        self.leave_out(found.unreadable)

    def _hash(self, place: int) -> str:
        """Of a file that was not read yet, it is read for it."""
        if place not in self._hashes:
            with suppress(PictureError):
                self._hashes[place] = hashlib.sha256(self.items[place].load()).digest()
        return self._hashes.get(place, b"").hex()


@dataclass(frozen=True)
class Given(Whole):
    """Pictures in memory, (H, W, 3) each."""

    pictures: Sequence[Pixels]
    captions: Sequence[Caption] = ()
    """None, or one a picture."""
    name: str = "given"
    seed: None = None

    @property
    def identity(self) -> str:
        return self.inputs[0].sha256

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        digest = hashlib.sha256()
        for picture in self.pictures:
            digest.update(f"{picture.shape}".encode() + picture.tobytes())
        return (Input(self.name, len(self), digest.hexdigest()),)

    def __len__(self) -> int:
        return len(self.pictures)

    def batches(self, size: int, start: int = 0) -> Iterator[list[Shown]]:
        for first in range(start, len(self), size):
            yield [
                Shown(self.pictures[place], place if self.captions else None, place)
                for place in range(first, min(first + size, len(self)))
            ]


@dataclass(frozen=True)
class Drawn(Whole):
    """Captions as a bundle draws them: picture i shows caption i, counted round, with seed + i."""

    painter: Painter
    lines: tuple[Line, ...]
    file: str
    """What to call the file of the captions."""
    total: int
    seed: int
    several: int = 1
    """Pictures of a caption that follow each other."""

    @property
    def name(self) -> str:
        return self.painter.manifest.name

    @cached_property
    def captions(self) -> tuple[Caption, ...]:
        return tuple(
            Caption(line.caption, line.facts, f"{self.file}, line {line.number}", line.label)
            for line in self.lines
        )

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """Raises DataError or TextError where a caption cannot be drawn."""
        readings = [self._reading(line) for line in self.lines]
        places = [index // self.several % len(self.lines) for index in range(self.total)]
        return tuple(
            Job(index, place, self.lines[place].caption, readings[place], self.seed + index)
            for index, place in enumerate(places)
        )

    @property
    def identity(self) -> str:
        graphs = [graph.sha256 for graph in self.painter.manifest.graphs]
        said = [each.sha256 for each in self.inputs]
        return key_of(graphs, said, self.total, self.seed, self.several, self.painter.device)

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        said = json.dumps([(line.caption, line.facts) for line in self.lines])
        return (
            # Of the graph, not of the manifest, which will carry the scores itself.
            Input(self.name, self.total, self.painter.graph.sha256),
            Input(self.file, len(self.lines), hashlib.sha256(said.encode()).hexdigest()),
        )

    def __len__(self) -> int:
        return self.total

    def batches(self, size: int, start: int = 0) -> Iterator[list[Shown]]:
        return self.part(start, len(self)).batches(size)

    def part(self, start: int, stop: int) -> Painted:
        return Painted(self.painter, self.jobs[start:stop])

    def repeated(self, captions: int, seeds: int) -> "Drawn":
        """In the order, and with the seeds, in which `t2i-run` counts the pictures of a caption."""
        lines = self.lines[:captions]
        return replace(self, lines=lines, total=len(lines) * seeds, several=seeds)

    def _reading(self, line: Line) -> Reading:
        if line.problem:
            raise DataError(
                f"{self.file}, line {line.number}: {line.problem}",
                hint="mend the line, or take it out: a score must not pass over captions",
            )
        try:
            return self.painter.read(line.caption)
        except TextError as error:
            raise TextError(f"{self.file}, line {line.number}: {error}", hint=error.hint) from error


def source_of(pictures: Pictures) -> Source:
    """Pictures that lie somewhere, or in memory.

    Args:
        pictures: a folder, an archive or a list; uint8 (B, H, W, 3); or a sequence of what `psnr`
            takes.

    Raises:
        ScoreError: there are none, or one is no picture.
    """
    if isinstance(pictures, (str, Path)):
        return Stored(Path(pictures))
    colours = [_in_colours(pixels_of(picture)) for picture in pictures]
    if not colours:
        raise ScoreError("there are no pictures", hint="pass a folder, or arrays (H, W, 3)")
    return Given(colours)


def _in_colours(pixels: Pixels) -> Pixels:
    return pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels


def tell_unreadable(name: str, pictures: Collection[str]) -> None:
    """Say what was left out."""
    if pictures:
        first = terminal.first_of(pictures, NAMED)
        terminal.warn(
            f"{name}: {len(pictures):,} cannot be read and are left out: {first}",
            hint="--strict makes that an error; --json lists them all",
        )
