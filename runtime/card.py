"""What a graph runs on beside the processor: the card, its driver, and TensorRT."""

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
MAJOR, MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
TENSORRT = ("libnvinfer.so.11", "libnvinfer.so.10", "libnvinfer.so.8")


@dataclass(frozen=True)
class Card:
    """The first CUDA device."""

    name: str
    """As its maker calls it."""
    capability: str
    """Which instructions it knows: `8.7`."""
    driver: int
    """The newest CUDA that its driver knows: 12060 is 12.6."""


def find() -> Card | None:
    """Ask the driver, which is there wherever a card can be used; None without a card."""
    try:
        driver: Any = ctypes.CDLL(DRIVER)
    except OSError:
        return None
    name = ctypes.create_string_buffer(256)
    device, version, major, minor = (ctypes.c_int() for _ in range(4))
    failed = (
        driver.cuInit(0)
        or driver.cuDriverGetVersion(ctypes.byref(version))
        or driver.cuDeviceGet(ctypes.byref(device), 0)
        or driver.cuDeviceGetName(name, len(name), device)
        or driver.cuDeviceGetAttribute(ctypes.byref(major), MAJOR, device)
        or driver.cuDeviceGetAttribute(ctypes.byref(minor), MINOR, device)
    )
    if failed:
        return None
    return Card(name.value.decode(errors="replace"), f"{major.value}.{minor.value}", version.value)


def tensorrt() -> str:
    """The version of TensorRT, whose library is then loaded; "none" where there is none.

    The Python package loads the library from where pip put it. A Jetson has the library among those
    of the system, mostly without the package.
    """
    try:
        import tensorrt
    except ImportError:
        for name in TENSORRT:
            try:
                return str(ctypes.CDLL(name).getInferLibVersion())
            except OSError:
                continue
        return "none"
    return str(tensorrt.__version__)
