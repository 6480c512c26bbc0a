"""Drawn birds as a data set."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from t2i.runtime.errors import UsageError
from t2i.train.data.batch import Batch, Item, Said, collate
from t2i.train.data.birds import captions
from t2i.train.data.birds.attributes import COLOURS, VALUES, complete, facts_of
from t2i.train.data.birds.cache import Series
from t2i.train.data.birds.pose import NOISE
from t2i.train.data.birds.render import VERSION
from t2i.train.data.dataset import RETOLD, Dataset, tokenizer_of
from t2i.train.data.dice import Dice, mix
from t2i.train.data.settings import Settings, Split

if TYPE_CHECKING:
    from t2i.runtime.runs import Facing

FINE = 256
"""Birds are drawn at least this large, or twice the largest size asked where that is less, and
averaged down: a small picture is what one sees of a large one from afar."""
SAYINGS = 2000
"""Captions that say all words of the grammar."""


class Birds(Dataset):
    """Birds of one split. Class: the main colour. Each visit says the same facts in new words."""

    def __init__(self, settings: Settings, split: Split, *, ready: bool = True) -> None:
        """Draws what the cache does not hold yet; or, if it need not be `ready`, nothing."""
        tokenizer = tokenizer_of(settings, captions.vocabulary(), lambda: _sayings(settings))
        super().__init__(settings, tokenizer, COLOURS)
        self.split = split
        side = drawn_px(settings.px)
        self.series = Series(split, side, settings.seed, settings.facing, settings.traits)
        if ready:
            self.series.fill(settings.count)

    def __len__(self) -> int:
        return self.settings.count

    def item(self, index: int, visit_seed: int) -> Item:
        pixels, bird = self.series.picture(index)
        facts = self.series.facts(index)
        attributes = self.series.bird(index)
        dice = Dice(visit_seed)
        caption = captions.phrase(facts, dice, self.settings.words)
        picture = torch.tensor(pixels).permute(2, 0, 1).contiguous().float().div_(127.5).sub_(1)
        again = Dice(visit_seed, RETOLD)
        retold = captions.phrase(facts, again, self.settings.words) if self.settings.retold else ""
        return Item(
            images=_pyramid(picture, self.settings.px),
            tokens=self.tokens(caption, dice),
            caption=caption,
            label=attributes.label,
            noise=self.series.noise(index),
            attributes=attributes.codes,
            mask=_averaged(torch.from_numpy(bird).float()[None], self.settings.px[-1]),
            retold=self.tokens(retold, again) if retold else (),
            further=tuple(self.said(mix(visit_seed, n)) for n in range(self.settings.further)),
        )

    def said(self, key: int) -> Said:
        """A caption of some bird of this split, of which there is no end."""
        facts = facts_of(self.settings.seed, self.split, key, self.settings.traits)
        dice = Dice(key)
        caption = captions.phrase(facts, dice, self.settings.words)
        return Said(self.tokens(caption, dice), complete(facts).codes)

    def fixed(self, count: int) -> Batch:
        """Birds of the validation split, whose combinations of colours are never trained on.

        Who looks at them while training chooses by them, so they are none that scores are for.
        """
        unseen = Birds(replace(self.settings, count=count), "validation")
        return collate([unseen.item(index, mix(index)) for index in range(count)])

    @property
    def attributes(self) -> tuple[int, ...]:
        return tuple(map(len, VALUES.values()))

    @property
    def facing(self) -> "Facing | None":
        if self.settings.facing == "both":
            return None
        from t2i.runtime.runs import Facing

        read = [self._reader.read(f" {word}").tokens for word in ("left", "right")]
        left, right = (each if self.settings.characters else each[0] for each in read)
        return Facing(left, right, noise=NOISE.index("facing"))

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "birds",
            "renderer": VERSION,
            "split": self.split,
            "pictures": len(self),
            "captioned": len(self.captioned),
            "seed": self.settings.seed,
            "drawn_px": self.series.side,
            "facing": self.settings.facing,
            "traits": self.settings.traits,
            "attributes": {name: list(values) for name, values in VALUES.items()},
            "noise": list(NOISE),
        }


def _sayings(settings: Settings) -> Iterator[str]:
    """Captions of some birds to train on, from which byte pairs are learnt."""
    for index in range(SAYINGS):
        facts = facts_of(settings.seed, "train", index, settings.traits)
        yield captions.phrase(facts, Dice(index), settings.words)


def drawn_px(px: tuple[int, ...]) -> int:
    """At which size birds are drawn so that all of these can be averaged from it.

    Raises:
        UsageError: one of the sizes is no whole fraction of it.
    """
    side = max(px[-1], min(FINE, 2 * px[-1]))
    if any(side % each for each in px):
        raise UsageError(
            f"birds drawn at {side} px cannot be averaged to px = {px}",
            hint="pass sizes of which each is a whole fraction of the largest, as 64,128,256",
        )
    return side


def _pyramid(picture: Tensor, px: tuple[int, ...]) -> tuple[Tensor, ...]:
    """The picture at each size, smallest first; each made of the next larger that it divides."""
    made = [picture]
    for size in reversed(px):
        nearest = next(each for each in reversed(made) if each.shape[-1] % size == 0)
        made.append(_averaged(nearest, size))
    return tuple(reversed(made[1:]))


def _averaged(picture: Tensor, px: int) -> Tensor:
    """(C, side, side) -> (C, px, px), each pixel the mean of those it replaces."""
    factor = picture.shape[-1] // px
    return F.avg_pool2d(picture, factor) if factor > 1 else picture
