"""The bird itself, part by part, painted from the back to the front."""

from collections.abc import Callable

import numpy as np

from t2i.train.data.birds.attributes import NONE, Bird
from t2i.train.data.birds.canvas import (
    HORN,
    PLUMAGE,
    Canvas,
    Colour,
    Field,
    band,
    blend,
    bump,
    join,
    luminance,
    rgb,
    shade,
    smooth,
    wave,
)
from t2i.train.data.birds.pose import Chance, Pose, between

PARTS = (
    "background",
    "tail",
    "legs",
    "beak",
    "back",
    "breast",
    "belly",
    "head",
    "crown",
    "throat",
    "wing",
    "eye",
)
"""What `Canvas.parts` counts."""
_OUTLINE = 0.0045

Paint = Callable[[str], Colour]
"""Colour of a named part, in the light of the day."""


def paints(bird: Bird, chance: Chance) -> Paint:
    light = between(0.93, 1.06, chance.light)
    return lambda part: shade(PLUMAGE[getattr(bird, part)], light)


def scallops(along: Field, across: Field) -> Field:
    """Distance from the middle of each scale-like feather: 0 inside, 1 at its rim."""
    row = np.floor(along)
    sideways = (across + 0.5 * (row % 2)) % 1 * 2 - 1
    return np.sqrt(sideways * sideways * 0.75 + np.square(along - row))


def tail(canvas: Canvas, bird: Bird, pose: Pose, paint: Paint) -> None:
    length = pose.tail_length + 0.035 * pose.scale
    tip = pose.tail_root - length * pose.tail
    window = canvas.around((pose.tail_root, tip), 0.07 * pose.scale)
    x, y = window.local(pose.tail_root, -pose.tail)
    t = np.clip(x * (1 / length), 0, 1)
    across = y / (pose.scale * (0.030 + 0.016 * t))
    notch = length - 0.012 * pose.scale * np.abs(across)
    shape = np.maximum(np.abs(y) - pose.scale * (0.030 + 0.016 * t), np.maximum(-x, x - notch))
    light = 1.02 - 0.24 * smooth(0.72, 1, wave(across * 2.5)) - 0.20 * t + 0.12 * across
    colour = paint("tail")
    if luminance(colour) < 0.2:  # black feathers show their rims as sheen
        light = light + 0.55 * smooth(0.80, 1, wave(across * 2.5 + 0.12))
    window.paint(shade(colour, 0.30), 0.6 * window.cover(shape - _OUTLINE))
    window.paint(np.clip(colour * light[..., None], 0, 1), window.cover(shape), PARTS.index("tail"))


def legs(canvas: Canvas, bird: Bird, pose: Pose, chance: Chance) -> None:
    pale = bird.beak_colour in ("black", "grey")
    colour = HORN["grey"] * 0.75 if pale else HORN["orange"] * 0.9
    scale, foot = pose.scale, pose.foot
    lean = between(-0.012, 0.012, chance.stance) * scale
    for near, offset in enumerate((-0.020, 0.034)):
        hip = pose.centre + complex(offset * scale, -0.72 * pose.chest_radius)
        heel = complex(pose.centre.real + (offset + 0.022) * scale + lean, foot)
        knee = complex(hip.real - 0.012 * scale, 0.45 * hip.imag + 0.55 * foot)
        window = canvas.around((hip, heel, knee), 0.05 * scale)
        leg = np.minimum(
            window.capsule(hip, knee, 0.0165 * scale, 0.0078 * scale),
            window.capsule(knee, heel, 0.0078 * scale, 0.0066 * scale),
        )
        for back, front, drop in ((-0.018, 0.034, -0.002), (-0.004, 0.026, -0.010)):
            toe = window.capsule(
                heel + back * scale,
                heel + complex(front * scale, drop),
                0.0064 * scale,
                0.0046 * scale,
            )
            leg = np.minimum(leg, toe)
        window.paint(colour * 0.45, 0.4 * window.cover(leg - 0.003))
        window.paint(colour * (1.0 if near else 0.8), window.cover(leg), PARTS.index("legs"))


