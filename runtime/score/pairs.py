"""Which picture is compared with which, and the metrics of such pairs."""

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from t2i.runtime import terminal
from t2i.runtime.errors import ScoreError
from t2i.runtime.pictures import Pixels, read_picture, write_whole
from t2i.runtime.score import multiscale, protocol, similarity
from t2i.runtime.score.protocol import Result, Value
from t2i.runtime.score.sources import pictures_in

NAMED = 5


@dataclass(frozen=True)
class Pair:
    """Two pictures and the name they share."""

    name: str
    a: Path
    b: Path


@dataclass(frozen=True)
class Pairs:
    """The pictures of two folders by their file names; or just two pictures."""

    pairs: tuple[Pair, ...]
    alone: tuple[Path, ...]
    """Pictures of either folder that have no partner."""

    def tell_alone(self) -> str:
        named = ", ".join(map(str, self.alone[:NAMED]))
        more = f" and {len(self.alone) - NAMED:,} more" if len(self.alone) > NAMED else ""
        return f"{len(self.alone):,} without a partner: {named}{more}"


@dataclass(frozen=True)
class Options:
    """What the command line leaves to choose."""

    luma: bool = False
    """Compare grey levels instead of colours."""


class Running(Protocol):
    """A metric at work: it sees every pair once."""

    def see(self, name: str, a: Pixels, b: Pixels) -> None:
        """Take one more pair, (H, W, 3) each."""

    def value(self) -> Value:
        """What it found in all of them."""


@dataclass(frozen=True)
class PairMetric:
    """A metric that compares pictures two by two."""

    definition: str
    """The formula, and the paper it comes from."""
    unit: str
    begin: Callable[[Options, Path | None], Running]
    """Takes the folder for maps too, which a metric that draws none leaves alone."""
    draws_maps: bool = False


@dataclass
class Mean:
    """Average what a function says of each pair."""

    of_pair: Callable[[str, Pixels, Pixels], float]
    values: list[float] = field(default_factory=list)

    def see(self, name: str, a: Pixels, b: Pixels) -> None:
        self.values.append(self.of_pair(name, a, b))

    def value(self) -> Value:
        mean = float(np.mean(self.values))
        several = len(self.values) > 1 and math.isfinite(mean)
        return Value(mean, float(np.std(self.values)) if several else None)


def begin_psnr(options: Options, maps: Path | None) -> Running:
    return Mean(lambda name, a, b: similarity.psnr(a, b, luma=options.luma))


def begin_ssim(options: Options, maps: Path | None) -> Running:
    def of_pair(name: str, a: Pixels, b: Pixels) -> float:
        found = similarity.ssim_map(a, b, luma=options.luma)
        if maps:
            levels = np.rint(255 * np.clip(found.mean(2), 0.0, 1.0)).astype(np.uint8)
            data = io.BytesIO()
            Image.fromarray(levels).save(data, "PNG")
            write_whole(maps / f"{name.removesuffix('.png')}.png", data.getvalue())
        return similarity.mean_of_map(found)

    return Mean(of_pair)


def begin_ms_ssim(options: Options, maps: Path | None) -> Running:
    return Mean(lambda name, a, b: multiscale.ms_ssim(a, b, luma=options.luma))


def match(a: Path, b: Path) -> Pairs:
    """Find each picture's partner.

    Raises:
        ScoreError: there is nothing to compare.
    """
    for path in (a, b):
        if not path.exists():
            raise ScoreError(f"there is no {path}", hint="pass two pictures or two folders")
    if a.is_dir() != b.is_dir():
        raise ScoreError(
            f"of {a} and {b} one is a folder, the other is not",
            hint="pass two pictures or two folders",
        )
    if not a.is_dir():
        return Pairs((Pair(a.name, a, b),), ())
    of_a = {file.name: file for file in pictures_in(a)}
    of_b = {file.name: file for file in pictures_in(b)}
    shared = sorted(of_a.keys() & of_b.keys())
    if not shared:
        raise ScoreError(
            f"no picture in {a} has a partner in {b}",
            hint="partners have the same file name, its ending included",
        )
    alone = [of_a[name] for name in sorted(of_a.keys() - of_b.keys())]
    alone += [of_b[name] for name in sorted(of_b.keys() - of_a.keys())]
    return Pairs(tuple(Pair(name, of_a[name], of_b[name]) for name in shared), tuple(alone))


def score(
    metrics: Mapping[str, PairMetric],
    pairs: Pairs,
    options: Options,
    *,
    names: tuple[str, str],
    maps: Path | None = None,
) -> list[Result]:
    """Compute several metrics in one pass.

    Args:
        names: what to call the two sets in the protocol.
        maps: folder for pictures that are bright where two pictures are alike.

    Raises:
        PictureError: a picture cannot be read.
        ScoreError: a metric cannot be computed from a pair.
    """
    running = {name: metric.begin(options, maps) for name, metric in metrics.items()}
    with terminal.progress("scoring", len(pairs.pairs)) as bar:
        for pair in pairs.pairs:
            a, b = read_picture(pair.a), read_picture(pair.b)
            try:
                for metric in running.values():
                    metric.see(pair.name, a, b)
            except ScoreError as error:
                raise ScoreError(f"{pair.name}: {error}", hint=error.hint) from error
            bar.advance()
    inputs = (
        protocol.describe(names[0], [pair.a for pair in pairs.pairs]),
        protocol.describe(names[1], [pair.b for pair in pairs.pairs]),
    )
    return [
        protocol.result(
            name,
            metric.unit,
            running[name].value(),
            _about(metric, len(pairs.pairs), options, inputs),
        )
        for name, metric in metrics.items()
    ]


def _about(
    metric: PairMetric, pairs: int, options: Options, inputs: tuple[protocol.Input, protocol.Input]
) -> protocol.Protocol:
    return protocol.Protocol(
        definition=metric.definition,
        pictures=pairs,
        pixel_range=(0.0, 255.0),
        resize="none",
        extractor=None,
        reference=inputs[0].name,
        options=asdict(options),
        seed=None,
        inputs=inputs,
        software=protocol.software(),
    )
