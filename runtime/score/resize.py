"""How pictures come to the size at which Inception sees them: the choice that moves FID most.

Four packages do it in four ways, and the same pictures score points apart. Numbers compare only
within one of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from t2i.runtime.pictures import Pixels

PYTORCH_FID = "pytorch-fid"

Levels = npt.NDArray[np.float32]
"""(px, px, 3), 0 … 255, not rounded."""


@dataclass(frozen=True)
class Resize:
    """Resizing and range of one package."""

    told: str
    """What protocols say of it."""
    levels: Callable[[Pixels, int], Levels]
    middle: float
    half: float
    """The network is given (level - middle) / half."""

    def prepared(self, picture: Pixels, px: int) -> npt.NDArray[np.float32]:
        """A picture (H, W, 3) as a network takes it: (3, px, px)."""
        given = (self.levels(picture, px) - np.float32(self.middle)) / np.float32(self.half)
        return np.ascontiguousarray(given.transpose(2, 0, 1))


def from_corners(picture: Pixels, px: int) -> Levels:
    """Bilinear, pixel i of n taken from i · size / n, neighbours clamped at the end.

    Source: `resize_bilinear` of TensorFlow 1, by which the FID of TTUR was measured.
    """
    places = (np.arange(px, dtype=np.float32) * np.float32(size / px) for size in picture.shape[:2])
    return _between(picture, *places)


def from_centres(picture: Pixels, px: int) -> Levels:
    """Bilinear, pixel i of n taken from (i + ½) · size / n - ½, without antialiasing.

    Source: `interpolate` of PyTorch, with `align_corners=False`, as pytorch-fid calls it.
    """
    middles = np.arange(px, dtype=np.float32) + np.float32(0.5)
    places = (
        np.maximum(middles * np.float32(size / px) - np.float32(0.5), np.float32(0))
        for size in picture.shape[:2]
    )
    return _between(picture, *places)


def bicubic(picture: Pixels, px: int) -> Levels:
    """Each channel by itself in floating point, bicubic and antialiased, clipped, not rounded.

    Source: clean-fid, Parmar et al. 2022.
    """
    planes = [
        Image.fromarray(picture[:, :, channel].astype(np.float32)).resize(
            (px, px), Image.Resampling.BICUBIC
        )
        for channel in range(3)
    ]
    return np.clip(np.stack([np.asarray(plane) for plane in planes], axis=2), 0.0, 255.0)


def rounded(picture: Pixels, px: int) -> Levels:
    """Bilinear and antialiased in 8 bits.

    Source: SciPy's old `imresize`, which the Inception Score of StackGAN is taken with.
    """
    resized = Image.fromarray(picture).resize((px, px), Image.Resampling.BILINEAR)
    return np.asarray(resized).astype(np.float32)


RESIZES = {
    "tf": Resize(
        "bilinear from corners, no antialias, as TensorFlow 1; (x - 128) / 128",
        from_corners,
        128.0,
        128.0,
    ),
    PYTORCH_FID: Resize(
        "bilinear from centres, no antialias, as PyTorch; 2x / 255 - 1", from_centres, 127.5, 127.5
    ),
    "clean": Resize(
        "bicubic, antialiased, not rounded, as clean-fid; (x - 128) / 128", bicubic, 128.0, 128.0
    ),
    "stackgan": Resize(
        "bilinear, antialiased, rounded, as imresize; x / 127.5 - 1", rounded, 127.5, 127.5
    ),
}


def _between(picture: Pixels, rows: Levels, columns: Levels) -> Levels:
    """Levels at places between pixels, in float32: along the rows first."""
    H, W, _ = picture.shape
    levels = picture.astype(np.float32)
    left, right, across = _neighbours(columns, W)
    across = across[:, None]
    along = levels[:, left]
    along += (levels[:, right] - along) * across
    above, below, down = _neighbours(rows, H)
    found = along[above]
    found += (along[below] - found) * down[:, None, None]
    return found


def _neighbours(
    places: Levels, size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Levels]:
    """The pixels on both sides of each place, and its distance from the first."""
    before = np.floor(places).astype(np.int64)
    return before, np.minimum(before + 1, size - 1), places - before.astype(np.float32)
