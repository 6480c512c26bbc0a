"""Fréchet Inception Distance: how far the features of two sets of pictures are apart."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from t2i.runtime import terminal
from t2i.runtime.errors import ScoreError
from t2i.runtime.score.features import Extractor, gaussian_of
from t2i.runtime.score.frechet import Gaussian, Moments, frechet_distance
from t2i.runtime.score.protocol import Input, Value
from t2i.runtime.score.sets import Setting
from t2i.runtime.score.sources import Folder, Pictures, Shown, source_of
from t2i.runtime.sessions import Arrays

STATISTICS = ".npz"


def fid(
    real: Pictures | Gaussian,
    fake: Pictures | Gaussian,
    *,
    extractor: str = "birds-features",
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

    Raises:
        BundleError: there is no such bundle.
        ScoreError: a set has fewer than two pictures, or statistics of other features.

    Source: Heusel et al. 2017, equation 6.
    """
    looking = Extractor.load(extractor, device=device, threads=threads)
    return frechet_distance(*(_gaussian(each, looking, batch_size) for each in (real, fake)))


class Fid:
    """Adds features up; the reference was looked at before."""

    outputs = ("features",)

    def __init__(self, setting: Setting) -> None:
        """Raises ScoreError where there is nothing to compare with."""
        self.sha256 = setting.extractor.sha256
        setting.extractor.require(*self.outputs)
        if len(setting.source) < 2:
            raise ScoreError("one picture has no FID", hint="pass sets of thousands of pictures")
        self.reference, self.name, self.inputs = _reference(setting)
        self.moments = Moments()
        F = len(self.reference.mean)
        if len(setting.source) <= F:
            terminal.warn(
                f"FID of {len(setting.source):,} pictures with {F:,} features comes out too large",
                hint="compare it only with FID of as many pictures, better of some thousands",
            )

    def see(self, shown: Sequence[Shown], seen: Arrays) -> None:
        self.moments.add(seen["features"])

    def value(self) -> Value:
        return Value(
            frechet_distance(self.reference, self.moments.gaussian(self.sha256)),
            reference=self.name,
            options={"features": len(self.reference.mean)},
            inputs=self.inputs,
        )


def _reference(setting: Setting) -> tuple[Gaussian, str, tuple[Input, ...]]:
    """What to compare with, what to call it, and what it was made of."""
    extractor, path, rendered = setting.extractor, setting.reference, setting.rendered
    if path and path.suffix == STATISTICS:
        statistics = _gaussian(path, extractor, setting.batch_size)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return statistics, path.name, (Input(path.name, statistics.count, sha256),)
    if path:
        folder = Folder(path)
        return gaussian_of(folder, extractor, setting.batch_size), folder.name, folder.inputs
    if rendered is None:
        raise ScoreError(
            "FID compares pictures with others, and there are none to compare with",
            hint="`t2i-score fid REAL FAKE`, or `t2i-score fid REAL --model NAME`",
        )
    return _seen_by(extractor, rendered.features, rendered.name), rendered.name, (rendered.input,)


def _gaussian(pictures: Pictures | Gaussian, extractor: Extractor, batch_size: int) -> Gaussian:
    if isinstance(pictures, Gaussian):
        return _seen_by(extractor, pictures, "the Gaussian")
    if isinstance(pictures, (str, Path)) and Path(pictures).suffix == STATISTICS:
        statistics = Gaussian.read(Path(pictures))
        if statistics.extractor is None:
            terminal.warn(f"{pictures} does not tell which extractor saw its pictures")
        return _seen_by(extractor, statistics, str(pictures))
    return gaussian_of(source_of(pictures), extractor, batch_size)


def _seen_by(extractor: Extractor, statistics: Gaussian, name: str) -> Gaussian:
    """The statistics, if this extractor can have made them."""
    other = statistics.extractor not in (None, extractor.sha256)
    width = extractor.width("features")
    if other or width not in (None, len(statistics.mean)):
        raise ScoreError(
            f"{name}: its {len(statistics.mean):,} features are not those of {extractor.name}",
            hint="pass the pictures themselves, or their extractor by --with fid=BUNDLE",
        )
    return statistics
