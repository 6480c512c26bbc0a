"""What the processor can do."""

import platform
from pathlib import Path

from t2i.runtime.bundle import Rounding
from t2i.runtime.errors import DeviceError

CPUINFO = Path("/proc/cpuinfo")
X86 = ("amd64", "i386", "i686", "x86", "x86_64")
VNNI = {"avx512_vnni", "avx_vnni"}


def overflows() -> bool:
    """Whether products of eight bits of full range overflow when they are added.

    They do on x86 without VNNI; where nothing tells of it, it is taken not to be there.
    """
    return platform.machine().lower() in X86 and VNNI.isdisjoint(flags())


def refuse_overflow(rounding: Rounding | None) -> None:
    """
    Raises:
        DeviceError: this processor cannot add the products of a generator in eight bits.
    """
    if rounding and rounding.range == "full" and overflows():
        raise DeviceError(
            "the weights of this bundle reach over all eight bits, which need VNNI on a processor "
            "like this one, and its flags do not show it",
            hint="export it with --int8 --set range=reduced, or without --int8",
        )


def flags() -> frozenset[str]:
    """The instructions that Linux lists; none on other systems."""
    if CPUINFO.exists():
        for line in CPUINFO.read_text().splitlines():
            if line.startswith("flags"):
                return frozenset(line.partition(":")[2].split())
    return frozenset()
