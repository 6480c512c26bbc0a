"""What more pictures would say: how sure a number is, and where FID goes as sets grow."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from t2i.runtime.errors import ScoreError
from t2i.runtime.noise import dice
from t2i.runtime.score.frechet import Gaussian, Moments, frechet_distance
from t2i.runtime.score.rows import BLOCK, Numbers

SIZES = 15
"""Of the samples through which the line of FID∞ is laid."""
SMALLEST = 0.1
"""Share of all pictures that the smallest of them has."""
LEVELS = (2.5, 97.5)
"""Percentiles that hold 95 %."""

Places = npt.NDArray[np.int64]


def bootstrapped(
    value: float, count: int, times: int, seed: int, score: Callable[[Places], float]
) -> tuple[float, float]:
    """95 % confidence of a score of `count` pictures, from as many drawn with replacement.

    What is drawn twice makes distances larger; so the spread of the drawn scores is laid around the
    value itself, not around their own mean.

    Args:
        score: of the pictures at some places.

    Source: Efron 1979; Davison and Hinkley 1997, section 2.4, for the centring.
    """
    random = dice(seed)
    drawn = np.array([score(np.sort(random.randint(0, count, count))) for _ in range(times)])
    low, high = np.percentile(drawn - drawn.mean(), LEVELS)
    return value + float(low), value + float(high)


def gaussian_at(rows: Numbers, places: Places) -> Gaussian:
    """Mean and covariance of some rows (N, F), block by block."""
    moments = Moments()
    for start in range(0, len(places), BLOCK):
        moments.add(rows[places[start : start + BLOCK]])
    return moments.gaussian()


def unbiased_distance(reference: Gaussian, rows: Numbers, seed: int) -> float:
    """FID∞: where FID goes as the generated pictures become ever more.

    FID is linear in 1 / N: a line through FIDs of samples of 15 sizes is followed to N = ∞. The
    bias of the reference, which has its own number of pictures, stays.

    Raises:
        ScoreError: there are too few pictures for samples of different sizes.

    Source: Chong and Forsyth 2020, section 4.
    """
    sizes, found = distances_by_size(reference, rows, seed)
    if len(sizes) < SIZES:
        raise ScoreError(
            f"{len(rows)} pictures have no samples of {SIZES} sizes for FID∞",
            hint="score more pictures, or leave out --extrapolate",
        )
    _, end = np.polyfit(1 / sizes, found, 1)
    return float(end)


def distances_by_size(
    reference: Gaussian, rows: Numbers, seed: int
) -> tuple[Places, npt.NDArray[np.float64]]:
    """Up to 15 sizes of samples of generated pictures, and the FID of one sample of each."""
    n = len(rows)
    sizes = np.unique(np.linspace(max(2, SMALLEST * n), n, SIZES).astype(int))
    random = dice(seed)
    found = [
        frechet_distance(reference, gaussian_at(rows, np.sort(random.permutation(n)[:size])))
        for size in sizes
    ]
    return sizes, np.array(found)
