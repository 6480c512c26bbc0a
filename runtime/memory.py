"""Memory of this process, and what of it goes back to the system."""

import ctypes
import sys

_MMAP_THRESHOLD = -3  # as malloc.h calls it: M_MMAP_THRESHOLD
LEAST_BYTES = 2**17
"""What is as large as this, as tensors are, is returned when it is freed."""


def return_what_is_freed() -> None:
    """Let large pieces of memory leave the whole process as soon as they are freed.

    The C library of most Linux systems keeps them otherwise: it takes the largest piece that was
    ever freed for what is needed again and again. Elsewhere this changes nothing.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(_MMAP_THRESHOLD, LEAST_BYTES)
