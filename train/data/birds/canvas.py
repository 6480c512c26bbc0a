"""The painter's tools: fields of distance over a picture, and paint laid on where they say.

Everything is float32 over a grid of pixel centres; x runs to the right and y up, both in [0, 1].
Points and directions are complex numbers, so that turning is multiplying. A distance is negative
inside a shape; `Canvas.cover` turns it into the share of each pixel that the shape covers, which
is all the antialiasing there is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.floating[Any]]
"""One number a pixel, (H, W), or what broadcasts to it."""
Colour = npt.NDArray[np.floating[Any]]
"""(3,) or (H, W, 3), RGB in [0, 1]."""


def rgb(red: float, green: float, blue: float) -> Colour:
    """A colour from levels of 255."""
    return np.array((red, green, blue), np.float32) / np.float32(255)


PLUMAGE: dict[str, Colour] = {
    "red": rgb(192, 38, 34),
    "orange": rgb(228, 118, 32),
    "yellow": rgb(242, 204, 52),
    "green": rgb(92, 142, 58),
    "blue": rgb(48, 104, 186),
    "purple": rgb(118, 70, 156),
    "pink": rgb(232, 142, 160),
    "brown": rgb(128, 86, 54),
    "grey": rgb(140, 145, 150),
    "black": rgb(38, 38, 44),
    "white": rgb(242, 240, 234),
}
HORN: dict[str, Colour] = {
    "black": rgb(45, 42, 42),
    "grey": rgb(120, 120, 125),
    "orange": rgb(232, 130, 40),
    "yellow": rgb(235, 190, 60),
    "red": rgb(200, 60, 45),
}
"""Colours of bills and legs."""


def smooth(low: float, high: float, x: Field) -> Field:
    """0 below `low`, 1 above `high`, and a soft step between."""
    t = np.clip((x - low) * (1 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def bump(x: Field, width: float) -> Field:
    """1 at x = 0, falling off like a bell with this width."""
    return np.exp(-np.square(x * (1 / width)))


def band(x: Field, width: float) -> Field:
    """1 around x = 0, with a flat top and quick flanks: a stripe."""
    square = np.square(x * (1 / width))
    return np.exp(-square * square)


def wave(x: Field) -> Field:
    """A triangle wave of period 1: 1 at whole numbers, 0 half-way between."""
    return np.abs(x % 1 - 0.5) * 2


def join(a: Field, b: Field, fillet: float) -> Field:
    """Distance to two shapes together, the corner between them filled (a smooth minimum)."""
    overlap = np.maximum(fillet - np.abs(a - b), 0) * (1 / fillet)
    return np.minimum(a, b) - overlap * overlap * (fillet * 0.25)


def blend(a: Colour, b: Colour, share: Field | float) -> Colour:
    """From `a` (share 0) to `b` (share 1)."""
    if isinstance(share, np.ndarray):
        share = share[..., None]
    return a + (b - a) * share


def shade(colour: Colour, strength: float) -> Colour:
    """Darker below 1, towards white above 1."""
    return colour * strength if strength <= 1 else colour + (1 - colour) * (strength - 1)


def luminance(colour: Colour) -> float:
    return float(colour @ np.array((0.30, 0.59, 0.11), np.float32))


@dataclass(frozen=True)
class Canvas:
    """A picture being painted, or a window of one: windows share their pixels with the whole."""

    pixels: Colour
    """(H, W, 3)"""
    parts: npt.NDArray[np.uint8]
    """(H, W): which part of the bird is seen, 0 = none (numbers in `render.PARTS`)."""
    x: Field
    """(1, W)"""
    y: Field
    """(H, 1)"""
    side: int
    """Pixels along the whole picture."""

    @classmethod
    def blank(cls, side: int) -> "Canvas":
        middles = (np.arange(side, dtype=np.float32) + 0.5) / side
        return cls(
            np.zeros((side, side, 3), np.float32),
            np.zeros((side, side), np.uint8),
            middles[None, :],
            (1 - middles)[:, None],
            side,
        )

    def window(self, left: float, right: float, low: float, high: float) -> "Canvas":
        """The part of this canvas within these bounds (given on the whole picture)."""
        columns = slice(*np.searchsorted(self.x[0], (left, right)).tolist())
        rows = slice(*np.searchsorted(-self.y[:, 0], (-high, -low)).tolist())
        return Canvas(
            self.pixels[rows, columns],
            self.parts[rows, columns],
            self.x[:, columns],
            self.y[rows],
            self.side,
        )

    def around(self, points: tuple[complex, ...], margin: float) -> "Canvas":
        """The window that holds these points, with room on every side."""
        across = [point.real for point in points]
        up = [point.imag for point in points]
        return self.window(
            min(across) - margin, max(across) + margin, min(up) - margin, max(up) + margin
        )

    def local(self, origin: complex, along: complex) -> tuple[Field, Field]:
        """Coordinates of each pixel in a frame turned to `along`: (along it, to its left)."""
        x, y = self.x - origin.real, self.y - origin.imag
        return x * along.real + y * along.imag, y * along.real - x * along.imag

    def circle(self, centre: complex, radius: float) -> Field:
        """Distance to a disc."""
        x, y = self.x - centre.real, self.y - centre.imag
        return np.sqrt(x * x + y * y) - radius

    def capsule(self, start: complex, end: complex, first: float, last: float) -> Field:
        """Distance to a line as thick as `first` at one end and `last` at the other."""
        line = end - start
        x, y = self.x - start.real, self.y - start.imag
        t = np.clip((x * line.real + y * line.imag) * (1 / abs(line) ** 2), 0, 1)
        across, up = x - t * line.real, y - t * line.imag
        return np.sqrt(across * across + up * up) - (first + t * (last - first))

    def cover(self, distance: Field) -> Field:
        """Share of each pixel inside a shape."""
        return np.clip(0.5 - distance * self.side, 0, 1)

    def paint(self, colour: Colour, cover: Field, part: int | None = None) -> None:
        """Lay colour on, as thick as `cover`; pixels covered by half belong to `part`."""
        np.add(self.pixels, (colour - self.pixels) * cover[..., None], out=self.pixels)
        if part is not None:
            self.parts[np.broadcast_to(cover, self.parts.shape) >= 0.5] = part
