"""What official files make a system, and how its bundle behaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from t2i.export.official.kinds import Part

PUBLISHED_WORDS = {
    5450: "AttnGAN's captions.pickle for CUB",
    5453: "MirrorGAN's bird_captions.pickle",
    27297: "AttnGAN's captions.pickle for COCO",
}
"""By how many words they list, the end of a caption included."""

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
