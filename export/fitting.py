"""What a generator in eight bits is fitted to: captions, and the processor that is to draw.

Without the instructions VNNI, x86 adds products in pairs of 16 bits, which two of full range
overflow: there weights have seven bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from t2i.runtime.captions import read_captions
from t2i.runtime.errors import DataError, UsageError, did_you_mean
from t2i.runtime.processor import overflows

Range = Literal["full", "reduced"]
SETTING = "range="
CAPTIONS = 96
"""So many are needed: most to fit to, some to choose layers by, some to measure the loss on."""


@dataclass(frozen=True)
class Fitting:
    """What was asked for."""

    range: Range | None = None
    """Of the weights; None: as this processor likes it."""
    captions: tuple[str, ...] = ()
    """Those of the run where there are none."""

    @property
    def chosen(self) -> Range:
        return self.range or ("reduced" if overflows() else "full")


UNASKED = Fitting()


def asked(changes: Sequence[str], captions: Path | None) -> tuple[tuple[str, ...], Fitting]:
    """What is set of a range, taken out of all that is set, and what a file of captions holds.

    Raises:
        UsageError: there is no such range.
        DataError: the captions cannot be read, or are too few.
    """
    others = tuple(each for each in changes if not each.startswith(SETTING))
    names = [each.removeprefix(SETTING) for each in changes if each.startswith(SETTING)]
    return others, Fitting(_range(names[-1]) if names else None, _read(captions))


def _range(name: str) -> Range:
    for each in get_args(Range):
        if each == name:
            found: Range = each
            return found
    raise UsageError(f"there is no range {name!r}", hint=did_you_mean(name, get_args(Range)))


def _read(path: Path | None) -> tuple[str, ...]:
    if path is None:
        return ()
    lines = read_captions(str(path))
    for line in lines:
        if line.problem:
            raise DataError(f"{path}, line {line.number}: {line.problem}", hint="mend the line")
    if len(lines) < CAPTIONS:
        raise DataError(
            f"{path} has {len(lines)} captions, and {CAPTIONS} are needed",
            hint="add captions of the kind that are to be drawn",
        )
    return tuple(line.caption for line in lines)
