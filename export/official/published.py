"""What official files make a system, and how its bundle behaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from t2i.export.official.kinds import Part

Reads = Literal["words", "characters", "pairs", "nothing"]


@dataclass(frozen=True)
class Published:
    """A system whose weights are published, or made by official code."""

    parts: tuple[Part, ...]
    reads: Reads = "nothing"
    """What captions are to it; where it reads words or byte pairs, `--vocabulary` names the file
    that lists them."""
    pixels: Literal["truncate", "round"] | None = None
    """How the official code makes bytes of pictures, where it draws any."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings that no shape tells."""
