"""Between two captions: what the text graph gives for both, mixed.

A sentence is mixed number by number. Words have no partners, and captions differ in length; but
attention over a list in which each word stands equally often is attention over the words
themselves. So the words of both captions are repeated, in their order, to a common length and mixed
pair by pair: either end is exactly its caption, and nothing jumps on the way.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from t2i.runtime.bundle import Tensor
from t2i.runtime.errors import UsageError
from t2i.runtime.sessions import Arrays
from t2i.runtime.text import Reading

FRAMES = 9
Row = npt.NDArray[Any]


@dataclass(frozen=True)
class Between:
    """A place on the way from one caption to another."""

    start: Reading
    end: Reading
    share: float
    """Of the end: 0 … 1."""

    @property
    def words(self) -> tuple[str, ...]:
        """Those of both captions, one after the other."""
        return (*self.start.words, *self.end.words)

    @property
    def unknown(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.start.unknown, *self.end.unknown)))

    @property
    def surplus(self) -> int:
        return self.start.surplus + self.end.surplus

    @property
    def lengths(self) -> tuple[int, int]:
        """Tokens of both captions."""
        return len(self.start.tokens), len(self.end.tokens)


def way(start: Reading, end: Reading, frames: int) -> list[Between]:
    """Evenly from one caption to the other, both of them included.

    Raises:
        UsageError: there are fewer than two frames.
    """
    refuse_too_few(frames)
    return [Between(start, end, place / (frames - 1)) for place in range(frames)]


def refuse_too_few(frames: int) -> None:
    """Raises UsageError where the frames do not even show both captions."""
    if frames < 2:
        raise UsageError(
            f"{frames} is too few: a way shows both of its captions, and what lies between them",
            hint=f"--frames takes 2 or more, such as {FRAMES}",
        )


def blend(
    places: Sequence[Between], starts: Arrays, ends: Arrays, tensors: Sequence[Tensor]
) -> Arrays:
    """Mix two batches of outputs of a text graph, row by row.

    Shapes:
        each output (B, …) of the starts and of the ends -> (B, …), where T becomes the common
        length of both captions, the greatest of the batch.
    """
    longest = max(math.lcm(*place.lengths) for place in places)
    mixed: Arrays = {}
    for tensor in tensors:
        axis = tensor.shape.index("T") - 1 if "T" in tensor.shape else None  # of a row: without B
        pairs = zip(places, starts[tensor.name], ends[tensor.name], strict=True)
        mixed[tensor.name] = np.stack([_row(*pair, axis, longest) for pair in pairs])
    return mixed


def _row(place: Between, one: Row, other: Row, axis: int | None, longest: int) -> Row:
    """What lies between one row and the other; words at an axis of their own, padded with zeros."""
    if axis is None:
        return _mix(one, other, place.share)
    common = math.lcm(*place.lengths)
    one, other = (
        np.repeat(row.take(range(length), axis), common // length, axis)
        for row, length in zip((one, other), place.lengths, strict=True)
    )
    padding = [(0, longest - common if each == axis else 0) for each in range(one.ndim)]
    return np.pad(_mix(one, other, place.share), padding)


def _mix(one: Row, other: Row, share: float) -> Row:
    if one.dtype == bool:  # the mask of words, all of which are there
        return one & other
    return (1 - share) * one + share * other
