"""Captions for bundles that read none: a file holds the vector of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from t2i.runtime.bundle import Bundle
from t2i.runtime.errors import DataError, TextError, UsageError
from t2i.runtime.text import Reading, shown

if TYPE_CHECKING:
    from t2i.runtime.embeddings import Embeddings, Vector


@dataclass(frozen=True)
class Vectors:
    """What stands in for the text graph."""

    embeddings: "Embeddings"
    size: int
    """E, as the generator takes it."""

    def read(self, caption: str) -> Reading:
        """The whole caption is one word, and it is known if it has a vector.

        Raises:
            TextError: it has none.
        """
        self._vector(caption)
        return Reading((), (caption,), (), 0)

    def sentences(self, readings: Sequence[Reading]) -> npt.NDArray[np.float32]:
        """The vectors (B, E) of captions that were read."""
        return np.stack([self._vector(*reading.words) for reading in readings])

    def _vector(self, caption: str) -> "Vector":
        vector = self.embeddings.get(caption)
        if vector is None:
            raise TextError(
                f"there is no vector of {shown(caption)} in {self.embeddings.path}",
                hint="captions are looked up letter for letter: ask for one of the file's, or "
                "encode this one",
            )
        if len(vector) != self.size:
            raise DataError(
                f"the vector of {shown(caption)} has {len(vector)} numbers, and this bundle takes "
                f"{self.size}",
                hint="encode captions as those of the training were encoded",
            )
        return vector


def open_vectors(bundle: Bundle, file: Path | None) -> Vectors | None:
    """The vectors of a bundle that reads no captions; None for one that does.

    Raises:
        UsageError: it needs a file and none is named, or the other way round.
        DataError: the file cannot be read.
    """
    if bundle.manifest.condition != "vector":
        if file is not None:
            raise UsageError(f"{bundle.name} reads captions itself", hint="leave out --embeddings")
        return None
    if file is None:
        raise UsageError(
            f"{bundle.name} reads no captions: it was trained on vectors made elsewhere",
            hint="name a file that holds the vectors of yours: t2i-run --embeddings FILE",
        )
    from t2i.runtime.embeddings import Embeddings  # few need it, and it opens archives

    sizes = {each.name: each.shape[1:] for each in bundle.graph("generator").inputs}
    (size,) = sizes["sentence"]
    assert isinstance(size, int), "Bundle.load refuses such a bundle"
    return Vectors(Embeddings(file), size)
