"""Diversity: how much the pictures of one caption differ from seed to seed."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from t2i.runtime.errors import UsageError
from t2i.runtime.score.protocol import Part, Value
from t2i.runtime.score.sets import Captions, Setting
from t2i.runtime.score.sources import Drawing, Source
from t2i.runtime.sessions import Arrays

CAPTIONS, SEEDS = 50, 16


def draws(source: Source) -> Source:
    """The first captions of a source, each from several seeds.

    Raises:
        UsageError: the source does not draw.
    """
    if isinstance(source, Drawing):
        return source.repeated(CAPTIONS, SEEDS)
    raise UsageError(
        f"diversity is that of several pictures of one caption, which {source.name} cannot draw",
        hint="`t2i-score diversity --model NAME`",
    )


class Diversity:
    """Keeps the features of every picture, caption by caption."""

    outputs = ("features",)
    ranked_by = "how far it lies from the other pictures of its caption"

    def __init__(self, setting: Setting) -> None:
        rendered = setting.rendered
        known = rendered and rendered.perceptual == setting.extractor.sha256
        self.rendered = rendered if known else None
        self.features: dict[int, list[npt.NDArray[np.floating]]] = {}

    def see(self, captions: Captions, seen: Arrays) -> None:
        for place, features in zip(captions, seen["features"], strict=True):
            assert place is not None, "a source that draws has captions"
            self.features.setdefault(place, []).append(features)

    def by_picture(self) -> Sequence[float]:
        """The pictures of a caption follow each other."""
        return [
            float(apart.sum() / max(1, len(apart) - 1))
            for group in self.features.values()
            for apart in distances(np.stack(group))
        ]

    def value(self) -> Value:
        """The mean over captions, and its ratio to what the renderer's pictures have."""
        distances = [mean_distance(np.stack(group)) for group in self.features.values()]
        mean = float(np.mean(distances))
        parts: tuple[Part, ...] = ()
        if self.rendered:
            ratio = mean / self.rendered.diversity
            parts = (Part("ratio to rendered pictures", ratio, len(distances)),)
        return Value(
            mean,
            spread=float(np.std(distances)),
            parts=parts,
            reference=self.rendered.name if self.rendered else None,
            options={"captions": len(distances), "seeds": SEEDS},
            inputs=(self.rendered.input,) if self.rendered else (),
        )


def mean_distance(features: npt.NDArray[np.floating]) -> float:
    """Mean Euclidean distance of all pairs of different rows of (N, F)."""
    return float(distances(features)[np.triu_indices(len(features), 1)].mean())


def distances(features: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Of all pairs of rows of (N, F): (N, N)."""
    wide = features.astype(np.float64)
    return np.linalg.norm(wide[:, None] - wide, axis=2)
