"""A number and how it was made: without its protocol it means nothing."""

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL

import t2i
from t2i.runtime.errors import PictureError


@dataclass(frozen=True)
class Pictures:
    """One set of pictures that went into a number."""

    name: str
    pictures: int
    sha256: str
    """Over the sorted names and hashes of the files: the same set has the same."""


@dataclass(frozen=True)
class Protocol:
    """Everything that somebody else needs to get the same number."""

    definition: str
    """The formula, and the paper it comes from."""
    pictures: int
    """How many were scored; for metrics of pairs, how many pairs."""
    pixel_range: tuple[float, float]
    resize: str
    """How pictures were brought to the size that the metric needs."""
    extractor: str | None
    """The network that made features of the pictures: its name and hash."""
    reference: str | None
    """What the pictures are compared with."""
    options: dict[str, Any]
    seed: int | None
    """Of what was drawn at random."""
    inputs: tuple[Pictures, ...]
    software: dict[str, str]


@dataclass(frozen=True)
class Result:
    """What a metric says."""

    metric: str
    value: float
    unit: str
    spread: float | None
    """Standard deviation over what was averaged, where it is finite and there are several."""
    interval: tuple[float, float] | None
    """95 % confidence of the value, where it was computed."""
    protocol: Protocol


def describe(name: str, files: Sequence[Path]) -> Pictures:
    """The files of one set, hashed.

    Raises:
        PictureError: one cannot be read.
    """
    lines = []
    for file in sorted(files):
        try:
            lines.append(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n")
        except OSError as error:
            raise PictureError(
                f"{file} cannot be read: {error.strerror}", hint="check that you may read it"
            ) from error
    return Pictures(name, len(files), hashlib.sha256("".join(lines).encode()).hexdigest())


def software() -> dict[str, str]:
    """Versions of what decodes and computes."""
    return {
        "t2i": t2i.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pillow": PIL.__version__,
    }