# Of the head's radius: length, half height, bend; and how blunt.
_BEAKS = {
    "short": (0.62, 0.18, 0.0, 0.95),
    "cone": (0.74, 0.37, 0.12, 1.25),
    "long": (1.75, 0.155, 0.0, 0.95),
    "curved": (1.45, 0.16, 0.36, 0.95),
}


def beak(canvas: Canvas, bird: Bird, pose: Pose, chance: Chance) -> None:
    length, height, bend, blunt = _BEAKS[bird.beak]
    length = length * pose.head_radius * between(0.94, 1.06, chance.beak_length)
    root = pose.head + pose.head_radius * pose.gaze * complex(0.84, -0.04)
    window = canvas.around((root, root + length * pose.gaze), 0.6 * pose.head_radius)
    x, y = window.local(root, pose.gaze)
    t = np.clip(x * (1 / length), 0, 1)
    y = y + bend * 0.75 * length * t * t
    half = height * pose.head_radius * (1 - t**blunt)
    shape = np.maximum(np.abs(y) - half, np.maximum(x - length, -x - 0.35 * length))
    light = 0.98 + 0.28 * smooth(-0.2, 1, y / (half + 1e-4))
    slit = bump(y, 0.0055 * pose.scale + 0.2 / window.side) * (t < 0.92)
    light = light - 0.42 * slit
    colour = HORN[bird.beak_colour]
    window.paint(colour * 0.35, 0.55 * window.cover(shape - 0.004))
    window.paint(np.clip(colour * light[..., None], 0, 1), window.cover(shape), PARTS.index("beak"))


def _silhouette(canvas: Canvas, bird: Bird, pose: Pose) -> Field:
    """Distance to body, neck, head and crest, grown together."""
    scale, radius = pose.scale, pose.head_radius
    trunk = canvas.capsule(pose.chest, pose.rump, pose.chest_radius, pose.rump_radius)
    shoulder = pose.chest + 0.015 * scale * 1j * pose.axis
    neck = canvas.capsule(shoulder, pose.head, 0.80 * pose.chest_radius, 0.90 * radius)
    whole = join(join(trunk, neck, 0.05 * scale), canvas.circle(pose.head, radius), 0.03 * scale)
    if bird.crest != NONE:
        low = pose.head + radius * pose.gaze * complex(-0.15, 0.50)
        high = pose.head + radius * pose.gaze * complex(-1.25, 1.65)
        crest = canvas.capsule(low, high, 0.52 * radius, 0.06 * radius)
        whole = join(whole, crest, 0.022 * scale)
    return whole


def body(canvas: Canvas, bird: Bird, pose: Pose, paint: Paint) -> None:
    """Trunk and head: colours with feathery borders, then light on the round form."""
    reach = 2.2 * pose.head_radius
    window = canvas.around((pose.head, pose.chest, pose.rump), max(reach, 0.17 * pose.scale))
    shape = _silhouette(window, bird, pose)
    colour, kinds, head = _colours(window, bird, pose, paint)
    inner = np.clip(-shape * (1 / (0.085 * pose.scale)), 0, 1)
    height = np.sqrt(1 - np.square(1 - inner))
    upward = np.clip((window.y - pose.centre.imag) * (1 / (0.2 * pose.scale)), -1, 1)
    x, y = window.local(pose.centre, pose.axis)
    x, y = x * (1 / (0.2 * pose.scale)), y * (1 / (0.12 * pose.scale * pose.plumpness))
    rim = scallops(-x * 9 + 0.6 * y, y * 5.5)
    feathers = 0.03 * (1 - smooth(0.1, 0.8, rim)) - 0.07 * bump(rim - 0.95, 0.22)
    light = 0.60 + 0.34 * height + 0.13 * upward * (1 - 0.4 * inner)
    light = light + feathers * (1 - 0.55 * head) * height
    shine = 0.12 * smooth(0.25, 1, height) * smooth(0.1, 0.9, upward)
    lit = colour * light[..., None] + shine[..., None] * (1 - colour)
    window.paint(paint("back") * 0.22, 0.6 * window.cover(shape - _OUTLINE))
    cover = window.cover(shape)
    window.paint(np.clip(lit, 0, 1), cover)
    inside = cover >= 0.5
    window.parts[inside] = kinds[inside]


