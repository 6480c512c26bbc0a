"""A number and how it was made: without its protocol it means nothing."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import PIL

import t2i

COMPARED = ("definition", "pictures", "resize", "extractor", "reference", "options", "seed")
"""What of two protocols must be equal, beside software and inputs."""
SHORT = 80


@dataclass(frozen=True)
class Input:
    """What went into a number: pictures, the bundle that drew them, captions, or statistics."""

    name: str
    count: int | None
    """How many pictures, or captions, where that is known."""
    sha256: str
    """Of the bundle or file; of a folder, over the sorted names and hashes of its pictures; of
    captions, over texts and facts as JSON."""


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
    """The network that looked at the pictures: the name and the hash of its bundle."""
    reference: str | None
    """What the pictures are compared with."""
    options: dict[str, Any]
    seed: int | None
    """Of what was drawn at random: the first picture's, and the metric's own draws."""
    inputs: tuple[Input, ...]
    software: dict[str, str]
    unreadable: tuple[str, ...] = ()
    """Pictures that could not be read and were left out."""


@dataclass(frozen=True)
class Part:
    """One line of a result that has several: an attribute, a group of them, a ratio."""

    name: str
    value: float
    count: int
    """On how many pictures, or statements about them, it rests."""
    interval: tuple[float, float] | None = None
    """95 % confidence of the value, where it was computed."""
    rendered: float | None = None
    """The same for pictures that the data's own renderer made, where that is known."""


@dataclass(frozen=True)
class Value:
    """What a metric found, and what only it can tell of its protocol."""

    value: float
    spread: float | None = None
    interval: tuple[float, float] | None = None
    parts: tuple[Part, ...] = ()
    reference: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    """What it read beside the pictures."""


@dataclass(frozen=True)
class Result:
    """What a metric says."""

    metric: str
    called: str
    """The metric, and who looked where that is not whom papers mean: `fid (birds-features)`."""
    value: float
    unit: str
    spread: float | None
    """Standard deviation over what was averaged, where it is finite and there are several."""
    interval: tuple[float, float] | None
    """95 % confidence of the value, where it was computed."""
    parts: tuple[Part, ...]
    """What the value is made of, where it is made of several."""
    protocol: Protocol


def result(
    metric: str, found: Value, about: Protocol, *, unit: str = "", called: str | None = None
) -> Result:
    """What a metric found, with its protocol."""
    return Result(
        metric=metric,
        called=called or metric,
        value=found.value,
        unit=unit,
        spread=found.spread,
        interval=found.interval,
        parts=found.parts,
        protocol=about,
    )


def describe(name: str, pictures: Sequence[tuple[str, str]]) -> Input:
    """The pictures of one set, by their names and hashes; their order does not count."""
    lines = (f"{sha256}  {picture}\n" for picture, sha256 in sorted(pictures))
    return Input(name, len(pictures), hashlib.sha256("".join(lines).encode()).hexdigest())


def software() -> dict[str, str]:
    """Versions of what decodes and computes."""
    return {
        "t2i": t2i.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pillow": PIL.__version__,
    }


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """In what two protocols differ, as they are in JSON, but for the pictures that are scored."""
    found = [
        f"{name}: {_short(a.get(name))} and {_short(b.get(name))}"
        for name in COMPARED
        if a.get(name) != b.get(name)
    ]
    for name in sorted({*a.get("software", {}), *b.get("software", {})}):
        one, other = (each.get("software", {}).get(name) for each in (a, b))
        if one != other:
            found.append(f"{name}: {_short(one)} and {_short(other)}")
    # The first input is what is scored; the others are what it is compared with.
    one, other = (
        {each["name"]: each["sha256"] for each in about.get("inputs", [])[1:]} for about in (a, b)
    )
    if sorted(one.values()) != sorted(other.values()):
        found.append(f"inputs: {', '.join(one) or 'none'} and {', '.join(other) or 'none'}")
    return found


def digits(value: float) -> str:
    """Six that count."""
    return f"{value:#.6g}"


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"
