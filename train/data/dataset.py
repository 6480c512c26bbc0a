"""What every data set can do: batches that are a pure function of step and seed."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from t2i.runtime.bundle import Text
from t2i.runtime.errors import BundleError, DataError
from t2i.runtime.text import (
    READ_WORDS,
    Tokenizer,
    character_tokenizer,
    vocabulary_size,
    word_tokenizer,
)
from t2i.train.data.batch import Batch, Item, collate
from t2i.train.data.dice import Dice, mix
from t2i.train.data.settings import Settings

if TYPE_CHECKING:
    from t2i.runtime.runs import Facing, TextSettings
    from t2i.train.recipe import Source


UNPAIRED, CAPTIONED, RETOLD = 1, 2, 3
"""Keys of the orders in which pictures are visited by themselves, and are chosen to have captions;
and of the dice that tell a picture again.
"""


@lru_cache(maxsize=8)
def _order(pictures: int, seed: int, epoch: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """In which order an epoch visits the pictures."""
    return np.random.Generator(np.random.Philox(key=mix(seed, epoch))).permutation(pictures)


def tokenizer_of(
    settings: Settings, words: Sequence[str], captions: Callable[[], Iterable[str]]
) -> bytes:
    """The `tokenizer.json` of captions that consist of these words.

    Raises:
        UsageError: there are to be fewer byte pairs than there can be.
        DataError: the file of byte pairs, or of words, is missing, or another one.
    """
    if settings.vocabulary:
        return _given(Path(settings.vocabulary))
    if settings.tokens:
        from t2i.train.data.bytepairs import learn, read

        if settings.merges:
            return read(Path(settings.merges))
        return learn(captions(), settings.pairs)
    if settings.characters:
        return character_tokenizer()
    return word_tokenizer(words)


def _given(path: Path) -> bytes:
    """
    Raises:
        DataError: it is no `tokenizer.json`.
    """
    try:
        data = path.read_bytes()
        vocabulary_size(data)
    except (OSError, BundleError) as error:
        raise DataError(
            f"{path} is no vocabulary: {getattr(error, 'strerror', None) or error}",
            hint="pass --set vocabulary=FILE: the tokenizer.json of a run, or what t2i-export "
            "--save-weights wrote beside weights",
        ) from error
    return data


class Dataset(ABC):
    """Pictures with captions, numbered from 0. Can be sent to other processes."""

    def __init__(self, settings: Settings, tokenizer: bytes, classes: Sequence[str] = ()) -> None:
        self.settings = settings
        self.tokenizer = tokenizer
        """The vocabulary, as `tokenizer.json`."""
        self.classes = tuple(classes)

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def item(self, index: int, visit_seed: int) -> Item:
        """One picture, with the caption and crop that this visit decides."""

    @abstractmethod
    def fixed(self, count: int) -> Batch:
        """Pictures and captions that training does not see, the same at every call."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What `recipe.json` says about the data."""

    @property
    def told(self) -> Sequence[int]:
        """Numbers of the pictures that have captions, known or not."""
        return range(len(self))

    @cached_property
    def captioned(self) -> Sequence[int]:
        """Numbers of the pictures whose captions are known.

        Raises:
            DataError: fewer have captions than are to be known.
        """
        told, share = self.told, self.settings.captions_fraction
        wanted = round(share * len(self))
        if wanted > len(told):
            raise DataError(
                f"captions_fraction={share:g} asks for {wanted:,} pictures with captions, and "
                f"{len(told):,} of {len(self):,} have one",
                hint=f"pass --set captions_fraction={len(told) / len(self):.3f}, or write captions",
            )
        if wanted == len(told):
            return told
        return sorted(told[n] for n in _order(len(told), mix(CAPTIONED), 0)[:wanted])

    @property
    def text(self) -> "TextSettings":
        from t2i.runtime.runs import TextSettings

        if whole := self.settings.tokens or self.settings.characters:
            return TextSettings(length=whole, unknown="keep")
        return TextSettings(length=self.settings.words, unknown="drop")

    @property
    def facing(self) -> "Facing | None":
        """How to turn pictures at run time, where all of them look one way."""
        return None

    @property
    def attributes(self) -> tuple[int, ...]:
        """Number of values of each attribute."""
        return ()

    @property
    def vector_size(self) -> int:
        """E of sentences that were made elsewhere; 0 where captions are read."""
        return 0

    def source(self) -> "Source":
        """What a recipe is told."""
        from t2i.train.recipe import Source

        return Source(
            vocabulary=vocabulary_size(self.tokenizer),
            length=self.text.length,
            classes=self.classes,
            pictures=len(self),
            attributes=self.attributes,
            facing=self.facing,
            vector_size=self.vector_size,
        )

    def batch(self, step: int, batch_size: int, seed: int) -> Batch:
        """The batch of one step: a pure function of its arguments.

        Each epoch visits the pictures in an order of its own and drops what fills no batch.

        Raises:
            DataError: there are fewer pictures than fit in a batch.
        """
        batch = collate(self._visited(self.captioned, step, batch_size, seed), step)
        if not self.settings.unpaired:
            return batch
        others = self._visited(range(len(self)), step, batch_size, mix(seed, UNPAIRED))
        return replace(batch, unpaired=collate(others).images)

    def _visited(
        self, pictures: Sequence[int], step: int, batch_size: int, seed: int
    ) -> list[Item]:
        """Those of these pictures that a step visits."""
        steps = len(pictures) // batch_size
        if steps == 0:
            raise DataError(
                f"{len(pictures)} pictures are too few for batches of {batch_size}",
                hint=f"add pictures, or pass --set batch_size={max(1, len(pictures))}",
            )
        epoch, place = divmod(step, steps)
        order = _order(len(pictures), seed, epoch)[place * batch_size : (place + 1) * batch_size]
        chosen = [pictures[n] for n in order]
        return [self.item(n, mix(seed, epoch, n)) for n in chosen]

    @cached_property
    def _reader(self) -> Tokenizer:
        digest = hashlib.sha256(self.tokenizer).hexdigest()
        length = self.settings.tokens or READ_WORDS
        text = Text("tokenizer.json", digest, length, self.text.unknown)
        return Tokenizer.from_json(self.tokenizer, text)

    def tokens(self, caption: str, dice: Dice) -> tuple[int, ...]:
        """Ids of a caption's characters or byte pairs, of a long one the first; or ids of its known
        words, of a long one a random choice, in their order.

        Source:
            AttnGAN's official `datasets.py`, `get_caption`.
        """
        tokens = self._reader.read(caption).tokens
        if len(tokens) <= self.text.length or self.settings.characters:
            return tokens[: self.text.length]
        kept = sorted(dice.shuffled(range(len(tokens)))[: self.text.length])
        return tuple(tokens[place] for place in kept)