def _colours(
    canvas: Canvas, bird: Bird, pose: Pose, paint: Paint
) -> tuple[Colour, np.ndarray, Field]:
    """Plumage (H, W, 3), the part each pixel belongs to (H, W), and where the head is (H, W)."""
    x, y = canvas.local(pose.centre, pose.axis)
    x, y = x * (1 / (0.2 * pose.scale)), y * (1 / (0.12 * pose.scale * pose.plumpness))
    fringe = 0.05 * np.sin(x * 34 + 3 * np.sin(y * 9))
    below = 1 - smooth(-0.14, 0.20, y - 0.06 + 0.10 * x - 0.30 * np.maximum(x - 0.25, 0) + fringe)
    front = smooth(0.02, 0.34, x + 0.25 * y + 0.7 * fringe)
    under = blend(paint("belly"), paint("breast"), front)
    u, v = canvas.local(pose.head, pose.gaze)
    u, v = u * (1 / pose.head_radius), v * (1 / pose.head_radius)
    head = 1 - smooth(1.05, 1.5, np.sqrt(u * u + v * v))
    if bird.breast_marks != NONE:
        marks = _breast_marks(bird.breast_marks, x, y)
        dark = luminance(paint("breast")) > 0.35
        ink = PLUMAGE["brown"] * 0.55 if dark else PLUMAGE["white"] * 0.9
        under = blend(under, ink, 0.85 * marks * smooth(-0.75, -0.45, x) * (1 - head))
    throat = 1 - smooth(-0.52, -0.22, v + 0.20 * u + fringe)
    crown = smooth(0.14, 0.36, v - 0.12 * u + 0.6 * fringe)
    face = blend(blend(paint("head"), paint("throat"), throat), paint("crown"), crown)
    colour = blend(blend(paint("back"), under, below), face, head)
    kinds = np.where(below > 0.5, np.where(front > 0.5, 5, 6), 4)
    faces = np.where(crown > 0.5, 8, np.where(throat > 0.5, 9, 7))
    kinds = np.where(head > 0.5, faces, kinds)
    if bird.crest != NONE:
        tuft = smooth(0.55, 0.9, v) * (1 - smooth(0.2, 0.5, u))
        colour = blend(colour, paint("crown"), tuft)
        kinds = np.where(tuft > 0.5, 8, kinds)
    return _face_marks(colour, bird, u, v, head), kinds.astype(np.uint8), head


def _face_marks(colour: Colour, bird: Bird, u: Field, v: Field, head: Field) -> Colour:
    if bird.mask != NONE:
        stripe = band(v - 0.14 + 0.06 * u, 0.20) * smooth(-1.1, -0.7, u)
        colour = blend(colour, PLUMAGE["black"] * 1.1, 0.95 * stripe * head)
    if bird.eyebrow != NONE:
        stripe = band(v - 0.46 - 0.05 * u, 0.125) * smooth(-1.0, -0.7, u)
        colour = blend(colour, PLUMAGE[bird.eyebrow], stripe * head)
    return colour


def _breast_marks(kind: str, x: Field, y: Field) -> Field:
    if kind == "spots":
        row = np.floor(y * 3.6)
        across, along = (x * 5.2 + 0.5 * (row % 2)) % 1 - 0.5, y * 3.6 - row - 0.5
        return 1 - smooth(0.20, 0.34, np.sqrt(across * across + along * along))
    slant = y * 5.0 + 0.9 * x
    row = np.floor(slant)
    across, along = (x * 2.6 + 0.5 * (row % 2)) % 1 - 0.5, slant - row - 0.5
    return (1 - smooth(0.10, 0.22, np.abs(along))) * (1 - smooth(0.26, 0.44, np.abs(across)))


