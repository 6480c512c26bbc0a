"""How alike two pictures are: PSNR and SSIM, on pixels of 8 bits."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from t2i.runtime.errors import ScoreError
from t2i.runtime.pictures import Pixels, read_picture

Planes = npt.NDArray[np.float64]
Levels = npt.NDArray[np.uint8 | np.float64]
Picture = Pixels | Image.Image | Path | str

LEVELS = 255.0  # L, the greatest level
C1, C2 = (0.01 * LEVELS) ** 2, (0.03 * LEVELS) ** 2
C3 = C2 / 2
DOWN, ACROSS = 12, 16
"""Rows, and columns, of means that are one product of matrices."""
ROWS = 42
"""Rows of windows that are looked through at once, so that what they see stays in the cache."""


def psnr(a: Picture, b: Picture, *, luma: bool = False) -> float:
    """Peak signal-to-noise ratio in decibels, over all pixels and channels.

    Infinite where the pictures are equal.

    Args:
        a, b: uint8 (H, W, 3) or (H, W), a Pillow image, or a file.
        luma: compare grey levels (ITU-R 601) instead of colours.
    """
    x, y = planes_of(a, b, luma)
    error = float(np.mean((x.astype(np.float64) - y) ** 2))
    return 10.0 * math.log10(LEVELS**2 / error) if error else math.inf


def ssim(
    a: Picture,
    b: Picture,
    *,
    luma: bool = False,
    exponents: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> float:
    """Structural similarity: 1 for equal pictures, else less; the mean of `ssim_map`."""
    total, windows = 0.0, 0
    for similarity in _strips(*planes_of(a, b, luma), exponents):
        total += float(similarity.sum())
        windows += similarity.size
    return total / windows


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
    rows = np.concatenate(list(_strips(x, y, exponents)))
    return rows.reshape(len(x), -1, rows.shape[1]).transpose(1, 2, 0)


def _strips(x: Levels, y: Levels, exponents: tuple[float, float, float]) -> Iterator[Planes]:
    """Similarity of all windows of two pictures (C, H, W), some rows of a channel at a time.

    Raises:
        ScoreError: no window fits.
    """
    C, H, W = x.shape
    if min(H, W) < TAPS:
        raise ScoreError(
            f"a picture of {W} × {H} pixels is too small for SSIM",
            hint=f"its window needs {TAPS} pixels on each side",
        )
    for channel in range(C):
        for start in range(0, H - TAPS + 1, ROWS):
            rows = slice(start, start + ROWS + TAPS - 1)
            yield _similarity(x[channel, rows], y[channel, rows], exponents)


def _similarity(x: Levels, y: Levels, exponents: tuple[float, float, float]) -> Planes:
    """l^α · c^β · s^γ of all windows that fit into two planes."""
    seen = Windows.over(x, y, WINDOW)
    if exponents == (1.0, 1.0, 1.0):  # shorter without its roots
        return seen.similarity
    alpha, beta, gamma = exponents
    covariance = (seen.sum_variances - seen.difference_variances) / 4
    variances = (seen.sum_variances + seen.difference_variances) / 2
    levels = x.astype(np.float64)
    variance_x = WINDOW.means(levels * levels) - WINDOW.means(levels) ** 2
    variance_y = variances - variance_x
    # Rounding may leave a little less than nothing where a picture is flat.
    roots = np.sqrt(np.maximum(variance_x, 0.0)) * np.sqrt(np.maximum(variance_y, 0.0))
    contrast = (2 * roots + C2) / (variances + C2)
    structure = (covariance + C3) / (roots + C3)
    if gamma != 1.0:
        structure = np.maximum(structure, 0.0)
    return seen.luminance**alpha * contrast**beta * structure**gamma


@dataclass(frozen=True)
class Window:
    """A Gaussian that slides over planes, the same down and across."""

    taps: int
    sigma: float

    @cached_property
    def weights(self) -> Planes:
        """Along an axis; their sum is 1."""
        places = np.arange(self.taps) - (self.taps - 1) / 2
        heights = np.exp(-0.5 * places**2 / self.sigma**2)
        return heights / heights.sum()

    @cached_property
    def down(self) -> Planes:
        """What makes `DOWN` means of a column: a matrix with the weights on its diagonal."""
        return self._band(DOWN)

    @cached_property
    def across(self) -> Planes:
        """What makes `ACROSS` means of a row; upright in memory, which is quicker."""
        return np.ascontiguousarray(self._band(ACROSS).T)

    def _band(self, count: int) -> Planes:
        matrix = np.zeros((count, count + self.taps - 1))
        for row in range(count):
            matrix[row, row : row + self.taps] = self.weights
        return matrix

    def means(self, planes: Planes) -> Planes:
        """Weighted means of all windows that fit: (…, H, W) to (…, H - taps + 1, W - taps + 1).

        Each axis is a product with a matrix that is mostly zeros. Cut into bands, which leave out
        most of them, it is several products of smaller ones.
        """
        *before, H, W = planes.shape
        surplus = self.taps - 1
        columns = np.empty((*before, H - surplus, W))
        for start in range(0, H - surplus, DOWN):
            n = min(DOWN, H - surplus - start)
            seen = planes[..., start : start + n + surplus, :]
            found = columns[..., start : start + n, :]
            np.matmul(self.down[:n, : n + surplus], seen, out=found)
        # The rows of all planes are one matrix: a product of it is quicker than one of each.
        rows = columns.reshape(-1, W)
        means = np.empty((len(rows), W - surplus))
        for start in range(0, W - surplus, ACROSS):
            n = min(ACROSS, W - surplus - start)
            seen, found = rows[:, start : start + n + surplus], means[:, start : start + n]
            np.matmul(seen, self.across[: n + surplus, :n], out=found)
        return means.reshape(*before, H - surplus, W - surplus)


TAPS, SIGMA = 11, 1.5
WINDOW = Window(TAPS, SIGMA)


@dataclass(frozen=True)
class Windows:
    """What each window that fits sees of two pictures: (…, H - taps + 1, W - taps + 1) each.

    It looks at their sum and their difference, for 4xy = (x + y)² - (x - y)², and 2x² + 2y² adds
    both up. So the order of the pictures cannot count, and of equal ones exactly nothing differs.
    """

    sums: Planes
    """Squared mean of both together."""
    differences: Planes
    """Squared mean of the one less the other."""
    sum_variances: Planes
    difference_variances: Planes

    @classmethod
    def over(cls, x: Levels, y: Levels, window: Window) -> "Windows":
        """Slide a window over two pictures (…, H, W)."""
        if x.dtype == np.uint8:  # which holds neither sum nor difference
            x, y = x.astype(np.int16), y.astype(np.int16)
        planes = np.empty((4, *x.shape))
        planes[0], planes[1] = x + y, x - y
        np.square(planes[:2], out=planes[2:])
        means = window.means(planes)
        squares, variances = means[:2], means[2:]
        squares *= squares
        variances -= squares
        return cls(*squares, *variances)

    @property
    def similarity(self) -> Planes:
        """l · c · s, all exponents 1: equation 13."""
        similarity = self.luminance
        similarity *= self.contrast_and_structure
        return similarity

    @property
    def luminance(self) -> Planes:
        """l of the paper's equation 6."""
        return _likeness(self.sums, self.differences, C1)

    @property
    def contrast_and_structure(self) -> Planes:
        """c · s of equations 9 and 10."""
        return _likeness(self.sum_variances, self.difference_variances, C2)


def _likeness(of_sum: Planes, of_difference: Planes, constant: float) -> Planes:
    """(2ab + C) / (a² + b² + C) of what is (a + b)² and (a - b)²."""
    floor = of_sum + 2 * constant
    likeness = floor - of_difference
    floor += of_difference
    likeness /= floor
    return likeness


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


def planes_of(a: Picture, b: Picture, luma: bool) -> tuple[Pixels, Pixels]:
    """Both pictures, channel by channel: (C, H, W).

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
    return np.ascontiguousarray(x.transpose(2, 0, 1)), np.ascontiguousarray(y.transpose(2, 0, 1))
