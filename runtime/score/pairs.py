"""Which picture is compared with which, and the metrics of such pairs."""

import hashlib
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from t2i.runtime import terminal
from t2i.runtime.errors import PictureError, ScoreError
from t2i.runtime.pictures import Pixels, decode_picture, write_whole
from t2i.runtime.score import multiscale, protocol, similarity
from t2i.runtime.score.protocol import Result, Value
from t2i.runtime.score.sources import tell_unreadable
from t2i.runtime.score.stored import Item, from_file, is_set, items_of

NAMED = 5


@dataclass(frozen=True)
class Pair:
    """Two pictures and the name they share."""

    name: str
    a: Item
    b: Item


@dataclass(frozen=True)
class Pairs:
    """The pictures of two sets by their names; or just two pictures."""

    pairs: tuple[Pair, ...]
    alone: tuple[Item, ...]
    """Pictures of either set that have no partner."""

    def tell_alone(self) -> str:
        named = ", ".join(item.where for item in self.alone[:NAMED])
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
        if not (path.exists() or "{" in path.name):
            raise ScoreError(f"there is no {path}", hint="pass two pictures or two sets of them")
    single = [path.is_file() and not is_set(path) for path in (a, b)]
    if single[0] != single[1]:
        raise ScoreError(
            f"of {a} and {b} one is a picture, the other is not",
            hint="pass two pictures or two sets of them",
        )
    if all(single):
        return Pairs((Pair(a.name, from_file(a), from_file(b)),), ())
    of_a, of_b = ({item.name: item for item in items_of(path)} for path in (a, b))
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
    strict: bool = False,
) -> list[Result]:
    """Compute several metrics in one pass.

    Args:
        names: what to call the two sets in the protocol.
        strict: refuse pairs that cannot be read, in place of leaving them out.
        maps: folder for pictures that are bright where two pictures are alike.

    Raises:
        PictureError: a picture cannot be read, and `strict` or nothing else to score.
        ScoreError: a metric cannot be computed from a pair.
    """
    running = {name: metric.begin(options, maps) for name, metric in metrics.items()}
    hashes: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
    unreadable: dict[str, str] = {}
    with terminal.progress("scoring", len(pairs.pairs)) as bar:
        for pair in pairs.pairs:
            try:
                _see(pair, running, hashes)
            except PictureError as error:
                # One pair alone is not left out: then there is nothing to score.
                if strict or len(pairs.pairs) == 1:
                    raise
                unreadable[pair.name] = str(error)
            bar.advance()
    if not hashes[0]:
        why = next(iter(unreadable.values()))
        raise ScoreError("no pair can be read", hint=f"the first: {why}")
    tell_unreadable("pairs", unreadable)
    inputs = protocol.describe(names[0], hashes[0]), protocol.describe(names[1], hashes[1])
    return [
        protocol.result(
            name,
            metric.unit,
            running[name].value(),
            _about(metric, len(hashes[0]), options, inputs, tuple(unreadable)),
        )
        for name, metric in metrics.items()
    ]


def _see(
    pair: Pair, running: Mapping[str, Running], hashes: Sequence[list[tuple[str, str]]]
) -> None:
    """Show a pair to all metrics, and note the hashes of its files."""
    (a, sha256_a), (b, sha256_b) = _read(pair.a), _read(pair.b)
    hashes[0].append((pair.a.name, sha256_a))
    hashes[1].append((pair.b.name, sha256_b))
    try:
        for metric in running.values():
            metric.see(pair.name, a, b)
    except ScoreError as error:
        raise ScoreError(f"{pair.name}: {error}", hint=error.hint) from error


def _read(item: Item) -> tuple[Pixels, str]:
    """A picture, and the hash of its file."""
    data = item.load()
    return decode_picture(io.BytesIO(data), item.where), hashlib.sha256(data).hexdigest()


def _about(
    metric: PairMetric,
    pairs: int,
    options: Options,
    inputs: tuple[protocol.Input, ...],
    unreadable: tuple[str, ...],
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
        unreadable=unreadable,
    )
