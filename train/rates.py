"""How learning rates, and what else is annealed, change with time."""

import math
from collections.abc import Callable


def halving(every: int | None) -> Callable[[int], float]:
    """A factor by step: halved after every so many, again and again; 1 for ever where None."""
    return lambda step: float(0.5 ** (step // every)) if every else 1.0


def halving_epochs(every: int | None, epoch: int) -> Callable[[int], float]:
    """The same counted in epochs of so many steps, from 1: halved as number `every` begins.

    Source:
        HDGAN's official code.
    """
    return lambda step: float(0.5 ** ((step // epoch + 1) // every)) if every else 1.0


def cosine(step: int, steps: int, start: float, end: float) -> float:
    """From one value to another along half a wave, in so many steps; then it stays."""
    share = min(1.0, step / steps)
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))
