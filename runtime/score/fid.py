"""Fréchet Inception Distance: how far the features of two sets of pictures are apart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from t2i.runtime import terminal
from t2i.runtime.errors import ScoreError
from t2i.runtime.score.estimates import (
    bootstrapped,
    distances_by_size,
    gaussian_at,
    unbiased_distance,
)
from t2i.runtime.score.features import INCEPTION, Extractor
from t2i.runtime.score.frechet import Gaussian, Moments, Statistics, frechet_distance
from t2i.runtime.score.protocol import Part, Value
from t2i.runtime.score.reference import Summed, pictures_of, seen_by
from t2i.runtime.score.resize import PYTORCH_FID
from t2i.runtime.score.rows import Rows, blocks
from t2i.runtime.score.sets import Captions, Curve, Setting, Watching, show
from t2i.runtime.score.sources import Pictures, Source, source_of
from t2i.runtime.sessions import Arrays

STATISTICS = ".npz"
USUAL = 2048
"""Features of an Inception."""


def fid(
    real: Pictures | Gaussian,
    fake: Pictures | Gaussian,
    *,
    extractor: str = INCEPTION,
    resize: str = PYTORCH_FID,
    device: str = "auto",
    threads: int | None = None,
    batch_size: int = 8,
) -> float:
    """Fréchet distance between the features of two sets of pictures: 0 for equal sets.

    Falls with the number of pictures: compare only equal counts, and better thousands.

    Args:
        real, fake: a folder, uint8 (B, H, W, 3), a sequence of pictures, statistics as `.npz`, or
            a `Gaussian`.
        extractor: name or path of a bundle of features.
        resize: `tf`, `pytorch-fid`, `clean` or `stackgan`: how pictures come to the size at which
            an Inception sees them.

    Raises:
        BundleError: there is no such bundle.
        ScoreError: a set has fewer than two pictures, or statistics of other features.

    Source: Heusel et al. 2017, equation 6.
    """
    looking = Extractor.load(extractor, device=device, threads=threads, resize=resize)
    return frechet_distance(*(_gaussian(each, looking, batch_size) for each in (real, fake)))


class Fid:
    """Adds features up, those of the reference too where they are not known."""

    outputs = ("features",)
    ranked_by = "how near its features lie to the mean of the reference's"

    def __init__(self, setting: Setting) -> None:
        """Raises ScoreError where there is nothing to compare with."""
        self.made_by = setting.extractor.sha256, setting.extractor.resize_name
        setting.extractor.require(*self.outputs)
        count = len(setting.source)
        if count < 2:
            raise ScoreError("one picture has no FID", hint="pass sets of thousands of pictures")
        self.compared = _compared_with(setting)
        self.summed = Summed()
        self.moments = Moments()
        self.bootstrap, self.extrapolate = setting.bootstrap, setting.extrapolate
        self.seed = setting.seed
        wanted = self.bootstrap or self.extrapolate or setting.detailed
        self.rows = Rows() if wanted else None
        F = setting.extractor.width("features") or USUAL
        fewest = min(count, _count(self.compared) or count)
        if fewest <= F:  # then the covariance is singular
            terminal.warn(
                f"FID of {fewest:,} pictures with {F:,} features comes out too large",
                hint="compare it only with FID of as many pictures, better of some thousands",
            )

    @property
    def real(self) -> Watching | None:
        return None if isinstance(self.compared, Statistics) else self.summed

    def see(self, captions: Captions, seen: Arrays) -> None:
        self.moments.add(seen["features"])
        if self.rows is not None:
            self.rows.add(seen["features"])

    def reference(self) -> Gaussian:
        """What is compared with, once it was seen."""
        if isinstance(self.compared, Statistics):
            return self.compared.gaussian
        return self.summed.moments.gaussian(*self.made_by)

    def by_picture(self) -> Sequence[float]:
        assert self.rows is not None, "the setting is detailed"
        mean = self.reference().mean
        return [
            -float(each)
            for _, rows in blocks(self.rows.all())
            for each in np.linalg.norm(rows - mean, axis=1)
        ]

    def curve(self) -> Curve | None:
        """How the bias falls as the sample grows."""
        assert self.rows is not None, "the setting is detailed"
        sizes, found = distances_by_size(self.reference(), self.rows.all(), self.seed)
        if len(sizes) < 2:
            return None
        points = list(zip(sizes.tolist(), found.tolist(), strict=True))
        return Curve("FID over sample size", "generated pictures", "FID", {"FID": points})

    def value(self) -> Value:
        reference, compared = self.reference(), self.compared
        distance = frechet_distance(reference, self.moments.gaussian(*self.made_by))
        options: dict[str, Any] = {"features": len(reference.mean)}
        interval: tuple[float, float] | None = None
        parts: tuple[Part, ...] = ()
        if self.rows is not None:
            rows = self.rows.all()
            if self.bootstrap:
                options |= {"bootstrap": self.bootstrap, "seed": self.seed}
                interval = bootstrapped(
                    distance,
                    len(rows),
                    self.bootstrap,
                    self.seed,
                    lambda places: frechet_distance(reference, gaussian_at(rows, places)),
                )
            if self.extrapolate:
                end = unbiased_distance(reference, rows, self.seed)
                parts = (Part("FID∞", end, len(rows)),)
        return Value(
            distance,
            interval=interval,
            parts=parts,
            reference=compared.name,
            options=options,
            inputs=(compared.input,) if isinstance(compared, Statistics) else compared.inputs,
        )


def _count(compared: Statistics | Source) -> int | None:
    return compared.gaussian.count if isinstance(compared, Statistics) else len(compared)


def _compared_with(setting: Setting) -> Statistics | Source:
    """Pictures, or what is known of them, which this extractor must be able to have made.

    Raises:
        ScoreError: there is nothing to compare with, or one picture alone.
    """
    reference, rendered = setting.reference, setting.rendered
    if reference is None and rendered:
        reference = Statistics(rendered.features, rendered.name, rendered.input)
    if isinstance(reference, Statistics):
        seen_by(setting.extractor, reference.gaussian, reference.name)
        return reference
    pictures = pictures_of(setting, "FID")
    if len(pictures) < 2:
        raise ScoreError(
            f"{pictures.name}: one picture has no covariance",
            hint="pass sets of thousands of pictures",
        )
    return pictures


def _gaussian(pictures: Pictures | Gaussian, extractor: Extractor, batch_size: int) -> Gaussian:
    if isinstance(pictures, Gaussian):
        return seen_by(extractor, pictures, "the Gaussian")
    if isinstance(pictures, (str, Path)) and Path(pictures).suffix == STATISTICS:
        known = Statistics.read(Path(pictures))
        return seen_by(extractor, known.gaussian, str(pictures))
    extractor.require("features")
    summed = Summed()
    show(source_of(pictures), [(extractor, summed)], batch_size)
    return summed.moments.gaussian(extractor.sha256, extractor.resize_name)
