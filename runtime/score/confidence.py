"""How sure a share is, or a mean of shares."""

import math
from collections.abc import Sequence

NORMAL_95 = 1.959963984540054  # the 97.5 % quantile of the standard normal distribution


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % confidence of a share, 0 ≤ low ≤ hits / count ≤ high ≤ 1.

    Source: Wilson 1927; Brown, Cai, DasGupta 2001, equation 4.
    """
    share, z2 = hits / count, NORMAL_95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = NORMAL_95 * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    half /= 1 + z2 / count
    # Rounding must not push an end beyond the share itself where that is 0 or 1.
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))


def of_mean(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % confidence of the mean of shares that are independent; None for one alone.

    The mean ± z s / √n with the deviation of a sample, cut to 0 … 1: for large numbers, where the
    mean is nearly normal.
    """
    n = len(values)
    if n < 2:
        return None
    mean = math.fsum(values) / n
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    half = NORMAL_95 * math.sqrt(variance / n)
    return max(0.0, mean - half), min(1.0, mean + half)
