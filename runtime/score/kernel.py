"""Kernel Inception Distance: how far two sets are apart, without bias, by a cubic kernel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from t2i.runtime.errors import ScoreError
from t2i.runtime.score.estimates import bootstrapped
from t2i.runtime.score.protocol import Value
from t2i.runtime.score.reference import Kept, pictures_of
from t2i.runtime.score.rows import Numbers, Rows, blocks
from t2i.runtime.score.sets import Captions, Setting
from t2i.runtime.sessions import Arrays

SUBSETS, SUBSET = 100, 1000
SEED = 2020
"""As in torch-fidelity, whose numbers these are, to the last draw."""


class Kid:
    """Keeps the features of both sets."""

    outputs = ("features",)
    ranked_by = "how much more alike its features are to real ones than to generated ones"

    def __init__(self, setting: Setting) -> None:
        """Raises ScoreError where there is nothing to compare with, or a set is too small."""
        self.size = setting.subset or SUBSET
        self.reference = pictures_of(setting, "KID")
        least = min(len(self.reference), len(setting.source))
        if least < max(self.size, 2):
            smaller = f", or smaller subsets: --subset {max(2, least // 2)}" if least > 1 else ""
            raise ScoreError(
                f"KID draws subsets of {self.size:,} pictures, and there are {least:,}",
                hint=f"take more pictures{smaller}",
            )
        self.real, self.features = Kept(), Rows()
        self.bootstrap, self.seed = setting.bootstrap, setting.seed

    def see(self, captions: Captions, seen: Arrays) -> None:
        self.features.add(seen["features"])

    def by_picture(self) -> Sequence[float]:
        return witness(self.features.all(), self.real.rows.all(), self.size).tolist()

    def value(self) -> Value:
        real, fake = self.real.rows.all(), self.features.all()
        if min(len(real), len(fake)) < self.size:  # some could not be read
            raise ScoreError(
                f"KID draws subsets of {self.size:,} pictures, and only "
                f"{min(len(real), len(fake)):,} could be read",
                hint="draw smaller ones by --subset",
            )
        mean, spread = kernel_distance(fake, real, SUBSETS, self.size)
        options: dict[str, Any] = {"subsets": SUBSETS, "subset": self.size, "seed": SEED}
        interval = None
        if self.bootstrap:
            options["bootstrap"] = self.bootstrap
            interval = bootstrapped(
                mean,
                len(fake),
                self.bootstrap,
                self.seed,
                lambda places: kernel_distance(fake[places], real, SUBSETS, self.size)[0],
            )
        return Value(
            mean, spread, interval, (), self.reference.name, options, self.reference.inputs
        )


def kernel_distance(fake: Numbers, real: Numbers, subsets: int, size: int) -> tuple[float, float]:
    """Mean and population deviation of the squared distance over random subsets; may be negative.

    Drawn without replacement, of each pair the generated ones first.

    Source: Binkowski et al. 2018, equation 4 and section 4.
    """
    # The official draws, so the old generator.
    dice = np.random.RandomState(SEED)
    found = []
    for _ in range(subsets):
        x = fake[dice.choice(len(fake), size, replace=False)]
        y = real[dice.choice(len(real), size, replace=False)]
        found.append(squared_distance(x.astype(np.float64), y.astype(np.float64)))
    return float(np.mean(found)), float(np.std(found))


def witness(fake: Numbers, real: Numbers, size: int) -> npt.NDArray[np.float64]:
    """Of each generated picture, its mean kernel with real ones less that with generated ones, both
    of the first subsets that the distance draws: (N, F), (M, F) -> (N,).

    Source: Gretton et al. 2012, section 2.3.
    """
    dice = np.random.RandomState(SEED)
    of_fake = fake[dice.choice(len(fake), size, replace=False)].astype(np.float64)
    of_real = real[dice.choice(len(real), size, replace=False)].astype(np.float64)
    return np.concatenate(
        [cubic(rows, of_real).mean(1) - cubic(rows, of_fake).mean(1) for _, rows in blocks(fake)]
    )


def squared_distance(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> float:
    """Unbiased estimate of the squared maximum mean discrepancy of two sets of equal size.

    Source: Gretton et al. 2012, equation 4.
    """
    n = len(x)
    within = sum(
        (kernel.sum() - np.trace(kernel)) / (n * (n - 1)) for kernel in (cubic(x, x), cubic(y, y))
    )
    return float(within - 2 * cubic(x, y).mean())


def cubic(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(x·y / F + 1)³ of all pairs of rows."""
    kernel: npt.NDArray[np.float64] = (x @ y.T / x.shape[1] + 1.0) ** 3
    return kernel
