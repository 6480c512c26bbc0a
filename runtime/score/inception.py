"""Inception Score: pictures that are each certain, and together of many kinds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from t2i.runtime.errors import ScoreError
from t2i.runtime.score.attributes import MAIN
from t2i.runtime.score.estimates import bootstrapped
from t2i.runtime.score.features import INCEPTION, Extractor
from t2i.runtime.score.protocol import Value
from t2i.runtime.score.rows import Numbers, Rows, blocks
from t2i.runtime.score.sets import Captions, Setting, show
from t2i.runtime.score.sources import Pictures, source_of
from t2i.runtime.sessions import Arrays

SPLITS = 10


def inception_score(
    pictures: Pictures,
    *,
    extractor: str = INCEPTION,
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

    ranked_by = "how certain its kind is, and how rare among all: its divergence from their mean"

    def __init__(self, setting: Setting) -> None:
        extractor = setting.extractor
        self.practice, self.seed = setting.practice, setting.seed
        self.bootstrap = setting.bootstrap
        self._order(len(setting.source))
        classifies = "logits" in extractor.outputs
        self.outputs = ("logits",) if classifies else ("attributes",)
        extractor.require(*self.outputs)
        self.head = slice(None) if classifies else extractor.attribute(MAIN)
        self.kinds = "logits" if classifies else MAIN
        self.logits = Rows()

    def see(self, captions: Captions, seen: Arrays) -> None:
        self.logits.add(seen[self.outputs[0]][:, self.head])

    def by_picture(self) -> Sequence[float]:
        return divergences(self.logits.all()).tolist()

    def _order(self, count: int) -> npt.NDArray[np.int64]:
        """Which of so many pictures count.

        Raises:
            ScoreError: they are too few for the splits.
        """
        order = self.practice.order(count, self.seed)
        if len(order) < SPLITS:
            raise ScoreError(
                f"{count} picture{'' if count == 1 else 's'} cannot be split into {SPLITS}",
                hint="Inception Score needs thousands of pictures, 10 at the very least",
            )
        return order

    def value(self) -> Value:
        order = self._order(len(self.logits))  # some could not be read
        mean, spread = score_of(self.logits.all(), SPLITS, order)
        options: dict[str, Any] = {"splits": SPLITS, "kinds": self.kinds}
        if self.practice.shuffled:
            options |= {"counted": len(order), "shuffled by": self.seed}
        interval = None
        if self.bootstrap:
            options |= {"bootstrap": self.bootstrap, "seed": self.seed}
            logits = self.logits.all()
            interval = bootstrapped(
                mean,
                len(order),
                self.bootstrap,
                self.seed,
                # In an order of their own: neighbours that are one picture would share a split.
                lambda places: score_of(logits, SPLITS, order[_spread(places)])[0],
            )
        return Value(mean, spread, interval, options=options)


def _spread(places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The same, those of each split as far apart as can be."""
    return np.concatenate([places[start::SPLITS] for start in range(SPLITS)])


def score_of(
    logits: Numbers, splits: int, order: npt.NDArray[np.int64] | None = None
) -> tuple[float, float]:
    """Mean and population deviation over splits of exp E KL(p(kind | picture) ‖ p(kind)).

    Splits are consecutive: rows i·n/s to (i + 1)·n/s of n, as official code has it. More splits of
    the same pictures give a lower score.

    Shapes:
        logits (N, kinds), order (n): which rows count, one after the other
    """
    places = np.arange(len(logits)) if order is None else order
    n = len(places)
    parts = (places[i * n // splits : (i + 1) * n // splits] for i in range(splits))
    scores = [_exponential_divergence(logits[part]) for part in parts]
    return float(np.mean(scores)), float(np.std(scores))


def divergences(logits: Numbers) -> npt.NDArray[np.float64]:
    """KL(p(kind | picture) ‖ p(kind)) of each row (N, kinds)."""
    total = np.zeros(logits.shape[1])
    for _, rows in blocks(logits):
        total += np.exp(_log_likelihoods(rows)).sum(0)
    # A kind that no picture has counts for nothing, whatever stands for its logarithm.
    log_mean = np.log(np.where(total > 0, total / len(logits), 1.0))
    found = np.empty(len(logits))
    for place, rows in blocks(logits):
        log_p = _log_likelihoods(rows)
        found[place] = (np.exp(log_p) * (log_p - log_mean)).sum(1)
    return found


def _log_likelihoods(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = rows - np.logaddexp.reduce(rows, axis=1, keepdims=True)
    return found


def _exponential_divergence(logits: Numbers) -> float:
    """The mean divergence is the entropy of the mean less the mean of the entropies."""
    total, certainty = np.zeros(logits.shape[1]), 0.0
    for _, rows in blocks(logits):
        log_p = _log_likelihoods(rows)
        p = np.exp(log_p)
        total += p.sum(0)
        certainty += float((p * log_p).sum())
    mean = total / len(logits)
    seen = mean[mean > 0]
    return float(np.exp(certainty / len(logits) - (seen * np.log(seen)).sum()))
