"""MS-SSIM: structural similarity at five scales, in the two ways in which papers compute it."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from t2i.runtime.errors import ScoreError
from t2i.runtime.score.similarity import (
    SIGMA,
    TAPS,
    WINDOW,
    Levels,
    Picture,
    Planes,
    Window,
    Windows,
    planes_of,
)

EXPONENTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
"""Of the scales, the finest first; their sum is 1.0001, as published."""
SCALES = len(EXPONENTS)
LEAST_PX = (TAPS - 1) * 2 ** (SCALES - 1) + 1
"""So that the whole window fits at the coarsest scale."""


def ms_ssim(a: Picture, b: Picture, *, luma: bool = False) -> float:
    """Multi-scale structural similarity: 1 for equal pictures, 0 for unlike ones.

    Each channel by itself, then the mean of the channels. A scale whose mean is negative counts as
    0. Where a side is odd, the first row and column are repeated before pictures are halved. Equal
    to `piq.multi_scale_ssim`.

    Args:
        a, b: uint8 (H, W, 3) or (H, W), a Pillow image, or a file.
        luma: compare grey levels (ITU-R 601) instead of colours.

    Raises:
        ScoreError: a side is shorter than 161 pixels: `small_ms_ssim` takes such pictures.

    Source: Wang, Simoncelli, Bovik 2003, equation 7.
    """
    x, y = planes_of(a, b, luma)
    _, H, W = x.shape
    if min(H, W) < LEAST_PX:
        raise ScoreError(
            f"a picture of {W} × {H} pixels is too small for MS-SSIM, whose "
            f"window needs {LEAST_PX} on each side",
            hint="t2i.score.small_ms_ssim shrinks the window, and gives another number",
        )
    means = [scale.mean((1, 2)) for scale in _scales(x, y, lambda _: WINDOW, _halved_from_the_end)]
    return float(_product(np.array(means)).mean())


def small_ms_ssim(a: Picture, b: Picture, *, luma: bool = False) -> float:
    """MS-SSIM as the diversity of generated pictures is measured with it, at 64 or 128 pixels.

    Channels are taken together at each scale, and the window shrinks with the picture: at most 11
    taps, σ in proportion. A scale whose mean is negative counts as 0.

    Args: as for `ms_ssim`; every size of 16 pixels or more.

    Source: the official code of Toderici et al. 2016 (tensorflow/models, `msssim.py`), which Odena
        et al. 2017 describe and HDGAN copies; the bound at 0 is that of Karras et al. 2018.
    """
    x, y = planes_of(a, b, luma)
    _, H, W = x.shape
    if min(H, W) < 2 ** (SCALES - 1):
        raise ScoreError(
            f"a picture of {W} × {H} pixels cannot be halved {SCALES - 1} times",
            hint=f"compare pictures of {2 ** (SCALES - 1)} pixels or more on each side",
        )
    means = [scale.mean() for scale in _scales(x, y, _shrunk_window, _halved_from_the_start)]
    return float(_product(np.array(means)))


def _scales(
    x: Levels,
    y: Levels,
    window: Callable[[Levels], Window],
    halved: Callable[[Levels], Planes],
) -> Iterator[Planes]:
    """Contrast and structure at each scale, the finest first; the coarsest has luminance too."""
    for scale in range(1, SCALES + 1):
        seen = Windows.over(x, y, window(x))
        if scale == SCALES:
            yield seen.similarity
        else:
            yield seen.contrast_and_structure
            x, y = halved(x), halved(y)


def _product(means: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Means (scales, …) to their product over the scales, each with its exponent."""
    powers = np.maximum(means.T, 0.0) ** EXPONENTS
    return np.asarray(powers.prod(axis=-1))


def _shrunk_window(planes: Levels) -> Window:
    taps = min(TAPS, *planes.shape[1:])
    return Window(taps, SIGMA * taps / TAPS)


def _halved_from_the_end(planes: Levels) -> Planes:
    """Means of 2 × 2 pixels; if any side is odd, the first row and column stand twice."""
    if planes.shape[1] % 2 or planes.shape[2] % 2:
        planes = np.pad(planes, ((0, 0), (1, 0), (1, 0)), "edge")
    return _quartered(planes)


def _halved_from_the_start(planes: Levels) -> Planes:
    """Means of 2 × 2 pixels; of an odd side the last row or column stands twice."""
    _, H, W = planes.shape
    return _quartered(np.pad(planes, ((0, 0), (0, H % 2), (0, W % 2)), "edge"))


def _quartered(planes: Levels) -> Planes:
    """The mean of each whole block of 2 × 2."""
    C, H, W = planes.shape
    whole = planes[:, : H // 2 * 2, : W // 2 * 2]
    return np.asarray(whole.reshape(C, H // 2, 2, W // 2, 2).mean((2, 4)))
