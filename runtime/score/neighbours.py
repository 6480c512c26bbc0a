"""Precision and recall, density and coverage: whose features lie among whose."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from t2i.runtime.errors import ScoreError
from t2i.runtime.score.protocol import Part, Value
from t2i.runtime.score.reference import Kept, pictures_of
from t2i.runtime.score.rows import Numbers, Rows, blocks
from t2i.runtime.score.sets import Captions, Curve, Setting
from t2i.runtime.sessions import Arrays

Squares = npt.NDArray[np.float64]

K_PRECISION, K_DENSITY = 3, 5
"""Neighbours that make a ball, in either paper."""
K_MOST = 10
"""Up to which a curve shows what they decide."""
EQUAL = 1e-12
"""Share of two squared lengths below which their squared distance is only rounding."""


@dataclass(frozen=True)
class Overlap:
    """Shares of the generated (precision) and the real pictures (recall, coverage) that lie among
    the others; density has no upper bound."""

    precision: float
    recall: float
    density: float
    coverage: float

    @property
    def f_score(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


class Neighbours:
    """Keeps the features of both sets."""

    outputs = ("features",)
    ranked_by = "realism: by how much the best ball around a real picture holds it"

    def __init__(self, setting: Setting) -> None:
        """Raises ScoreError where there is nothing to compare with, or a set is too small."""
        self.reference = pictures_of(setting, "prdc")
        _refuse_few(min(len(self.reference), len(setting.source)))
        self.real, self.features = Kept(), Rows()

    def see(self, captions: Captions, seen: Arrays) -> None:
        self.features.add(seen["features"])

    def by_picture(self) -> Sequence[float]:
        return self._detail.realism

    def curve(self) -> Curve | None:
        """What other numbers of neighbours would say."""
        detail = self._detail
        lines = {"precision": detail.precision, "recall": detail.recall}
        return Curve(
            "Precision and recall over the size of a ball",
            "neighbours that a ball reaches to",
            "share",
            {name: list(enumerate(shares, 1)) for name, shares in lines.items()},
        )

    @cached_property
    def _detail(self) -> "Detail":
        return detail(self.real.rows.all(), self.features.all())

    def value(self) -> Value:
        real, fake = self.real.rows.all(), self.features.all()
        _refuse_few(min(len(real), len(fake)))  # some could not be read
        found = overlap(real, fake)
        counts = {"precision": fake, "recall": real, "density": fake, "coverage": real}
        return Value(
            found.f_score,
            parts=tuple(
                Part(name, getattr(found, name), len(rows)) for name, rows in counts.items()
            ),
            reference=self.reference.name,
            options={"neighbours": {"precision": K_PRECISION, "density": K_DENSITY}},
            inputs=self.reference.inputs,
        )


def _refuse_few(count: int) -> None:
    if count <= K_DENSITY:
        raise ScoreError(
            f"{count} picture{'' if count == 1 else 's'} cannot have {K_DENSITY} neighbours each",
            hint="pass sets of thousands of pictures",
        )


def overlap(
    real: Numbers, fake: Numbers, k: int = K_PRECISION, k_density: int = K_DENSITY
) -> Overlap:
    """All four, in one pass over blocks of pairs.

    Shapes:
        real (N, F), fake (M, F)

    Source: Kynkäänniemi et al. 2019, equations 1 and 2; Naeem et al. 2020, equations 3 and 4.
    """
    near, wide = squared_radii(real, k), squared_radii(real, k_density)
    near_fake = squared_radii(fake, k)
    precise, dense = np.zeros(len(fake), bool), np.zeros(len(fake), np.int64)
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for i, some in blocks(real):
        for j, others in blocks(fake):
            apart = squared_distances(some, others)
            inside = apart <= wide[i, None]
            precise[j] |= (apart <= near[i, None]).any(0)
            recalled[i] |= (apart <= near_fake[None, j]).any(1)
            dense[j] += inside.sum(0)
            covered[i] |= inside.any(1)
    return Overlap(
        float(precise.mean()),
        float(recalled.mean()),
        float(dense.mean() / k_density),
        float(covered.mean()),
    )


@dataclass(frozen=True)
class Detail:
    """What is behind precision and recall."""

    precision: list[float]
    """With balls that reach to neighbour 1, 2, …"""
    recall: list[float]
    realism: list[float]
    """Of each generated picture: 1 on the border of a ball around a real one, more inside."""


def detail(real: Numbers, fake: Numbers, most: int = K_MOST) -> Detail:
    """Precision and recall for each number of neighbours, and the realism of each picture.

    Shapes:
        real (N, F), fake (M, F)

    Source: Kynkäänniemi et al. 2019; realism by equation 3, from the smaller half of the balls.
    """
    most = min(most, len(real) - 1, len(fake) - 1)
    near, near_fake = all_squared_radii(real, most), all_squared_radii(fake, most)
    radii = near[:, K_PRECISION - 1]
    small = np.where(radii <= np.median(radii), radii, 0.0)
    precise, recalled = np.zeros((most, len(fake)), bool), np.zeros((most, len(real)), bool)
    realism = np.zeros(len(fake))
    for i, some in blocks(real):
        for j, others in blocks(fake):
            apart = squared_distances(some, others)
            for k in range(most):
                precise[k, j] |= (apart <= near[i, k, None]).any(0)
                recalled[k, i] |= (apart <= near_fake[None, j, k]).any(1)
            with np.errstate(divide="ignore", invalid="ignore"):  # the very same picture
                ratios = np.where(small[i, None] > 0, small[i, None] / apart, 0.0)
            realism[j] = np.maximum(realism[j], ratios.max(0))
    shares = (precise.mean(1).tolist(), recalled.mean(1).tolist())
    return Detail(*shares, np.sqrt(realism).tolist())


def squared_radii(rows: Numbers, k: int) -> Squares:
    """Of each row (N, F), the squared distance to its k-th neighbour, itself left out."""
    return all_squared_radii(rows, k)[:, -1]


def all_squared_radii(rows: Numbers, k: int) -> Squares:
    """The same of the first to the k-th, (N, k)."""
    found = np.empty((len(rows), k))
    for i, some in blocks(rows):
        nearest = np.full((len(some), k + 1), np.inf)  # itself among them
        for _, others in blocks(rows):
            all_so_far = np.concatenate([nearest, squared_distances(some, others)], axis=1)
            nearest = np.partition(all_so_far, k, axis=1)[:, : k + 1]
        found[i] = np.sort(nearest, axis=1)[:, 1:]
    return found


def squared_distances(a: Squares, b: Squares) -> Squares:
    """Of all pairs of rows, (A, B); exactly 0 where rounding alone tells two rows apart."""
    lengths = (a * a).sum(1)[:, None] + (b * b).sum(1)
    apart: Squares = lengths - 2 * (a @ b.T)
    apart[apart <= EQUAL * lengths] = 0.0
    return apart
