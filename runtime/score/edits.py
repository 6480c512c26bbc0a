"""Captions changed in one word, drawn before and after from the same noise.

`python -m bench.edits` writes both files that ship.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

from t2i.runtime import records
from t2i.runtime.archives import AGAIN
from t2i.runtime.draw import Painter
from t2i.runtime.errors import BundleError, TextError
from t2i.runtime.jobs import Job
from t2i.runtime.score.memory import key_of
from t2i.runtime.score.parts import Painted, Shown
from t2i.runtime.score.protocol import Input
from t2i.runtime.score.references import BIRDS
from t2i.runtime.score.sources import Caption, Whole
from t2i.runtime.text import Reading

EDITS = BIRDS / "edits.jsonl"
RENDERED = BIRDS / "edits.json"


@dataclass(frozen=True)
class Edit:
    """A caption, what it becomes, and what that may change in its picture."""

    before: str
    after: str
    attribute: str
    """What another value is said of afterwards, as captions call it."""
    was: str
    value: str
    """Said afterwards, as `was` before."""
    parts: tuple[str, ...]
    """Of the bird: these may change, all else should stay."""
    facts: dict[str, str]
    """What is said before and after alike, `{"wing": "black"}`."""


@runtime_checkable
class Editing(Protocol):
    """A source whose pictures 2i and 2i + 1 show edit i, before and after."""

    @property
    def edits(self) -> Sequence[Edit]: ...


@dataclass(frozen=True)
class Looks:
    """What `t2i-score edit` says of the renderer's own pictures of the edits."""

    judge: str
    """SHA-256 of the graph that saw what they show."""
    parts: str
    """SHA-256 of the graph that told their parts."""
    found: dict[str, float]
    """The parts of the result, by their names."""


@dataclass(frozen=True)
class RenderedEdits:
    """The file that holds it."""

    looks: Looks
    input: Input


def read_edits(path: Path = EDITS) -> tuple[Edit, ...]:
    """Raises BundleError where the file is damaged."""
    try:
        lines = path.read_bytes().splitlines()
        return tuple(records.decode(Edit, records.loads(line)) for line in lines)
    except (OSError, records.RecordError) as error:
        raise BundleError(f"{path.name} cannot be read: {error}", hint=AGAIN) from error


def rendered_edits(path: Path = RENDERED) -> RenderedEdits | None:
    """The file that ships; None where it does not.

    Raises:
        BundleError: it is damaged.
    """
    if not path.is_file():
        return None
    try:
        data = path.read_bytes()
        looks = records.decode(Looks, records.loads(data))
    except records.RecordError as error:
        raise BundleError(f"{path.name} cannot be read: {error}", hint=AGAIN) from error
    return RenderedEdits(looks, Input(path.name, None, hashlib.sha256(data).hexdigest()))


@dataclass(frozen=True)
class Edited(Whole):
    """Edits as a bundle draws them, both pictures of edit i with seed + i."""

    painter: Painter
    edits: tuple[Edit, ...]
    seed: int

    @property
    def name(self) -> str:
        return self.painter.manifest.name

    @cached_property
    def captions(self) -> tuple[Caption, ...]:
        """Those of edit i are 2i and 2i + 1."""
        return tuple(
            Caption(text, None, f"{EDITS.name}, line {number}")
            for number, edit in enumerate(self.edits, 1)
            for text in (edit.before, edit.after)
        )

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """Raises TextError where a caption cannot be drawn."""
        return tuple(
            Job(index, index, caption.text, self._reading(caption), self.seed + index // 2)
            for index, caption in enumerate(self.captions)
        )

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        return (Input(self.name, len(self), self.painter.graph.sha256), described(self.edits))

    def __len__(self) -> int:
        return 2 * len(self.edits)

    @property
    def identity(self) -> str:
        graphs = [graph.sha256 for graph in self.painter.manifest.graphs]
        return key_of(graphs, self.inputs[1].sha256, self.seed, self.painter.device)

    def batches(self, size: int, start: int = 0) -> Iterator[list[Shown]]:
        return self.part(start, len(self)).batches(size)

    def part(self, start: int, stop: int) -> Painted:
        return Painted(self.painter, self.jobs[start:stop])

    def _reading(self, caption: Caption) -> Reading:
        try:
            return self.painter.read(caption.text)
        except TextError as error:
            raise TextError(f"{caption.where}: {error}", hint=error.hint) from error


def described(edits: Sequence[Edit]) -> Input:
    """What the protocol says about them."""
    said = json.dumps([records.encode(edit) for edit in edits])
    return Input(EDITS.name, len(edits), hashlib.sha256(said.encode()).hexdigest())
