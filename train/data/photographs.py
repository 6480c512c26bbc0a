"""Photographs with captions, whatever the layout in which they lie on disk."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from t2i.runtime.errors import DataError, PictureError
from t2i.runtime.pictures import read_picture
from t2i.runtime.text import words_of
from t2i.train.data.batch import Batch, Item, collate
from t2i.train.data.dataset import Dataset, tokenizer_of
from t2i.train.data.dice import Dice, mix, mix_text
from t2i.train.data.settings import Settings, Split

ROOM = 76 / 64
"""A crop of 64 px is taken out of a picture whose shorter side has 76."""
LONGEST_STRIP = 16
"""Pictures that are more times as long as broad are refused: enlarged, they would fill memory."""

Box = tuple[int, int, int, int]
"""Left, top, width, height."""


@dataclass(frozen=True)
class Photograph:
    path: Path
    captions: tuple[str, ...]
    label: str | None = None
    box: Box | None = None
    """What the picture is of."""


@dataclass(frozen=True)
class Collection:
    """All photographs of a data set."""

    train: tuple[Photograph, ...]
    held_out: tuple[Photograph, ...]


class Photographs(Dataset):
    """One split of a collection; the vocabulary is that of the training captions."""

    def __init__(self, settings: Settings, collection: Collection, split: Split) -> None:
        """
        Raises:
            DataError: a picture is missing or has no caption, or only some have labels.
        """
        words: tuple[str, ...] = ()
        if not settings.tokens:  # byte pairs read any script
            words = frequent_words(collection.train, settings.min_word_count)
        labels = {each.label for each in (*collection.train, *collection.held_out)}
        classes = sorted(label for label in labels if label is not None)
        if classes and None in labels:
            raise DataError(
                "some pictures have a label and others have none",
                hint="give every picture a label, or none",
            )
        tokenizer = tokenizer_of(
            settings, words, lambda: (text for each in collection.train for text in each.captions)
        )
        super().__init__(settings, tokenizer, classes)
        self.split = split
        self.collection = collection
        known = None if settings.tokens else set(words)
        self.pictures = tuple(
            _readable(each, known, whole=settings.captions_fraction == 1)
            for each in (collection.train if split == "train" else collection.held_out)
        )

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def told(self) -> Sequence[int]:
        return [n for n, each in enumerate(self.pictures) if each.captions]

    def item(self, index: int, visit_seed: int) -> Item:
        photograph = self.pictures[index]
        dice = Dice(visit_seed)
        caption = dice.choice(photograph.captions) if photograph.captions else ""
        crop = _crop(_decoded(photograph), self.settings, dice)
        sizes = (crop.resize((px, px), Image.Resampling.BILINEAR) for px in self.settings.px)
        return Item(
            images=tuple(map(_tensor, sizes)),
            tokens=self.tokens(caption, dice) if caption else (),
            caption=caption,
            label=-1 if photograph.label is None else self.classes.index(photograph.label),
        )

    def fixed(self, count: int) -> Batch:
        """Held-out pictures; where there are none, the first ones."""
        held = self
        if self.split == "train" and self.collection.held_out:
            held = Photographs(self.settings, self.collection, "test")
        held = held if held.told else self
        told = held.told
        return collate([held.item(told[n % len(told)], mix(n)) for n in range(count)])

    def describe(self) -> dict[str, Any]:
        return {
            "kind": self.settings.kind,
            "split": self.split,
            "pictures": len(self),
            "captions": sum(len(each.captions) for each in self.pictures),
            "captioned": len(self.captioned),
            "held_out": len(self.collection.held_out),
        }


def frequent_words(photographs: Iterable[Photograph], least: int) -> tuple[str, ...]:
    """The words of all captions that occur often enough, most frequent first.

    Raises:
        DataError: there are none.
    """
    counts = Counter(
        word for each in photographs for caption in each.captions for word in words_of(caption)
    )
    if not counts:
        raise DataError(
            "no picture has a caption to learn from",
            hint='write one beside each: {"file_name": "1.png", "text": "a red bird"}',
        )
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    words = tuple(word for word, count in ranked if count >= least)
    if not words:
        raise DataError(
            f"no word of the captions occurs {least} times",
            hint="look at the data with --check-data, or lower min_word_count",
        )
    return words


def _readable(photograph: Photograph, known: set[str] | None, *, whole: bool) -> Photograph:
    """The photograph with those of its captions that say something.

    Args:
        whole: all pictures must have captions.
    """
    if not photograph.path.is_file():
        raise DataError(
            f"{photograph.path} is missing, but has captions",
            hint="list all that is wrong with --check-data",
        )
    captions = tuple(
        each
        for each in photograph.captions
        if (each.strip() if known is None else not known.isdisjoint(words_of(each)))
    )
    if whole and not captions:
        raise DataError(
            f"{photograph.path} has no caption with a known word",
            hint="write one, remove the picture, lower min_word_count, or name the share that has "
            "captions, as in --set captions_fraction=0.5",
        )
    return replace(photograph, captions=captions)


def read_pixels(path: Path) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """Pixels (H, W, 3) of a file.

    Raises:
        DataError: it is damaged, too large, or a mere strip.
    """
    try:
        pixels = read_picture(path)
    except PictureError as error:
        raise DataError(
            f"cannot use a picture of the data set: {error}",
            hint="replace or remove it; --check-data lists every such file",
        ) from error
    short, long = sorted(pixels.shape[:2])
    if long > LONGEST_STRIP * short:
        raise DataError(
            f"{path} is a strip of {pixels.shape[1]} × {pixels.shape[0]} pixels",
            hint="replace or remove it; --check-data lists every such file",
        )
    return pixels


def _decoded(photograph: Photograph) -> Image.Image:
    """The picture, cut to a square around its box.

    Source:
        AttnGAN's official `datasets.py`, `get_imgs`: half a side is 0.75 of the box's longer one.
    """
    picture = Image.fromarray(read_pixels(photograph.path))
    if photograph.box is None:
        return picture
    left, top, width, height = photograph.box
    half = int(0.75 * max(width, height))
    across, down = (2 * left + width) // 2, (2 * top + height) // 2
    cut = (
        max(0, across - half),
        max(0, down - half),
        min(picture.width, across + half),
        min(picture.height, down + half),
    )
    if cut[0] >= cut[2] or cut[1] >= cut[3]:
        raise DataError(
            f"the box {photograph.box} of {photograph.path} lies outside the picture",
            hint="take bounding_boxes.txt and the picture from the same source",
        )
    return picture.crop(cut)


def _crop(picture: Image.Image, settings: Settings, dice: Dice) -> Image.Image:
    """A square as large as the largest size: anywhere and perhaps mirrored, or the middle.

    Source:
        AttnGAN's official `main.py`: Scale(76/64 of the size), RandomCrop, RandomHorizontalFlip.
    """
    px = settings.px[-1]
    short = int(px * ROOM) if settings.crop else px
    factor = short / min(picture.size)
    width, height = (max(short, int(side * factor)) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    place = (dice.random(), dice.random()) if settings.crop else (0.5, 0.5)
    left, top = int(place[0] * (width - px + 1)), int(place[1] * (height - px + 1))
    picture = picture.crop((left, top, left + px, top + px))
    if settings.crop and dice.chance(0.5):
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return picture


def _tensor(picture: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.array(picture))
    return pixels.permute(2, 0, 1).float() / 127.5 - 1


def hold_out(photographs: Sequence[Photograph], every: int = 20) -> Collection:
    """Keep one picture in twenty for tests, chosen by a hash of its name."""
    held = [mix_text(each.path.name) % every == 0 for each in photographs]
    return Collection(
        tuple(each for each, out in zip(photographs, held, strict=True) if not out),
        tuple(each for each, out in zip(photographs, held, strict=True) if out),
    )
