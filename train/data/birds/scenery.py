"""What stands behind and around the bird: air, blurred leaves, clouds, branch, grass, water."""

import math
from dataclasses import dataclass

import numpy as np

from t2i.train.data.birds.canvas import (
    Canvas,
    Colour,
    Field,
    band,
    blend,
    bump,
    rgb,
    smooth,
)
from t2i.train.data.birds.pose import Chance, Pose, between, towards

# Colours come in pairs, between which the season chooses: early and late in the year.
_AIR: dict[str, tuple[tuple[Colour, Colour], tuple[Colour, Colour]]] = {
    "branch": (
        (rgb(190, 208, 164), rgb(222, 212, 172)),
        (rgb(102, 138, 88), rgb(144, 142, 92)),
    ),
    "sky": (
        (rgb(92, 150, 218), rgb(128, 166, 214)),
        (rgb(212, 230, 245), rgb(245, 232, 216)),
    ),
    "water": (
        (rgb(204, 222, 225), rgb(230, 220, 199)),
        (rgb(174, 200, 200), rgb(204, 200, 176)),
    ),
    "grass": (
        (rgb(208, 226, 228), rgb(236, 226, 200)),
        (rgb(182, 206, 160), rgb(214, 206, 150)),
    ),
}
_BARK = {"branch": rgb(112, 83, 60), "sky": rgb(112, 93, 78)}
_LEAF = (rgb(82, 130, 54), rgb(160, 128, 46))
_MEADOW = (rgb(112, 158, 70), rgb(164, 156, 76))
_NEAR_WATER = (rgb(58, 112, 142), rgb(84, 112, 112))
_FAR_WATER = (rgb(152, 190, 204), rgb(172, 184, 184))
_CLOUD = rgb(250, 250, 250)
_LIT, _DIM = rgb(238, 243, 200), rgb(74, 104, 66)

# Blurred things far behind: place, radius.
_BLURS = (
    (0.18, 0.78, 0.17),
    (0.80, 0.70, 0.20),
    (0.55, 0.92, 0.15),
    (0.12, 0.35, 0.15),
    (0.90, 0.30, 0.14),
)
# Leaves: place along the branch, side, angle in degrees, length, breadth, curl.
_LEAVES = (
    (-0.43, 1, 64, 0.158, 0.33, 0.10),
    (-0.36, -1, -74, 0.130, 0.40, -0.14),
    (-0.27, 1, 118, 0.098, 0.31, -0.10),
    (0.36, 1, 46, 0.150, 0.36, -0.12),
    (0.44, -1, -52, 0.160, 0.31, 0.12),
    (0.30, -1, -112, 0.106, 0.42, 0.08),
)


def backdrop(canvas: Canvas, ground: str, chance: Chance) -> None:
    """Fill the canvas with air, and what is too far away to be sharp."""
    top, bottom = (blend(*pair, chance.season) for pair in _AIR[ground])
    canvas.pixels[:] = blend(top, bottom, smooth(0, 1, 1 - canvas.y))
    places = (chance.first_blur, chance.second_blur, chance.third_blur, chance.fourth_blur)
    strength = between(0.8, 1.2, chance.haze)
    for number, (across, up, radius) in enumerate(_BLURS):
        centre = complex(
            across + between(-0.12, 0.12, places[number % 4]),
            up + between(-0.08, 0.08, places[(number + 1) % 4]),
        )
        if ground == "sky":
            _cloud(canvas, centre, radius, 0.62 * strength)
        else:
            seen = 0.30 if ground == "branch" else 0.15
            window = canvas.around((centre,), 1.1 * radius)
            near = 1 - smooth(0.45, 1.05, window.circle(centre, 0) * (1 / radius))
            window.paint(_DIM if number % 2 else _LIT, near * (seen * strength))


def _cloud(canvas: Canvas, centre: complex, radius: float, strength: float) -> None:
    """Three puffs on a flat base."""
    window = canvas.around((centre,), 3.2 * radius)
    puffs = ((0.0, 0.0, 1.5, 0.42), (-0.75, -0.10, 1.0, 0.30), (0.8, -0.08, 1.1, 0.28))
    clear: Field = np.ones((1, 1), np.float32)
    for across, up, width, height in puffs:
        x = (window.x - (centre.real + across * radius)) * (1 / (width * radius))
        y = (window.y - (centre.imag + up * radius)) * (1 / (height * radius))
        y = np.where(y < 0, y * 1.7, y)
        clear = clear * (1 - 0.85 * np.exp(-1.4 * (x * x + y * y)))
    window.paint(_CLOUD, (1 - clear) * strength)


