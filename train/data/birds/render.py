"""Draw a bird: a picture is a function of the bird, 26 noise numbers, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from t2i.train.data.birds import plumage, scenery
from t2i.train.data.birds.attributes import Bird
from t2i.train.data.birds.canvas import Canvas
from t2i.train.data.birds.pose import Chance, pose
from t2i.train.data.dice import uniform_of

VERSION = 2
"""Raised whenever any picture changes: caches of older versions are not used."""
PARTS = plumage.PARTS


@dataclass(frozen=True)
class Drawing:
    pixels: npt.NDArray[np.uint8]
    """(H, W, 3), RGB."""
    parts: npt.NDArray[np.uint8]
    """(H, W): what each pixel shows, counted as in `PARTS`; 0 is not the bird."""


def draw(bird: Bird, noise: Sequence[float], side: int, *, mirrored: bool = False) -> Drawing:
    """Draw a bird looking right, or its mirror image.

    Args:
        noise: 26 standard normal numbers, named by `pose.NOISE`.
        side: pixels; 256 shows every feather, below 64 the fine ones alias (draw larger, average).
    """
    chance = Chance(*map(uniform_of, noise))
    held = pose(bird, chance)
    canvas = Canvas.blank(side)
    paint = plumage.paints(bird, chance)

    scenery.backdrop(canvas, bird.ground, chance)
    if bird.ground == "water":
        scenery.water(canvas, held, chance, near=False)
    elif bird.ground == "grass":
        scenery.meadow(canvas, held, chance)
    else:
        scenery.perch(canvas, bird.ground, held, chance)

    plumage.tail(canvas, bird, held, paint)
    if bird.ground != "water":
        plumage.legs(canvas, bird, held, chance)
    plumage.beak(canvas, bird, held, chance)
    plumage.body(canvas, bird, held, paint)
    plumage.wing(canvas, bird, held, paint)
    plumage.eye(canvas, bird, held, paint)

    if bird.ground == "water":
        scenery.water(canvas, held, chance, near=True)
        scenery.reflection(canvas, held, 0.6 * paint("belly") + 0.2 * paint("back"), chance)
    elif bird.ground == "grass":
        scenery.foreground(canvas, held, chance)

    turn = slice(None, None, -1 if mirrored else 1)
    pixels = (np.clip(canvas.pixels[:, turn], 0, 1) * 255 + 0.5).astype(np.uint8)
    return Drawing(pixels, np.ascontiguousarray(canvas.parts[:, turn]))
