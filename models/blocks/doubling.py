"""Sizes of pictures that grow by doubling."""

from t2i.runtime.errors import UsageError


def doublings(px: int, start: int = 4) -> int:
    """How often `start` is doubled to reach `px`: once at least.

    Raises:
        UsageError: no doubling leads there.
    """
    count = (px // start).bit_length() - 1
    if count < 1 or start * 2**count != px:
        sides = ", ".join(str(start * 2**i) for i in range(1, 5))
        raise UsageError(
            f"pictures of {px} px cannot be drawn",
            hint=f"take {start} times a power of two: {sides}, …",
        )
    return count
