"""Random numbers that are the same on every machine: each is a hash of a key and a counter."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15


def _scramble(value: int) -> int:
    """The finaliser of SplitMix64 (Steele et al. 2014): every bit depends on every bit."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _MASK
    return value ^ (value >> 31)


def mix(*key: int) -> int:
    """One 64-bit number for a key of several; the order counts."""
    state = 0
    for part in key:
        state = _scramble((state + _GOLDEN + (part & _MASK)) & _MASK)
    return state


def mix_text(text: str) -> int:
    """A 64-bit number for a text, alike in every process (unlike `hash`)."""
    return mix(*text.encode())


class Dice:
    """A stream of draws that its key decides."""

    def __init__(self, *key: int) -> None:
        self._state = mix(*key)

    def random(self) -> float:
        """Uniform in [0, 1)."""
        self._state = (self._state + _GOLDEN) & _MASK
        return (_scramble(self._state) >> 11) * 2.0**-53

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def choice(self, options: Sequence[T]) -> T:
        return options[int(self.random() * len(options))]

    def weighted(self, options: Mapping[T, float]) -> T:
        """One of the keys, as often as its value says."""
        left = self.random() * sum(options.values())
        for option, weight in options.items():
            left -= weight
            if left < 0:
                return option
        return option

    def shuffled(self, items: Sequence[T]) -> list[T]:
        order = sorted((self.random(), place) for place in range(len(items)))
        return [items[place] for _, place in order]

    def normal(self) -> float:
        """Standard normal, by Box and Muller."""
        radius = math.sqrt(-2 * math.log(1 - self.random()))
        return radius * math.cos(2 * math.pi * self.random())


def uniform_of(normal: float) -> float:
    """Φ: the share of standard normal numbers below this one."""
    return 0.5 * (1 + math.erf(normal / math.sqrt(2)))