def perch(canvas: Canvas, ground: str, pose: Pose, chance: Chance) -> None:
    """A branch with leaves, or a bare twig."""
    along = towards(between(-9, 9, chance.slope))
    origin = complex(pose.centre.real, pose.level)
    window = canvas.window(0, 1, pose.level - 0.2, pose.level + 0.2)
    x, y = window.local(origin, along)
    y = y - 0.012 * np.sin(x * 9 + between(0, 3, chance.bend))
    half = pose.thickness * (1.0 - 0.25 * (x + 0.5))
    across = y / half
    bark = np.sin(x * 64 + 5 * np.sin(y * 80)) * np.sin(y * 150 + x * 22)
    light = 0.60 + 0.56 * smooth(-1, 1, across) + 0.06 * bark
    light = light - 0.10 * bump(np.sin(x * 17 + 2) + across * 0.4, 0.16)
    cover = window.cover(np.abs(y) - half)
    window.paint(_BARK[ground] * light[..., None], cover)
    if ground == "branch":
        for number, leaf in enumerate(_LEAVES):
            _leaf(canvas, number, leaf, (origin, along, pose.thickness), chance)


def _leaf(
    canvas: Canvas,
    number: int,
    leaf: tuple[float, int, float, float, float, float],
    branch: tuple[complex, complex, float],
    chance: Chance,
) -> None:
    """One leaf: pointed, folded along its midrib, with veins; no two alike."""
    place, side, degrees, length, breadth, curl = leaf
    origin, along, thickness = branch
    swing = (chance.leaf, chance.second_leaf, chance.third_leaf)[number % 3]
    length = length * between(0.9, 1.12, chance.foliage)
    root = origin + along * complex(place, 0.8 * side * thickness)
    towards_tip = along * towards(degrees + between(-14, 14, swing))
    window = canvas.around((root, root + length * towards_tip), 0.4 * length)
    x, y = window.local(root, towards_tip)
    t = np.clip(x * (1 / length), 0, 1)
    stalk = np.maximum(np.abs(y) - 0.003, np.maximum(-x, x - 0.2 * length))
    y = y - curl * length * t * t
    blade = np.clip((t - 0.13) * (1 / 0.87), 0, 1)
    half = length * breadth * 1.9 * (blade * (1 - blade)) ** 0.85 * (1.15 - 0.45 * blade)
    shape = np.where((t > 0.13) & (t < 1), np.abs(y) - half, 1)
    tint = chance.season + 0.22 * math.sin(2.1 * number) + between(-0.1, 0.1, chance.foliage)
    green = blend(*_LEAF, min(max(tint, 0.0), 1.0)) * (1 + 0.09 * math.cos(3.7 * number))
    light = np.where(y > 0, 1.12, 0.90) - 0.20 * bump(y, 0.0035)
    veins = bump(np.sin((t - np.abs(y) * (0.9 / length)) * 34), 0.28)
    light = light + 0.08 * (1 - t) - 0.06 * veins
    window.paint(_BARK["branch"], window.cover(stalk))
    window.paint(np.minimum(green * light[..., None].astype(np.float32), 1), window.cover(shape))


@dataclass(frozen=True)
class _Row:
    """A row of grass."""

    base: float
    height: float
    thickness: float
    contrast: float
    fade: float
    """Share of the height over which the roots appear."""


def _blades(canvas: Canvas, row: _Row, colour: Colour, drift: float) -> None:
    """One row of grass, each blade with its own height, bend and tint; the roots fade away.

    `drift` moves the blades of one row against another's. No noise number moves them: which blade
    stands where is nothing a picture is about, and a network would have to learn it all the same.
    """
    window = canvas.window(0, 1, row.base, row.base + row.height)
    spacing = 3.2 * row.thickness
    t = np.clip((window.y - row.base) * (1 / row.height), 0, 1)
    for layer in range(2):
        shifted = window.x * (1 / spacing) + (3 * drift + 0.5 * layer)
        # A blade bends by less than half the spacing, so it stays in its own cell.
        cell = np.floor(shifted)
        tall = 0.68 + 0.32 * np.sin(cell * 2.399 + 1.3 * layer)
        lean = 0.40 * np.sin(cell * 4.117 + 2.1 * layer)
        rise = np.clip(t / tall, 0, 1)
        off = np.abs(shifted - cell - 0.5 - lean * rise * rise) * spacing
        light = 0.96 + row.contrast * (rise + np.sin(cell * 1.7 + layer))
        roots = smooth(0, row.fade, t) * (t < tall)
        window.paint(
            np.minimum(colour * light[..., None], 1),
            window.cover(off - row.thickness * (1 - rise)) * roots,
        )


