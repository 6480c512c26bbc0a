"""What official files make a system, and how its bundle behaves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from t2i.export.official.kinds import Part, Role

PUBLISHED_WORDS = {
    5450: "AttnGAN's captions.pickle for CUB",
    5453: "MirrorGAN's bird_captions.pickle",
    27297: "AttnGAN's captions.pickle for COCO",
}
"""By how many words they list, the end of a caption included."""

Reads = Literal["words", "characters", "pairs", "pieces", "nothing"]


@dataclass(frozen=True)
class Files:
    """What the command was given."""

    weights: Mapping[Role, Path]
    vocabulary: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What no file tells, or is to be otherwise."""


@dataclass(frozen=True)
class Published:
    """A system whose weights are published, or made by official code."""

    parts: tuple[Part, ...]
    reads: Reads = "nothing"
    """What captions are to it; where it reads words or byte pairs, `--vocabulary` names the file
    that lists them. Pieces are the pairs of characters that min-dalle reads."""
    pixels: Literal["truncate", "round"] | None = None
    """How the official code makes bytes of pictures, where it draws any."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings that no shape tells."""
    folder: Callable[[Path], Files] | None = None
    """Where `--weights` names a folder: the files in it."""