def wing(canvas: Canvas, bird: Bird, pose: Pose, paint: Paint) -> None:
    """The folded wing: scaly coverts in front, long flight feathers behind."""
    scale, radius = pose.scale, 0.072 * pose.scale * pose.plumpness
    shoulder = pose.chest + scale * pose.axis * complex(-0.010, 0.040)
    reach = 0.085 if bird.tail_length == "short" else 0.10
    tip = pose.rump - scale * pose.axis * complex(reach, -0.004)
    length = abs(tip - shoulder)
    window = canvas.around((shoulder, tip), 1.25 * radius)
    x, y = window.local(shoulder, (tip - shoulder) / length)
    t = (x + 0.75 * radius) * (1 / (length + 0.75 * radius))
    along = np.clip(t, 0, 1)
    y = y - 0.010 * scale * np.sin(along * np.float32(np.pi))
    rise = np.sqrt(np.clip(1 - np.square(1 - np.clip(along * (1 / 0.34), 0, 1)), 0, 1))
    half = radius * rise * (1 - 0.97 * smooth(0.30, 1.04, along)) ** 0.9
    across = y / (half + 1e-4)
    shape = np.maximum(np.abs(y) - half, np.maximum(-t, t - 1) * length)
    colour = _feathers(bird, along, across, paint("wing"))
    inner = np.clip(-shape * (1 / (0.05 * scale)), 0, 1)
    upward = np.clip((window.y - pose.centre.imag) * (1 / (0.2 * scale)), -1, 1)
    light = 0.72 + 0.30 * np.sqrt(1 - np.square(1 - inner)) + 0.07 * upward
    on_body = window.parts > 0
    shadow = 0.5 * np.exp(-np.maximum(shape, 0) * (1 / (0.013 * scale))) * (y > -0.02 * scale)
    window.paint(paint("belly") * 0.30, shadow * on_body)
    window.paint(np.clip(colour * light[..., None], 0, 1), window.cover(shape), PARTS.index("wing"))


def _feathers(bird: Bird, along: Field, across: Field, colour: Colour) -> Colour:
    dark = shade(colour, 0.50 if luminance(colour) > 0.22 else 1.35)
    flight = smooth(0.40, 0.52, along + 0.05 * np.cos(across * 4))
    vane = wave((across * 0.5 + 0.5) * 4.2)
    feathers = blend(colour, dark, flight * (0.18 + 0.62 * smooth(0.62, 0.98, vane)))
    feathers = blend(feathers, shade(colour, 1.25), 0.30 * flight * (1 - smooth(0, 0.22, vane)))
    feathers = blend(feathers, shade(dark, 0.8), 0.45 * smooth(0.66, 1.0, along))
    rim = scallops(along * 15, across * 2.2)
    coverts = (1 - flight) * smooth(0.03, 0.14, along)
    feathers = blend(feathers, dark, 0.34 * coverts * bump(rim - 0.93, 0.17))
    feathers = blend(feathers, shade(colour, 1.28), 0.28 * coverts * (1 - smooth(0.2, 0.75, rim)))
    if bird.wing_bars != NONE:
        for place in (0.27, 0.43):
            curve = along + 0.05 * across * across - 0.02 * across - place
            bar = band(curve, 0.030) * (1 - smooth(0.78, 1.0, np.abs(across)))
            feathers = blend(feathers, PLUMAGE[bird.wing_bars], bar)
    return feathers


def eye(canvas: Canvas, bird: Bird, pose: Pose, paint: Paint) -> None:
    centre = pose.head + pose.head_radius * pose.gaze * complex(0.34, 0.16)
    radius = 0.165 * pose.head_radius
    window = canvas.around((centre,), 2.5 * radius)
    away = window.circle(centre, 0)
    if bird.eye_ring != NONE:
        window.paint(PLUMAGE[bird.eye_ring], window.cover(away - 1.6 * radius))
    else:
        window.paint(shade(paint("head"), 0.45), 0.7 * window.cover(away - 1.28 * radius))
    window.paint(rgb(13, 10, 10), window.cover(away - radius), PARTS.index("eye"))
    glint = window.circle(centre + radius * complex(0.30, 0.38), 0.36 * radius)
    window.paint(rgb(255, 255, 255), 0.95 * window.cover(glint))
