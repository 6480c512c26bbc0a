"""How two pictures of one size differ, pixel by pixel."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from t2i.runtime.pictures import Pixels

STAYS = 8
"""A pixel has stayed if none of its channels differs by more than so many levels of 255."""


@dataclass(frozen=True)
class Difference:
    """What changed from one picture to another."""

    levels: npt.NDArray[np.uint8]
    """(H, W, 3): absolute differences."""

    @classmethod
    def between(cls, before: Pixels, after: Pixels) -> "Difference":
        """Of two pictures (H, W, 3)."""
        return cls(np.maximum(before, after) - np.minimum(before, after))

    @property
    def changed(self) -> npt.NDArray[np.bool_]:
        """(H, W): where a pixel has not stayed."""
        return self.levels.max(axis=2) > STAYS

    @property
    def share(self) -> float:
        """Of the pixels, those that changed."""
        return float(self.changed.mean())

    @property
    def mean(self) -> float:
        """Levels of 255, over all pixels and channels."""
        return float(self.levels.mean())

    @property
    def map(self) -> Pixels:
        """(H, W, 3): black where nothing changed, the brighter the more did a pixel's channel."""
        return np.repeat(self.levels.max(axis=2, keepdims=True), 3, axis=2)


def is_turned(before: Pixels, after: Pixels) -> bool:
    """Whether a picture is nearer to the mirror image of another than to that itself."""
    straight, turned = (Difference.between(before, each).mean for each in (after, after[:, ::-1]))
    return turned < straight
