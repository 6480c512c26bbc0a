"""Inception Score: pictures that are each certain, and together of many kinds."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from t2i.runtime.errors import ScoreError
from t2i.runtime.score.attributes import MAIN
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.protocol import Value
from t2i.runtime.score.sets import Setting, show
from t2i.runtime.score.sources import Pictures, Shown, source_of
from t2i.runtime.sessions import Arrays

SPLITS = 10


def inception_score(
    pictures: Pictures,
    *,
    extractor: str = "birds-features",
    device: str = "auto",
    threads: int | None = None,
    batch_size: int = 8,
) -> tuple[float, float]:
    """Inception Score of a set of pictures: mean and standard deviation over 10 splits.

    The kinds are those of the extractor: its output `logits`, or the main colours of drawn birds.

    Args:
        pictures: a folder, uint8 (B, H, W, 3), or a sequence of pictures.
        extractor: name or path of a bundle of features.

    Raises:
        BundleError: there is no such bundle.
        ScoreError: there are fewer than 10 pictures, or the bundle tells no kinds.

    Source: Salimans et al. 2016, section 4.
    """
    looking = Extractor.load(extractor, device=device, threads=threads)
    source = source_of(pictures)
    scorer = Inception(Setting(looking, source))
    show(source, [(looking, scorer)], batch_size)
    found = scorer.value()
    assert found.spread is not None
    return found.value, found.spread


class Inception:
    """Keeps what the extractor says of every picture."""

    def __init__(self, setting: Setting) -> None:
        extractor, count = setting.extractor, len(setting.source)
        if count < SPLITS:
            raise ScoreError(
                f"{count} pictures cannot be split into {SPLITS}",
                hint="Inception Score needs thousands of pictures, 10 at the very least",
            )
        classifies = "logits" in extractor.outputs
        self.outputs = ("logits",) if classifies else ("attributes",)
        extractor.require(*self.outputs)
        self.head = slice(None) if classifies else extractor.attribute(MAIN)
        self.options = {"splits": SPLITS, "kinds": "logits" if classifies else MAIN}
        self.logits: list[npt.NDArray[np.floating]] = []

    def see(self, shown: Sequence[Shown], seen: Arrays) -> None:
        self.logits.append(seen[self.outputs[0]][:, self.head])

    def value(self) -> Value:
        mean, spread = score_of(np.concatenate(self.logits), SPLITS)
        return Value(mean, spread, options=self.options)


def score_of(logits: npt.NDArray[np.floating], splits: int) -> tuple[float, float]:
    """Mean and population deviation over splits of exp E KL(p(kind | picture) ‖ p(kind)).

    Splits are consecutive: rows i·n/s to (i + 1)·n/s of n, as official code has it. More splits of
    the same pictures give a lower score.

    Shapes:
        logits (N, kinds)
    """
    wide = logits.astype(np.float64)
    log_p = wide - np.logaddexp.reduce(wide, axis=1, keepdims=True)
    n = len(log_p)
    parts = (log_p[i * n // splits : (i + 1) * n // splits] for i in range(splits))
    scores = [_exponential_divergence(part) for part in parts]
    return float(np.mean(scores)), float(np.std(scores))


def _exponential_divergence(log_p: npt.NDArray[np.float64]) -> float:
    log_marginal = np.logaddexp.reduce(log_p, axis=0) - np.log(len(log_p))
    return float(np.exp(np.mean(np.sum(np.exp(log_p) * (log_p - log_marginal), axis=1))))
