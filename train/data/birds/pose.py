"""Where a bird stands and how it holds itself: attributes and noise numbers to points and sizes."""

import cmath
import math
from dataclasses import dataclass, fields

from t2i.train.data.birds.attributes import Bird


@dataclass(frozen=True)
class Chance:
    """The noise numbers by name, each uniform in [0, 1]: all that varies between equal birds."""

    scale: float
    tilt: float
    plumpness: float
    across: float
    height: float
    neck: float
    gaze: float
    tail_length: float
    tail_lift: float
    slope: float
    """Of the perch; elsewhere the place of hills and ripples."""
    thickness: float
    """Of the perch; elsewhere the place of ripples."""
    bend: float
    """Of the perch; elsewhere the place of ripples."""
    leaf: float
    second_leaf: float
    third_leaf: float
    foliage: float
    """Size and tint of the leaves, height of the grass."""
    beak_length: float
    light: float
    stance: float
    facing: float
    """Which way a bird looks when no word tells."""
    season: float
    """Hue of everything but the bird."""
    first_blur: float
    second_blur: float
    third_blur: float
    fourth_blur: float
    """Places of clouds and of blurred leaves far behind."""
    haze: float
    """How strongly these are seen."""


NOISE = tuple(field.name for field in fields(Chance))
"""Order of the noise numbers in `Batch.noise`, there as standard normal numbers."""


def between(low: float, high: float, chance: float) -> float:
    return low + (high - low) * chance


def towards(degrees: float) -> complex:
    """The direction at this angle above the horizontal."""
    return cmath.rect(1, math.radians(degrees))


@dataclass(frozen=True)
class Pose:
    """Points in the unit square, y up; the bird faces right."""

    scale: float
    plumpness: float
    centre: complex
    axis: complex
    """Direction of the body, from rump to chest."""
    chest: complex
    rump: complex
    chest_radius: float
    rump_radius: float
    head: complex
    head_radius: float
    gaze: complex
    """Direction in which the bill points."""
    tail: complex
    """Direction from the tail's tip to its root."""
    tail_root: complex
    tail_length: float
    level: float
    """Height of the perch's middle line, of the ground under the feet, or of the waterline."""
    thickness: float
    """Half the perch's thickness; 0 where there is none."""

    @property
    def foot(self) -> float:
        """Height at which the toes stand."""
        return self.level + 0.55 * self.thickness


# Degrees: how upright a bird holds itself, and how steeply its neck rises above that.
_TILT = {"branch": (18, 46), "sky": (18, 46), "grass": (14, 30), "water": (4, 12)}
_NECK = {"branch": (22, 40), "sky": (22, 40), "grass": (22, 40), "water": (48, 60)}
_SIZE = {"small": 1.0, "medium": 1.14, "large": 1.28}
_HEAD = {"small": 0.087, "medium": 0.080, "large": 0.076}
_LIFT = {"branch": 0.0, "sky": 0.0, "grass": -0.02, "water": -0.05}
_PERCH = {"branch": 0.034, "sky": 0.017, "grass": 0.0, "water": 0.0}


def pose(bird: Bird, chance: Chance) -> Pose:
    """Hold the bird as its attributes and the noise numbers say."""
    scale = _SIZE[bird.size] * between(0.97, 1.03, chance.scale)
    plumpness = between(0.93, 1.10, chance.plumpness) * (1.05 if bird.size == "small" else 1.0)
    tilt = between(*_TILT[bird.ground], chance.tilt)
    axis = towards(tilt)
    # Long tails and long bills stay within the picture.
    room = 0.045 * (bird.tail_length == "long") - 0.025 * (bird.beak in ("long", "curved"))
    centre = complex(
        0.5 + between(-0.03, 0.03, chance.across) + room,
        0.475 + between(-0.02, 0.02, chance.height) + _LIFT[bird.ground],
    )
    chest = centre + 0.055 * scale * axis
    rump = centre + scale * axis * complex(-0.155, 0.012)
    chest_radius = 0.118 * scale * plumpness
    neck = towards(tilt + between(*_NECK[bird.ground], chance.neck))
    tail = towards(tilt + between(-16, 12, chance.tail_lift))
    thickness = _PERCH[bird.ground] * between(0.85, 1.15, chance.thickness)
    drop = {"grass": chest_radius + 0.085 * scale, "water": chest_radius * 0.60}
    perch = chest_radius + 0.052 * scale + thickness
    return Pose(
        scale=scale,
        plumpness=plumpness,
        centre=centre,
        axis=axis,
        chest=chest,
        rump=rump,
        chest_radius=chest_radius,
        rump_radius=0.060 * scale,
        head=chest + scale * (0.176 if bird.ground == "water" else 0.156) * neck,
        head_radius=_HEAD[bird.size] * scale,
        gaze=towards(between(-8, 10, chance.gaze)),
        tail=tail,
        tail_root=rump + 0.035 * scale * tail,
        tail_length=(0.25 if bird.tail_length == "long" else 0.15)
        * scale
        * between(0.94, 1.06, chance.tail_length),
        level=centre.imag - drop.get(bird.ground, perch),
        thickness=thickness,
    )
