"""Pictures of a source that follow each other: what one process reads, or draws, at a time."""

import hashlib
import io
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from t2i.runtime.draw import Painter
from t2i.runtime.errors import PictureError
from t2i.runtime.jobs import Job, paint
from t2i.runtime.pictures import Pixels, decode_picture
from t2i.runtime.score.stored import Item

AHEAD = 4
"""Pictures a thread that are decoded before they are asked for."""


@dataclass(frozen=True)
class Shown:
    """One picture that a metric sees."""

    pixels: Pixels
    caption: int | None
    """Place of its caption among those of the source."""
    place: int = 0
    """Its number in the source."""


class Part(Protocol):
    """Some pictures of a source that follow each other."""

    @property
    def unreadable(self) -> Mapping[str, str]:
        """As that of the source, of these alone."""

    @property
    def hashes(self) -> Mapping[int, bytes]:
        """SHA-256 of the files that were read, by the places of their pictures in the source."""

    @property
    def names(self) -> Sequence[str]:
        """How people call these pictures."""

    def batches(self, size: int) -> Iterator[list[Shown]]:
        """These pictures, as the source shows them."""


class Read:
    """Files of pictures, decoded by several threads in the order of their places.

    What cannot be read is left out and listed in `unreadable`, unless that is an error.
    """

    def __init__(self, items: Sequence[Item], first: int, *, strict: bool, workers: int) -> None:
        """
        Args:
            first: place of the first of them in its source.
        """
        self.items, self.first = items, first
        self.strict, self.workers = strict, workers
        self.unreadable: dict[str, str] = {}
        """Why each was left out."""
        self.hashes: dict[int, bytes] = {}

    @property
    def names(self) -> Sequence[str]:
        return [item.name for item in self.items]

    def batches(self, size: int) -> Iterator[list[Shown]]:
        found = self._decoded()
        while shown := list(islice(found, size)):
            yield shown

    def _decoded(self) -> Iterator[Shown]:
        """Picture by picture, some of them begun before they are asked for."""
        waiting = iter(enumerate(self.items, self.first))
        with ThreadPoolExecutor(self.workers) as pool:
            ahead = islice(waiting, AHEAD * self.workers)
            begun = deque((*each, pool.submit(self._decode, *each)) for each in ahead)
            while begun:
                place, item, decoding = begun.popleft()
                begun += [(*each, pool.submit(self._decode, *each)) for each in islice(waiting, 1)]
                try:
                    yield Shown(decoding.result(), None if item.caption is None else place, place)
                except PictureError as error:
                    if self.strict:
                        pool.shutdown(wait=False, cancel_futures=True)
                        raise
                    self.unreadable[item.where] = str(error)

    def _decode(self, place: int, item: Item) -> Pixels:
        data = item.load()
        self.hashes[place] = hashlib.sha256(data).digest()
        return decode_picture(io.BytesIO(data), item.where)


@dataclass(frozen=True)
class Painted:
    """Pictures as a bundle draws them; each has the caption of its line."""

    painter: Painter
    jobs: Sequence[Job]

    @property
    def unreadable(self) -> Mapping[str, str]:
        return {}

    @property
    def hashes(self) -> Mapping[int, bytes]:
        return {}

    @property
    def names(self) -> Sequence[str]:
        return [f"seed {job.seed}" for job in self.jobs]

    def batches(self, size: int) -> Iterator[list[Shown]]:
        drawn = paint(self.painter, self.jobs, batch_size=size)
        found = (Shown(each.pixels, each.job.line, each.job.index) for each in drawn)
        while shown := list(islice(found, size)):
            yield shown
