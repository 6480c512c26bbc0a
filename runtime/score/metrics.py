"""The table of metrics, and the one pass over the pictures in which all of them are computed."""

import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from t2i.runtime import terminal
from t2i.runtime.errors import ScoreError, UsageError, did_you_mean
from t2i.runtime.pictures import Pixels, read_picture, write_whole
from t2i.runtime.score import protocol, similarity
from t2i.runtime.score.pairs import Pairs
from t2i.runtime.score.protocol import Result


@dataclass(frozen=True)
class Options:
    """What the command line leaves to choose."""

    luma: bool = False
    """Compare grey levels instead of colours."""


@dataclass(frozen=True)
class Value:
    """What a metric found."""

    value: float
    spread: float | None = None
    interval: tuple[float, float] | None = None


class Running(Protocol):
    """A metric at work: it sees every pair once."""

    def see(self, name: str, a: Pixels, b: Pixels) -> None:
        """Take one more pair, (H, W, 3) each."""

    def value(self) -> Value:
        """What it found in all of them."""


@dataclass(frozen=True)
class Metric:
    """An entry of the table."""

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


METRICS = {
    "psnr": Metric("10 log10(255² / MSE), MSE over all pixels and channels", "dB", begin_psnr),
    "ssim": Metric(
        "Wang et al. 2004: Gaussian window of 11, σ 1.5, K 0.01 and 0.03, population covariance, "
        "mean over the interior and over channels",
        "",
        begin_ssim,
        draws_maps=True,
    ),
}


def choose(names: Iterable[str]) -> dict[str, Metric]:
    """Entries of the table, each once.

    Raises:
        UsageError: there is no such metric.
    """
    chosen = {}
    for name in names:
        if name not in METRICS:
            raise UsageError(f"there is no metric {name!r}", hint=did_you_mean(name, METRICS))
        chosen[name] = METRICS[name]
    return chosen


def score(
    metrics: dict[str, Metric],
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
    return [_result(name, running[name].value(), options, inputs) for name in running]


def _result(
    name: str, found: Value, options: Options, inputs: Sequence[protocol.Pictures]
) -> Result:
    return Result(
        metric=name,
        value=found.value,
        unit=METRICS[name].unit,
        spread=found.spread,
        interval=found.interval,
        protocol=protocol.Protocol(
            definition=METRICS[name].definition,
            pictures=inputs[0].pictures,
            pixel_range=(0.0, 255.0),
            resize="none",
            extractor=None,
            reference=inputs[0].name,
            options=asdict(options),
            seed=None,
            inputs=tuple(inputs),
            software=protocol.software(),
        ),
    )
