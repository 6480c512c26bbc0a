"""Two questions about pictures of classes: is each known for what it is, and do they differ?

Source: AC-GAN, Odena et al. 2017, sections 4.1 and 4.2. The answers say nothing of each other: a
class that is always drawn alike may be known at a glance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from t2i.runtime.errors import ScoreError
from t2i.runtime.noise import DIMENSIONS, murmur3
from t2i.runtime.pictures import Pixels
from t2i.runtime.score.attributes import MAIN
from t2i.runtime.score.confidence import wilson
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.multiscale import small_ms_ssim
from t2i.runtime.score.protocol import Part, Value
from t2i.runtime.score.sources import Pictures, source_of

RESOLUTIONS = (16, 32, 64, 128)
PAIRS = 100
HASH = 3
"""Seed of the hash that draws pairs; noise is drawn with 0 and 1, candidates with 2."""
MOST = 5_793
"""Pictures of a class; more have more pairs than a seed has numbers."""


class Classifier(Protocol):
    """Who looks at the pictures. It must have had no part in the training of what drew them."""

    @property
    def name(self) -> str:
        """What a protocol calls it."""

    def classify(self, pictures: Sequence[Pixels]) -> Sequence[str]:
        """The class that each picture seems to be of."""


@dataclass(frozen=True)
class ByAttribute:
    """A bundle that reads an attribute in pictures; of drawn birds, the main colour."""

    extractor: Extractor
    attribute: str = MAIN

    @property
    def name(self) -> str:
        return f"{self.extractor.name} {self.extractor.bundle.sha256}, {self.attribute}"

    def classify(self, pictures: Sequence[Pixels]) -> Sequence[str]:
        head = self.extractor.attribute(self.attribute)
        values = self.extractor.manifest.attributes[self.attribute]
        logits = self.extractor.look(pictures, ["attributes"])["attributes"][:, head]
        return [values[place] for place in logits.argmax(1)]


def accuracy_by_resolution(
    pictures: Pictures,
    wanted: Sequence[str],
    classifier: Classifier,
    *,
    resolutions: Sequence[int] = RESOLUTIONS,
    batch_size: int = 8,
) -> Value:
    """Share of pictures that are known for their class once they are shrunk.

    A picture is shrunk so that its shorter side has the resolution, and enlarged again. Where
    smaller ones are known as well, the large ones tell nothing more.

    Args:
        pictures: a folder, uint8 (B, H, W, 3), or a sequence of pictures.
        wanted: the class of each.
        resolutions: in pixels, none above that of the pictures.

    Returns:
        The share at the greatest resolution, and as parts those at each.

    Raises:
        ScoreError: a picture is smaller than a resolution, or their classes are not known.

    Source: Odena et al. 2017, section 4.1.
    """
    source = source_of(pictures)
    if len(wanted) != len(source):
        raise ScoreError(
            f"{len(source):,} pictures have {len(wanted):,} classes",
            hint="name the class of each picture, in their order",
        )
    hits, named = dict.fromkeys(sorted(resolutions), 0), iter(wanted)
    for shown in source.batches(batch_size):
        classes = [next(named) for _ in shown]
        for px in hits:
            found = classifier.classify([seen_at(each.pixels, px) for each in shown])
            hits[px] += sum(a == b for a, b in zip(classes, found, strict=True))
    count = len(source)
    parts = [Part(f"{px} px", n / count, count, wilson(n, count)) for px, n in hits.items()]
    return Value(
        parts[-1].value,
        interval=parts[-1].interval,
        parts=tuple(parts),
        options={"classifier": classifier.name, "resize": "Pillow bilinear, down and up again"},
        inputs=source.inputs,
    )


def seen_at(pixels: Pixels, px: int) -> Pixels:
    """A picture without what is lost when its shorter side has only so many pixels."""
    height, width = pixels.shape[:2]
    short = min(height, width)
    if px > short:
        raise ScoreError(
            f"a picture of {width} × {height} pixels cannot be shrunk to {px}",
            hint="enlarging tells nothing: leave out resolutions above that of the pictures",
        )
    if px == short:
        return pixels
    small = (round(width * px / short), round(height * px / short))
    shrunk = Image.fromarray(pixels).resize(small, Image.Resampling.BILINEAR)
    return np.asarray(shrunk.resize((width, height), Image.Resampling.BILINEAR))


def class_diversity(
    pictures: Mapping[str, Pictures], *, pairs: int = PAIRS, seed: int = 0
) -> Value:
    """Mean MS-SSIM of random pairs of different pictures of a class: high is little diversity.

    A class counts as collapsed if real pictures of any class are less alike than its own.

    Args:
        pictures: of each class, by its name.
        pairs: of a class; all that there are if these are fewer.

    Returns:
        The mean over the classes, and as parts that of each.

    Raises:
        ScoreError: a class has fewer than two pictures, or they differ in size.

    Source: Odena et al. 2017, section 4.2, at 128 px.
    """
    parts = []
    for name, of_class in pictures.items():
        source = source_of(of_class)
        shown = [each.pixels for batch in source.batches(PAIRS) for each in batch]
        chosen = random_pairs(name, len(shown), pairs, seed)
        alike = [small_ms_ssim(shown[a], shown[b]) for a, b in chosen]
        parts.append(Part(name, float(np.mean(alike)), len(alike)))
    means = [part.value for part in parts]
    return Value(
        float(np.mean(means)),
        spread=float(np.std(means)) if len(means) > 1 else None,
        parts=tuple(parts),
        options={"pairs": pairs, "seed": seed, "similarity": "MS-SSIM, shrinking window"},
    )


def random_pairs(name: str, count: int, wanted: int, seed: int) -> list[tuple[int, int]]:
    """Different pairs of different pictures of a class, each pair as likely as any other.

    All pairs (0, 1), (0, 2), … are put in the order of MurmurHash3, with hash seed 3, of
    seed · 2²⁴ + place; the first are taken.
    """
    if not 2 <= count <= MOST:
        raise ScoreError(
            f"of {name!r} there are {count:,} pictures", hint=f"pass 2 to {MOST:,} of each class"
        )
    first, second = np.triu_indices(count, 1)
    counters = np.uint64(seed * DIMENSIONS) | np.arange(len(first), dtype=np.uint64)
    order = np.argsort(murmur3(counters, HASH), kind="stable")[:wanted]
    return list(zip(first[order].tolist(), second[order].tolist(), strict=True))
