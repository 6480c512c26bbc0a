"""What can be painted, and what comes of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from t2i.runtime.blend import Between
from t2i.runtime.bundle import Bundle
from t2i.runtime.decode import Opening, Sampling
from t2i.runtime.errors import BundleError, UsageError
from t2i.runtime.text import Reading

Caption = str | Reading | Between
"""What can be painted: a caption, as it is typed or as it was read, or what lies between two."""


@dataclass(frozen=True)
class Painting:
    """A batch of pictures, and what was asked for beside them."""

    pictures: npt.NDArray[np.uint8]
    """(B, H, W, 3)."""
    stages: dict[int, npt.NDArray[np.uint8]]
    """Pictures of the generator's smaller stages, by their width; or what there was after so many
    tokens."""
    attentions: dict[str, npt.NDArray[np.float32]]
    """(B, T, H, W) by name: how much each region looked at each word."""


def refuse_what_draws_no_captions(bundle: Bundle) -> None:
    """Raises BundleError."""
    manifest = bundle.manifest
    if not manifest.draws:
        raise BundleError(
            f"{manifest.name} draws no captions: it is a {manifest.pipeline!r} bundle",
            hint="`t2i-run --list` shows what does",
        )


def refuse_tokens(name: str, sampling: Sampling | None, opening: Opening | None) -> None:
    """Raises UsageError where tokens are to be drawn otherwise, by what draws none."""
    if sampling or opening:
        raise UsageError(
            f"{name} draws a picture at once, not token by token",
            hint="leave out --temperature, --top-k, --top-p, --guidance and --complete",
        )
