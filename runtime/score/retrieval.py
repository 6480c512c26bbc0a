"""R-precision: whether a picture is nearer to its own caption than to those of others."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from t2i.runtime.errors import ScoreError
from t2i.runtime.noise import DIMENSIONS, dice, murmur3
from t2i.runtime.score.confidence import wilson
from t2i.runtime.score.own_captions import captions_of
from t2i.runtime.score.protocol import Value
from t2i.runtime.score.sets import Captions, Setting
from t2i.runtime.score.sources import Caption
from t2i.runtime.sessions import Arrays

CANDIDATES = 100
NORM_FLOOR = 1e-8
HASH = 2
"""Seed of the hash that draws candidates; pictures' noise is drawn with 0 and 1."""


class Retrieval:
    """Asks of each picture which of 100 captions is its own."""

    outputs = ("code",)
    ranked_by = "how much nearer its own caption lies than the nearest of the 99 others"

    def __init__(self, setting: Setting) -> None:
        """Reads all captions.

        Raises:
            ScoreError: pictures have no captions, or too few different ones, or the extractor
                reads none.
        """
        captions = captions_of(setting.source, "r-precision")
        setting.extractor.require(*self.outputs)
        self.pool = Pool(captions)
        self.sentences = setting.extractor.sentences(self.pool.texts)
        self.seed, self.practice = setting.seed, setting.practice
        self.pictures = len(setting.source)
        self.hits: list[list[bool]] = [[] for _ in range(self.practice.runs)]
        """By run and picture."""
        self.leads: list[float] = []
        """Of each picture, in the first run."""

    def see(self, captions: Captions, seen: Arrays) -> None:
        own = [self.pool.place(each) for each in captions]
        for run, hits in enumerate(self.hits):
            first = self.seed + run * self.pictures + len(hits)
            others = [self.pool.others(place, first + i) for i, place in enumerate(own)]
            ahead = leads(seen["code"], self.sentences, own, others)
            hits.extend((ahead > 0).tolist())
            if run == 0:
                self.leads += ahead.tolist()

    def by_picture(self) -> Sequence[float]:
        return self.leads

    def value(self) -> Value:
        """The share of hits; its spread over folds or runs, else its confidence."""
        rates = [sum(hits) / len(hits) for hits in self.hits]
        (hits, *more), folds = self.hits, self.practice.folds
        options = {"candidates": CANDIDATES, "captions": len(self.pool.texts)}
        spread = float(np.std(rates)) if more else None
        if more:
            options["runs"] = len(rates)
        if folds:
            options["folds"] = folds
            spread = spread_of(hits, folds, self.seed)
        return Value(
            float(np.mean(rates)),
            spread,
            interval=None if more else wilson(sum(hits), len(hits)),
            reference="the pictures' own captions",
            options=options,
        )


def spread_of(hits: Sequence[bool], folds: int, seed: int) -> float:
    """Population deviation over equal parts of shuffled hits; what is left over counts in none.

    Source: DM-GAN's official `trainer.py`, whose parts lack their last hit by mistake.
    """
    shuffled = dice(seed).permutation(np.asarray(hits, float))
    size = len(shuffled) // folds
    return float(shuffled[: size * folds].reshape(folds, size).mean(1).std()) if size else 0.0


class Pool:
    """The different captions of a source, among which a picture's own is to be found."""

    def __init__(self, captions: Sequence[Caption]) -> None:
        """Raises ScoreError where some caption has too few others."""
        places: dict[str, int] = {}
        meanings: dict[object, int] = {}
        meaning: list[int] = []
        for caption in captions:
            if caption.text not in places:
                places[caption.text] = len(places)
                facts = caption.facts
                means: object = caption.text if facts is None else frozenset(facts.items())
                if caption.label is not None:  # then another class says something else
                    means = (caption.label,)
                meaning.append(meanings.setdefault(means, len(meanings)))
        self.texts = tuple(places)
        self._places = [places[caption.text] for caption in captions]
        self._meaning = np.array(meaning)
        fewest = len(self.texts) - int(np.bincount(self._meaning).max())
        if fewest < CANDIDATES - 1:
            raise ScoreError(
                f"r-precision finds a caption among {CANDIDATES}, and one of these has only "
                f"{fewest} others that say something else",
                hint=f"score pictures of {CANDIDATES} or more different captions",
            )

    def place(self, caption: int | None) -> int:
        """Where in the pool a caption of the source stands."""
        assert caption is not None, "its source has captions"
        return self._places[caption]

    def others(self, own: int, seed: int) -> npt.NDArray[np.int64]:
        """The 99 captions that compete with a picture's own: all different, none of its meaning.

        Captions are put in the order of MurmurHash3, with hash seed 2, of seed · 2²⁴ + place; the
        first that are eligible compete.
        """
        counters = np.uint64(seed * DIMENSIONS) | np.arange(len(self.texts), dtype=np.uint64)
        order = np.argsort(murmur3(counters, HASH), kind="stable")
        return order[self._meaning[order] != self._meaning[own]][: CANDIDATES - 1]


def leads(
    codes: npt.NDArray[np.floating],
    sentences: npt.NDArray[np.floating],
    own: Sequence[int],
    others: Sequence[npt.NDArray[np.int64]],
) -> npt.NDArray[np.float64]:
    """By how much each picture's own caption is nearer than the nearest other, by the cosine.

    A picture is retrieved where that is more than 0: a tie is no hit, for where two captions read
    alike, nobody can say which was meant.

    Shapes:
        codes (B, E), sentences (N, E), own B places among the sentences, others B × 99 -> (B,)

    Source: Xu et al. 2018, section 4.1; DM-GAN's official `trainer.py` for the floor of the norms.
    """
    near = cosines(codes, sentences)
    rows = np.arange(len(near))
    best_other = np.take_along_axis(near, np.stack(others), axis=1).max(1)
    lead: npt.NDArray[np.float64] = near[rows, np.asarray(own)] - best_other
    return lead


def cosines(
    codes: npt.NDArray[np.floating], sentences: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Of each picture with each sentence: (B, E), (N, E) -> (B, N)."""
    a, b = codes.astype(np.float64), sentences.astype(np.float64)
    norms = np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))
    # Not a product of matrices: there, equal sentences may differ in the last bit by their places.
    return np.einsum("be,ne->bn", a, b) / np.maximum(norms, NORM_FLOOR)