def meadow(canvas: Canvas, pose: Pose, chance: Chance) -> None:
    """Grass behind the bird, and the shadow that it casts."""
    hill = pose.level + 0.07 + 0.018 * np.sin(canvas.x * 5 + between(0, 2, chance.slope))
    green = blend(*_MEADOW, chance.season)
    depth = np.clip((hill - canvas.y) * (1 / 0.40), 0, 1)
    light = 1.10 - 0.36 * depth  # the ground darkens towards us, and each row of blades with it
    canvas.paint(green * light[..., None], smooth(-0.006, 0.006, hill - canvas.y))
    tall = between(0.9, 1.12, chance.foliage)
    for number in range(7):
        near = number / 6
        base = pose.level + 0.035 - 0.34 * near**1.25
        row = _Row(base, (0.034 + 0.062 * near) * tall, 0.0028 + 0.0040 * near, 0.055, 0.6)
        tint = green * (1.10 - 0.36 * (pose.level + 0.08 - base) / 0.40)
        _blades(canvas, row, tint, 0.37 * number)
    x = (canvas.x - (pose.centre.real - 0.02)) * (1 / (0.22 * pose.scale))
    y = (canvas.y - (pose.level - 0.004)) * (1 / 0.026)
    canvas.paint(green * 0.42, 0.5 * np.exp(-1.4 * (x * x + y * y)))


def foreground(canvas: Canvas, pose: Pose, chance: Chance) -> None:
    """Blades before the feet."""
    green = blend(*_MEADOW, chance.season) * 0.86
    height = 0.085 * between(0.85, 1.15, chance.foliage)
    row = _Row(pose.level - 0.058, height, 0.0050, 0.07, 0.4)
    _blades(canvas, row, green, 0.2)


def water(canvas: Canvas, pose: Pose, chance: Chance, *, near: bool) -> None:
    """The lake: all of it behind the bird, or only what hides its belly."""
    far = pose.level + 0.16
    line = pose.level + 0.005 * np.sin(canvas.x * 24 + between(0, 2, chance.slope))
    window = canvas.window(0, 1, -1, pose.level + 0.01 if near else far + 0.01)
    edge = line if near else np.float32(far)
    # Ripples lie closer together towards the horizon, and break off along their length.
    depth = np.clip((far - window.y) * (1 / 0.58), 0, 1)
    rows = np.log(depth + 0.06) * 17
    drift = between(0, 2, chance.thickness)
    sway = 0.8 * np.sin(window.x * 7 + drift) + 0.5 * np.sin(window.x * 17 - rows * 0.5)
    ripple = np.sin(rows + sway + between(0, 2, chance.bend))
    broken = 0.55 + 0.45 * np.sin(window.x * 11 + rows * 0.9 + drift)
    crest = (ripple * np.abs(ripple)) * broken * (0.055 * (1 - 0.45 * depth))
    colour = blend(
        blend(*_FAR_WATER, chance.season),
        blend(*_NEAR_WATER, chance.season),
        depth ** np.float32(0.8),
    )
    cover = smooth(-0.003, 0.003, edge - window.y)
    window.paint(np.clip(colour + crest[..., None], 0, 1), np.broadcast_to(cover, crest.shape))
    if near:
        window.parts[np.broadcast_to(cover, crest.shape) >= 0.5] = 0


def reflection(canvas: Canvas, pose: Pose, colour: Colour, chance: Chance) -> None:
    """The bird's colours in the water, and the bright line where it floats."""
    window = canvas.window(0, 1, 0, pose.level + 0.03)
    centre, scale = pose.centre.real, pose.scale
    line = pose.level + 0.005 * np.sin(window.x * 24 + between(0, 2, chance.slope))
    x = (window.x - (centre - 0.02)) * (1 / (0.20 * scale))
    y = (window.y - (pose.level - 0.07)) * (1 / (0.08 * scale))
    shimmer = 0.75 + 0.25 * np.sin(window.y * 240 + 2 * np.sin(window.x * 20))
    below = smooth(-0.003, 0.003, line - window.y)
    window.paint(colour, 0.5 * np.exp(-1.3 * (x * x + y * y)) * shimmer * below)
    length = band(window.x - (centre - 0.03), 0.23 * scale)
    window.paint(rgb(235, 245, 248), 0.6 * bump(window.y - line, 0.0055) * length)
