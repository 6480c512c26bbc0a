"""What the shipped judges see in pictures that the renderer itself draws of the test captions.

    python -m bench.references    # writes runtime/score/birds/references.npz

Drawn pictures are compared with these: FID with their statistics, the attributes that are seen with
those seen here, diversity with theirs. To be run again whenever `birds-features`,
`birds-perceptual`, the captions or the renderer change; it takes some minutes.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.captions import SEED
from t2i.runtime import terminal
from t2i.runtime.captions import Line, read_captions
from t2i.runtime.pictures import Pixels, write_whole
from t2i.runtime.score import diversity
from t2i.runtime.score.attributes import Attributes
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.frechet import Moments
from t2i.runtime.score.memory import key_of
from t2i.runtime.score.metrics import METRICS
from t2i.runtime.score.parts import Shown
from t2i.runtime.score.protocol import Input
from t2i.runtime.score.references import CAPTIONS, RENDERED, SEEN
from t2i.runtime.score.sets import Captions, SetMetric, Setting, show
from t2i.runtime.score.sources import Caption, Whole
from t2i.runtime.sessions import Arrays
from t2i.train.data.birds.attributes import Facts, complete
from t2i.train.data.birds.cache import Series
from t2i.train.data.birds.pose import NOISE
from t2i.train.data.birds.render import Drawing, draw

PX = 256
BATCH = 16
SERIES = Series("test", PX, SEED)


@dataclass(frozen=True)
class Renderer(Whole):
    """Captions as the renderer draws them: picture i has the i-th noise of the test birds."""

    lines: tuple[Line, ...]
    several: int = 1
    """Pictures of a caption that follow each other."""
    name: str = "rendered birds"
    seed: int = SEED
    inputs: tuple[Input, ...] = ()

    @cached_property
    def captions(self) -> tuple[Caption, ...]:
        return tuple(
            Caption(each.caption, each.facts, f"line {each.number}") for each in self.lines
        )

    @property
    def identity(self) -> str:
        return key_of([(each.caption, each.facts) for each in self.lines], self.several, SEED)

    def __len__(self) -> int:
        return len(self.lines) * self.several

    def batches(self, size: int, start: int = 0) -> Iterator[list[Shown]]:
        for first in range(start, len(self), size):
            yield [self._shown(index) for index in range(first, min(first + size, len(self)))]

    def repeated(self, captions: int, seeds: int) -> "Renderer":
        return Renderer(self.lines[:captions], seeds)

    def _shown(self, index: int) -> Shown:
        place = index // self.several
        return Shown(rendered(self.lines[place].facts or {}, SERIES.noise(index)), place, index)


class Features:
    """Adds up the features of pictures."""

    outputs = ("features",)

    def __init__(self) -> None:
        self.moments = Moments()

    def see(self, captions: Captions, seen: Arrays) -> None:
        self.moments.add(seen["features"])


def rendered(facts: Facts, noise: tuple[float, ...]) -> Pixels:
    return drawing(facts, noise).pixels


def drawing(facts: Facts, noise: tuple[float, ...]) -> Drawing:
    """The bird of these facts, looking left where they or else the noise say so."""
    said = facts.get("facing")
    left = said == "left" if said else noise[NOISE.index("facing")] > 0
    return draw(complete(facts), noise, PX, mirrored=left)


def measure(
    judge: Extractor, perceptual: Extractor, lines: tuple[Line, ...]
) -> dict[str, npt.NDArray[Any]]:
    """The arrays of the file."""
    source = Renderer(lines)
    attributes, features = Attributes(Setting(judge, source)), Features()
    show(source, [(judge, attributes), (judge, features)], BATCH)
    several = diversity.draws(source)
    distances = diversity.Diversity(Setting(perceptual, several))
    show(several, [(perceptual, distances)], BATCH)
    statistics = features.moments.gaussian()
    counts = {name: each for name, each in attributes.counts.items() if each.any()}
    return {
        "mu": statistics.mean,
        "sigma": statistics.covariance,
        "n": np.array(statistics.count),
        "extractor": _bytes(judge.sha256),
        **{SEEN + name: np.array([np.trace(each), each.sum()]) for name, each in counts.items()},
        "diversity": np.array(distances.value().value),
        "perceptual": _bytes(perceptual.sha256),
    }


def save(arrays: dict[str, npt.NDArray[Any]], path: Path = RENDERED) -> None:
    data = io.BytesIO()
    np.savez_compressed(data, **arrays)  # type: ignore[arg-type]
    write_whole(path, data.getvalue())


def main() -> None:
    judge, perceptual = (Extractor.load(_bundle(name)) for name in ("attributes", "diversity"))
    arrays = measure(judge, perceptual, read_captions(str(CAPTIONS)))
    save(arrays)
    for name, array in arrays.items():
        if name.startswith(SEEN):
            terminal.say(f"{name.removeprefix(SEEN)}: {array[0]} of {array[1]} seen")
    terminal.report(f"wrote {RENDERED}")


def _bundle(metric: str) -> str:
    entry = METRICS[metric]
    assert isinstance(entry, SetMetric)
    return entry.bundle


def _bytes(sha256: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(sha256), np.uint8)


if __name__ == "__main__":
    main()
