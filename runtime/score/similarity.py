"""How alike two pictures are: PSNR and SSIM, on pixels of 8 bits."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from t2i.runtime.errors import ScoreError
from t2i.runtime.pictures import read_picture

Pixels = npt.NDArray[np.uint8]
Planes = npt.NDArray[np.float64]
Picture = Pixels | Image.Image | Path | str

LEVELS = 255.0  # L, the greatest level
TAPS, SIGMA = 11, 1.5
C1, C2 = (0.01 * LEVELS) ** 2, (0.03 * LEVELS) ** 2
C3 = C2 / 2
BAND = 16
"""Rows that are blurred by one product of matrices."""


def psnr(a: Picture, b: Picture, *, luma: bool = False) -> float:
    """Peak signal-to-noise ratio in decibels, over all pixels and channels.

    Infinite where the pictures are equal.

    Args:
        a, b: uint8 (H, W, 3) or (H, W), a Pillow image, or a file.
        luma: compare grey levels (ITU-R 601) instead of colours.
    """
    x, y = planes_of(a, b, luma)
    error = float(np.mean((x - y) ** 2))
    return 10.0 * math.log10(LEVELS**2 / error) if error else math.inf


def ssim(
    a: Picture,
    b: Picture,
    *,
    luma: bool = False,
    exponents: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> float:
    """Structural similarity: 1 for equal pictures, else less; the mean of `ssim_map`."""
    return mean_of_map(ssim_map(a, b, luma=luma, exponents=exponents))


def mean_of_map(similarity: Planes) -> float:
    """Over positions, then over channels."""
    return float(similarity.mean((0, 1)).mean())


def ssim_map(
    a: Picture,
    b: Picture,
    *,
    luma: bool = False,
    exponents: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Planes:
    """Structural similarity around each pixel: (H - 10, W - 10, C).

    Windows are Gaussian (11 taps, σ 1.5), covariances those of a population, and only positions
    where a window fits count. Equal to scikit-image with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False`.

    Args:
        a, b: uint8 (H, W, 3) or (H, W), a Pillow image, or a file.
        luma: compare grey levels (ITU-R 601) instead of colours.
        exponents: α, β and γ of luminance, contrast and structure. Where γ is not 1, a negative
            structure counts as 0.

    Source: Wang, Bovik, Sheikh, Simoncelli 2004, equations 12 and 13.
    """
    x, y = planes_of(a, b, luma)
    if min(x.shape[:2]) < TAPS:
        raise ScoreError(
            f"a picture of {x.shape[1]} × {x.shape[0]} pixels is too small for SSIM",
            hint=f"its window needs {TAPS} pixels on each side",
        )
    seen = Windows.over(x, y, WEIGHTS)
    if exponents == (1.0, 1.0, 1.0):  # contrast × structure is shorter without its roots
        return seen.luminance * seen.contrast_and_structure
    alpha, beta, gamma = exponents
    variance_x = _blurred(x * x, WEIGHTS) - seen.mean_x * seen.mean_x
    variance_y = seen.variances - variance_x
    # Rounding may leave a little less than nothing where a picture is flat.
    roots = np.sqrt(np.maximum(variance_x, 0.0)) * np.sqrt(np.maximum(variance_y, 0.0))
    contrast = (2 * roots + C2) / (seen.variances + C2)
    structure = (seen.covariance + C3) / (roots + C3)
    if gamma != 1.0:
        structure = np.maximum(structure, 0.0)
    return seen.luminance**alpha * contrast**beta * structure**gamma


@dataclass(frozen=True)
class Windows:
    """What each window that fits sees of two pictures: (H - taps + 1, W - taps + 1, C) each."""

    mean_x: Planes
    mean_y: Planes
    variances: Planes
    """Of both, added up."""
    covariance: Planes

    @classmethod
    def over(cls, x: Planes, y: Planes, weights: npt.NDArray[np.float64]) -> "Windows":
        """Slide a window, the product of `weights` down and across, over both."""
        x, y = (np.ascontiguousarray(each.transpose(2, 0, 1)).transpose(1, 2, 0) for each in (x, y))
        mean_x, mean_y = _blurred(x, weights), _blurred(y, weights)
        squares, products = _blurred(x * x + y * y, weights), _blurred(x * y, weights)
        return cls(
            mean_x,
            mean_y,
            squares - (mean_x * mean_x + mean_y * mean_y),
            products - mean_x * mean_y,
        )

    @property
    def luminance(self) -> Planes:
        """l of the paper's equation 6."""
        squares = self.mean_x * self.mean_x + self.mean_y * self.mean_y
        return (2 * self.mean_x * self.mean_y + C1) / (squares + C1)

    @property
    def contrast_and_structure(self) -> Planes:
        """c · s of equations 9 and 10."""
        return (2 * self.covariance + C2) / (self.variances + C2)


def bell(taps: int, sigma: float) -> npt.NDArray[np.float64]:
    """Weights of a Gaussian window along one axis; their sum is 1."""
    heights = np.exp(-0.5 * (np.arange(taps) - (taps - 1) / 2) ** 2 / sigma**2)
    return heights / heights.sum()


WEIGHTS = bell(TAPS, SIGMA)


def pixels_of(picture: Picture) -> Pixels:
    """A picture as uint8 (H, W, C).

    Raises:
        PictureError: its file cannot be read.
        ScoreError: an array is not uint8, or not of this shape.
    """
    if isinstance(picture, (str, Path)):
        return read_picture(Path(picture))
    pixels = np.asarray(picture)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
        raise ScoreError(
            f"an array of {pixels.dtype} {pixels.shape} is no picture",
            hint="pass levels 0 … 255 as uint8 of shape (H, W, 3) or (H, W)",
        )
    return pixels


def planes_of(a: Picture, b: Picture, luma: bool) -> tuple[Planes, Planes]:
    """Both pictures in double precision: differences of bytes would wrap around.

    Raises:
        ScoreError: they differ in size, or one has no colours.
    """
    x, y = pixels_of(a), pixels_of(b)
    if x.shape[:2] != y.shape[:2]:
        sizes = " and ".join(f"{each.shape[1]} × {each.shape[0]}" for each in (x, y))
        raise ScoreError(
            f"the pictures differ in size: {sizes}",
            hint="bring both to one size first, all in the same way: it changes the score",
        )
    if x.shape != y.shape:
        raise ScoreError(
            "one picture has colours, the other has none",
            hint="pass both as (H, W, 3), or both in grey levels",
        )
    if luma and x.shape[2] == 3:
        x, y = (np.asarray(Image.fromarray(each).convert("L"))[:, :, None] for each in (x, y))
    return _widened(x), _widened(y)


def _widened(pixels: Pixels) -> Planes:
    """In double precision, and in memory channel by channel, as they are computed with."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(np.float64).transpose(1, 2, 0)


def _blurred(planes: Planes, weights: npt.NDArray[np.float64]) -> Planes:
    """Weighted means of all windows that fit, each channel of (H, W, C) by itself.

    Along an axis a window is a matrix with the weights on its diagonal. Cut into bands, which leave
    out most of its zeros, it is a product of two small matrices a band.
    """
    H, W, C = planes.shape
    taps = len(weights)
    band = np.zeros((BAND, BAND + taps - 1))
    for row in range(BAND):
        band[row, row : row + taps] = weights
    down = np.empty((H - taps + 1, W))  # stays in the cache, channel by channel
    both = np.empty((C, H - taps + 1, W - taps + 1))
    for plane, found in zip(planes.transpose(2, 0, 1), both, strict=True):
        rows = np.ascontiguousarray(plane)
        for start in range(0, len(down), BAND):
            part = down[start : start + BAND]
            seen = rows[start : start + len(part) + taps - 1]
            np.matmul(band[: len(part), : len(seen)], seen, out=part)
        for start in range(0, found.shape[1], BAND):
            part = found[:, start : start + BAND]
            n = part.shape[1]
            seen = down[:, start : start + n + taps - 1]
            np.matmul(seen, band[:n, : n + taps - 1].T, out=part)
    return both.transpose(1, 2, 0)
