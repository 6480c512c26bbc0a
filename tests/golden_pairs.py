"""The pictures of the golden cases of similarity, made by their formulas."""

import hashlib

import numpy as np
from golden import Case


def to_bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def made(base: np.ndarray, grain: np.ndarray) -> np.ndarray:
    up = base.astype(np.float64).repeat(8, axis=0).repeat(8, axis=1)
    return to_bytes(128 + 45 * up + 8 * grain.astype(np.float64))


def golden_pair(case: Case) -> tuple[np.ndarray, np.ndarray]:
    inputs, a = case.inputs(), case.settings["a"]
    x = made(inputs["base"], inputs["grain"])
    wide = x.astype(np.float64)
    match case.what.rpartition(" ")[2]:
        case "noise":
            y = to_bytes(wide + a * inputs["noise"].astype(np.float64))
        case "shift":
            y = to_bytes(wide + a)
        case "blocks":
            H, W, C = x.shape
            means = wide.reshape(H // 4, 4, W // 4, 4, C).mean((1, 3))
            y = to_bytes(means.repeat(4, axis=0).repeat(4, axis=1))
        case "other":
            y = made(inputs["other_base"], inputs["other_grain"])
        case "contrast":
            y = to_bytes(128 + a * (wide - 128))
    for picture, key in ((x, "sha256_x"), (y, "sha256_y")):
        assert hashlib.sha256(picture.tobytes()).hexdigest() == case.settings[key]
    return x, y


def golden_set(case: Case) -> list[np.ndarray]:
    """Eight pictures that share most of what they show."""
    inputs = case.inputs()
    shared = inputs["shared"].astype(np.float64)
    bases = [0.8 * shared + 0.6 * inputs[f"base{n}"].astype(np.float64) for n in range(8)]
    pictures = [made(base, inputs[f"grain{n}"]) for n, base in enumerate(bases)]
    digest = hashlib.sha256(np.stack(pictures).tobytes()).hexdigest()
    assert digest == case.settings["sha256_all"]
    return pictures


def golden_batch(case: Case) -> np.ndarray:
    """Two pictures (2, H, W, 3) of the cases of Inception."""
    inputs = case.inputs()
    base, grain = (inputs[name].astype(np.float64) for name in ("base", "grain"))
    H, W = grain.shape[2:]
    up = base.repeat(-(-H // 4), axis=2).repeat(-(-W // 4), axis=3)[:, :, :H, :W]
    pictures = to_bytes(128 + 80 * up + 25 * grain)
    assert hashlib.sha256(pictures.tobytes()).hexdigest() == case.settings["sha256"]
    return np.ascontiguousarray(pictures.transpose(0, 2, 3, 1))
