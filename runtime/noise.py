"""The same seed gives the same noise in every language and on every machine.

Networks draw nothing: what they would draw is an input of their graph. It is made here by a
generator that counts instead of remembering, so that any picture's noise can be computed alone,
and that ONNX Runtime, C++ and a browser can repeat bit for bit.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from t2i.runtime.bundle import Noise
from t2i.runtime.errors import UsageError
from t2i.runtime.rules import NOISE_DIMENSIONS

DIMENSIONS = NOISE_DIMENSIONS  # of one picture, all noise inputs together
SEEDS = 2**38  # so that every counter stays below 2**62

Held = int | npt.NDArray[np.float32]
"""What pictures share: a seed, or what was drawn."""


def draw(
    seeds: Sequence[int] | npt.NDArray[np.int64],
    inputs: Sequence[Noise],
    hold: Mapping[str, Held] | None = None,
) -> dict[str, npt.NDArray[np.float32]]:
    """Noise of one picture for each seed: `{name: (B, *shape)}`.

    The dimensions of a picture are numbered through all inputs in their order, and
    counter = seed · 2²⁴ + dimension. Two hashes of the counter give u₁ and u₂; a normal draw is
    √(−2 ln u₁) · cos 2πu₂ (Box-Muller, in double precision), a uniform one 2u₁ − 1.

    Args:
        hold: names of inputs that all pictures share, each with the seed it is drawn from, or with
            its values (*shape).

    Raises:
        UsageError: a seed is negative, or 2³⁸ and more; or what is held is no input.
    """
    hold = hold or {}
    refuse_unknown(hold, inputs)
    shared = [each for each in hold.values() if not isinstance(each, np.ndarray)]
    for seed in (*seeds, *shared):
        refuse_out_of_range(int(seed))
    drawn: dict[str, npt.NDArray[np.float32]] = {}
    dimension = 0
    for each in inputs:
        held = hold.get(each.name)
        if isinstance(held, np.ndarray):
            drawn[each.name] = np.broadcast_to(held, (len(seeds), *each.shape))
        else:
            own = seeds if held is None else [held] * len(seeds)
            drawn[each.name] = _values(own, each, dimension)
        dimension += math.prod(each.shape)
    assert dimension <= DIMENSIONS, "Bundle.load refuses such a bundle"
    return drawn


def _values(
    seeds: Sequence[int] | npt.NDArray[np.int64], noise: Noise, first: int
) -> npt.NDArray[np.float32]:
    """(B, *shape), whose dimensions are numbered from `first`."""
    starts = np.asarray(seeds, np.uint64)[:, None] << np.uint64(24)
    counters = starts | np.arange(first, first + math.prod(noise.shape), dtype=np.uint64)
    values = _uniform(counters) if noise.distribution == "uniform" else _normal(counters)
    return values.astype(np.float32).reshape(len(starts), *noise.shape)


def dice(seed: int) -> np.random.RandomState:
    """NumPy's old generator, with which official code draws, for every seed of a picture.

    It takes 32 bits at a time.
    """
    high, low = divmod(seed, 2**32)
    return np.random.RandomState([low, high] if high else low)


def refuse_out_of_range(seed: int) -> None:
    """Raises UsageError where no picture can have this seed."""
    if not 0 <= seed < SEEDS:
        raise UsageError(
            f"seed {seed} is out of range",
            hint="the seed of each picture (--seed plus its index) lies in 0 … 2^38 − 1",
        )


def refuse_too_many(seed: int, pictures: int) -> None:
    """Raises UsageError where so many pictures, from this seed on, have no seeds."""
    if seed + pictures > SEEDS:
        raise UsageError("the seed is too large", hint="each picture's seed must be below 2^38")


def refuse_unknown(names: Iterable[str], inputs: Sequence[Noise]) -> None:
    """Raises UsageError where one of the names is no input."""
    known = [each.name for each in inputs]
    for name in names:
        if name not in known:
            has = f"its noises are: {', '.join(known)}" if known else "it draws without noise"
            raise UsageError(f"this bundle has no noise {name[:40]!r} to hold", hint=has)


def _normal(counters: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    radius = np.sqrt(-2.0 * np.log(_unit(murmur3(counters, 0))))
    return radius * np.cos(2.0 * np.pi * _unit(murmur3(counters, 1)))


def _uniform(counters: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    return 2.0 * _unit(murmur3(counters, 0)) - 1.0


def _unit(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.float64]:
    """Into the open interval (0, 1): the logarithm of it is always finite."""
    return (hashes.astype(np.float64) + 0.5) * 2.0**-32


def murmur3(counters: npt.NDArray[np.uint64], seed: int) -> npt.NDArray[np.uint32]:
    """MurmurHash3 (x86, 32 bits) of each counter, taken as a key of 8 little-endian bytes.

    Source: Appleby, MurmurHash3.cpp, `MurmurHash3_x86_32`; ONNX Runtime's operator of that name.
    """
    hashes = np.full(counters.shape, seed, np.uint32)
    for shift in (0, 32):
        block = (counters >> np.uint64(shift)).astype(np.uint32)
        block = _rotate(block * np.uint32(0xCC9E2D51), 15) * np.uint32(0x1B873593)
        hashes = _rotate(hashes ^ block, 13) * np.uint32(5) + np.uint32(0xE6546B64)
    hashes ^= np.uint32(8)  # the length of the key
    hashes = (hashes ^ (hashes >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    hashes = (hashes ^ (hashes >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return hashes ^ (hashes >> np.uint32(16))


def _rotate(values: npt.NDArray[np.uint32], left: int) -> npt.NDArray[np.uint32]:
    return (values << np.uint32(left)) | (values >> np.uint32(32 - left))
