"""Where the pictures of a metric come from: a folder, a bundle that draws captions, or memory."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from t2i.runtime import batch
from t2i.runtime.captions import Line
from t2i.runtime.draw import Painter
from t2i.runtime.errors import DataError, ScoreError, TextError
from t2i.runtime.jobs import Job, paint
from t2i.runtime.pictures import ENDINGS, Pixels, read_picture
from t2i.runtime.score import protocol
from t2i.runtime.score.listed import Listed, listed
from t2i.runtime.score.protocol import Input
from t2i.runtime.score.similarity import Picture, pixels_of
from t2i.runtime.text import Reading

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


@dataclass(frozen=True)
class Shown:
    """One picture that a metric sees."""

    pixels: Pixels
    caption: int | None
    """Place of its caption among those of the source."""


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

    def __len__(self) -> int: ...

    def batches(self, size: int) -> Iterator[list[Shown]]:
        """Pictures in their order, `size` at once, the last ones fewer."""


@runtime_checkable
class Drawing(Protocol):
    """What a source can do beside, if it draws."""

    def repeated(self, captions: int, seeds: int) -> Source:
        """The first `captions`, each from `seeds` seeds, caption by caption."""


@dataclass(frozen=True)
class Folder:
    """The pictures of a folder by their names; where captions lie beside them, those of these.

    They are in the index that `t2i-run` writes, or in the metadata of a data set.
    """

    path: Path
    seed: None = None

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Raises ScoreError where there are none."""
        return tuple(each.file for each in self._told) or pictures_in(self.path)

    @cached_property
    def captions(self) -> tuple[Caption, ...]:
        return tuple(Caption(each.caption, None, each.where) for each in self._told)

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        return (protocol.describe(self.name, self.files),)

    @cached_property
    def _told(self) -> list[Listed]:
        index = self.path / batch.INDEX
        drawn = [
            Listed(self.path / entry.file, entry.caption, f"{index}, picture {entry.index}")
            for entry in batch.entries(self.path)
            if entry.file
        ]
        return drawn or listed(self.path)

    def __len__(self) -> int:
        return len(self.files)

    def batches(self, size: int) -> Iterator[list[Shown]]:
        for start in range(0, len(self), size):
            yield [
                Shown(read_picture(self.files[place]), place if self.captions else None)
                for place in range(start, min(start + size, len(self)))
            ]


@dataclass(frozen=True)
class Given:
    """Pictures in memory, (H, W, 3) each."""

    pictures: Sequence[Pixels]
    captions: Sequence[Caption] = ()
    """None, or one a picture."""
    name: str = "given"
    seed: None = None

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        digest = hashlib.sha256()
        for picture in self.pictures:
            digest.update(f"{picture.shape}".encode() + picture.tobytes())
        return (Input(self.name, len(self), digest.hexdigest()),)

    def __len__(self) -> int:
        return len(self.pictures)

    def batches(self, size: int) -> Iterator[list[Shown]]:
        for start in range(0, len(self), size):
            yield [
                Shown(self.pictures[place], place if self.captions else None)
                for place in range(start, min(start + size, len(self)))
            ]


@dataclass(frozen=True)
class Drawn:
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
            Caption(line.caption, line.facts, f"{self.file}, line {line.number}")
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

    def batches(self, size: int) -> Iterator[list[Shown]]:
        shown = []
        for drawn in paint(self.painter, self.jobs, batch_size=size):
            shown.append(Shown(drawn.pixels, drawn.job.line))
            if len(shown) == size:
                yield shown
                shown = []
        if shown:
            yield shown

    def repeated(self, captions: int, seeds: int) -> "Drawn":
        """In the order, and with the seeds, in which `t2i-run` counts the pictures of a caption."""
        lines = self.lines[:captions]
        return Drawn(self.painter, lines, self.file, len(lines) * seeds, self.seed, seeds)

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
    """A folder, or pictures in memory.

    Args:
        pictures: a folder; uint8 (B, H, W, 3); or a sequence of what `psnr` takes.

    Raises:
        ScoreError: there are none, or one is no picture.
    """
    if isinstance(pictures, (str, Path)):
        return Folder(Path(pictures))
    colours = [_in_colours(pixels_of(picture)) for picture in pictures]
    if not colours:
        raise ScoreError("there are no pictures", hint="pass a folder, or arrays (H, W, 3)")
    return Given(colours)


def _in_colours(pixels: Pixels) -> Pixels:
    return pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels


def pictures_in(folder: Path) -> tuple[Path, ...]:
    """Pictures of a folder in the order of their names; other files, and hidden ones, are none.

    Raises:
        ScoreError: there are none.
    """
    if not folder.is_dir():
        raise ScoreError(f"{folder} is no folder", hint="pass a folder of pictures")
    found = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in ENDINGS and not file.name.startswith(".")
    )
    if not found:
        raise ScoreError(
            f"there are no pictures in {folder}",
            hint=f"their names end in {', '.join(sorted(ENDINGS))}; folders in it are not searched",
        )
    return tuple(found)
