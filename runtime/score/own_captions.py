"""CLIP score and VS similarity: how near pictures lie to their own captions."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from t2i.runtime.errors import ScoreError
from t2i.runtime.score.protocol import Value
from t2i.runtime.score.sets import Captions, Setting
from t2i.runtime.score.sources import Caption, Source
from t2i.runtime.sessions import Arrays

NORM_FLOOR = 1e-12


class OwnCaption:
    """Compares each picture with its own caption, in a space that they share."""

    outputs = ("code",)
    ranked_by = "how near it lies to its own caption"
    name: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}
    """What its protocol tells beside the number of captions."""

    def __init__(self, setting: Setting) -> None:
        """Reads all captions.

        Raises:
            ScoreError: pictures have no captions, or the extractor reads none.
        """
        captions = captions_of(setting.source, self.name)
        setting.extractor.require(*self.outputs)
        texts = list(dict.fromkeys(each.text for each in captions))
        places = {text: place for place, text in enumerate(texts)}
        self.sentences = setting.extractor.sentences(texts)
        self.places = [places[each.text] for each in captions]
        self.found: list[float] = []

    def see(self, captions: Captions, seen: Arrays) -> None:
        own = [self.place(each) for each in captions]
        self.found += self.scores(similarities(seen["code"], self.sentences[own])).tolist()

    def place(self, caption: int | None) -> int:
        """Which sentence is that of a caption of the source."""
        assert caption is not None, "its source has captions"
        return self.places[caption]

    def scores(self, cosines: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return cosines

    def by_picture(self) -> Sequence[float]:
        return self.found

    def value(self) -> Value:
        return Value(
            float(np.mean(self.found)),
            spread=float(np.std(self.found)) if len(self.found) > 1 else None,
            reference="the pictures' own captions",
            options={"captions": len(self.sentences), **self.options},
        )


class VisualSemantic(OwnCaption):
    """Source: Zhang et al. 2018 (HDGAN), section 4.2."""

    name = "vs"


class ClipScore(OwnCaption):
    """Source: Hessel et al. 2021, with a weight of 100 and no prompt."""

    name = "clip"
    options: ClassVar[dict[str, Any]] = {"prompt": ""}

    def scores(self, cosines: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return 100 * np.maximum(0, cosines)


def captions_of(source: Source, metric: str) -> Sequence[Caption]:
    """Raises ScoreError where pictures have no captions."""
    if not source.captions:
        raise ScoreError(
            f"{metric} needs the captions of the pictures, and {source.name} has none",
            hint="score what `t2i-run --captions FILE` wrote, draw with --model, or tell the "
            'captions in a metadata.jsonl: {"file_name": "1.png", "text": "a red bird"}',
        )
    return source.captions


def similarities(
    codes: npt.NDArray[np.floating], sentences: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Cosine of each picture's code with its sentence: (B, D), (B, D) -> (B,)."""
    a, b = _directions(codes), _directions(sentences)
    return np.einsum("bd,bd->b", a, b)


def _directions(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True).clip(min=NORM_FLOOR)
