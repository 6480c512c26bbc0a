"""Pictures and captions in one space: the cosine of their vectors tells how well they match."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from t2i.runtime.errors import PictureError, ScoreError
from t2i.runtime.pictures import Pixels, read_picture
from t2i.runtime.score.features import Extractor

Vectors = npt.NDArray[np.float32]
"""(N, E)."""
BUNDLE = "birds-clip"
LONGEST_STRIP = 50
"""Pictures that are more times as long as broad are refused."""
SMALLEST = 1e-12  # length of a vector that has no direction


class Matcher:
    """A bundle of scores, which sees pictures and reads captions."""

    def __init__(self, extractor: Extractor) -> None:
        """
        Raises:
            ScoreError: it does only one of them.
        """
        # Whatever reads captions gives codes of pictures too: `Bundle.load` sees to it.
        if "text" not in {graph.role for graph in extractor.manifest.graphs}:
            raise ScoreError(
                f"{extractor.name} reads no captions",
                hint="choose a bundle of scores, such as one of CLIP",
            )
        self.extractor = extractor

    @classmethod
    def load(
        cls, name: str, *, device: str = "auto", threads: int | None = None, strict: bool = False
    ) -> "Matcher":
        """Get a bundle ready; a strict one refuses captions that are too long.

        Raises:
            BundleError: there is no such bundle, or it is damaged.
            ScoreError: it compares no pictures with captions.
        """
        return cls(Extractor.load(name, device=device, threads=threads, strict=strict))

    @property
    def name(self) -> str:
        return self.extractor.name

    @property
    def scale(self) -> float:
        """What cosines are multiplied by before a softmax.

        Raises:
            ScoreError: none was learnt.
        """
        scale = self.extractor.manifest.logit_scale
        if scale is None:
            raise ScoreError(
                f"{self.name} has learnt no scale by which cosines become probabilities",
                hint="choose a bundle of CLIP",
            )
        return scale

    @property
    def size(self) -> int:
        """E: how many numbers a vector has."""
        size = self.extractor.width("code")
        assert size, "a graph that gives codes says how long they are"
        return size

    def pictures(self, pixels: Sequence[Pixels]) -> Vectors:
        """Pictures (H, W, 3), of any sizes, as vectors of length 1."""
        return unit(self.extractor.look(pixels, ["code"])["code"])

    def captions(self, texts: Sequence[str]) -> Vectors:
        """Captions as vectors of length 1."""
        return unit(self.extractor.sentences(texts))


def read(path: Path) -> Pixels:
    """A picture to look at.

    Raises:
        PictureError: it cannot be read; or it is a strip, whose resized sides would fill memory.
    """
    pixels = read_picture(path)
    short, long = sorted(pixels.shape[:2])
    if long > LONGEST_STRIP * short:
        raise PictureError(
            f"{path} is a strip of {pixels.shape[1]} × {pixels.shape[0]} pixels",
            hint="cut a part out of it",
        )
    return pixels


def unit(vectors: npt.NDArray[np.floating]) -> Vectors:
    """The directions of vectors (…, E)."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(lengths, SMALLEST)).astype(np.float32)
