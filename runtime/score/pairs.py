"""Which picture is compared with which, and the metrics of such pairs."""

import hashlib
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from t2i.runtime import terminal
from t2i.runtime.errors import PictureError, ScoreError
from t2i.runtime.pictures import Pixels, decode_picture, write_png
from t2i.runtime.score import multiscale, protocol, similarity
from t2i.runtime.score.looking import LOCAL, Engine
from t2i.runtime.score.memory import Chunk, Memory, key_of
from t2i.runtime.score.protocol import Result, Value
from t2i.runtime.score.similarity import Planes
from t2i.runtime.score.sources import NAMED, tell_unreadable
from t2i.runtime.score.stored import Item, from_file, is_set, items_of
from t2i.runtime.sessions import usable_threads

KEPT = 64
"""Pairs that are kept together."""
_HASHES = "sha256"
SHA256_BYTES = 32


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
        first = terminal.first_of([item.where for item in self.alone], NAMED)
        return f"{len(self.alone):,} without a partner: {first}"


@dataclass(frozen=True)
class Options:
    """What the command line leaves to choose."""

    luma: bool = False
    """Compare grey levels instead of colours."""


Compare = Callable[[Pixels, Pixels, Options], float]
Around = Callable[[Pixels, Pixels, Options], Planes]


@dataclass(frozen=True)
class PairMetric:
    """A metric that compares pictures two by two."""

    definition: str
    """The formula, and the paper it comes from."""
    unit: str
    compare: Compare
    """Raises ScoreError where two pictures cannot be compared."""
    around: Around | None = None
    """The same around each pixel, where that can be told: (H, W, C), 1 for equal."""


def of_psnr(a: Pixels, b: Pixels, options: Options) -> float:
    return similarity.psnr(a, b, luma=options.luma)


def of_ssim(a: Pixels, b: Pixels, options: Options) -> float:
    return similarity.ssim(a, b, luma=options.luma)


def ssim_around(a: Pixels, b: Pixels, options: Options) -> Planes:
    return similarity.ssim_map(a, b, luma=options.luma)


def of_ms_ssim(a: Pixels, b: Pixels, options: Options) -> float:
    return multiscale.ms_ssim(a, b, luma=options.luma)


def drawn_map(found: Planes) -> Pixels:
    """A picture (H, W) that is bright where two pictures are alike."""
    return np.rint(255 * np.clip(found.mean(2), 0.0, 1.0)).astype(np.uint8)


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
    of_a, of_b = _by_name(a), _by_name(b)
    shared = sorted(of_a.keys() & of_b.keys())
    if not shared:
        raise ScoreError(
            f"no picture in {a} has a partner in {b}",
            hint="partners have the same file name, its ending included",
        )
    alone = [of_a[name] for name in sorted(of_a.keys() - of_b.keys())]
    alone += [of_b[name] for name in sorted(of_b.keys() - of_a.keys())]
    return Pairs(tuple(Pair(name, of_a[name], of_b[name]) for name in shared), tuple(alone))


def _by_name(path: Path) -> dict[str, Item]:
    found: dict[str, Item] = {}
    for item in items_of(path):
        if item.name in found:
            raise ScoreError(
                f"{path} has {item.name} twice", hint="a picture has one partner: name it once"
            )
        found[item.name] = item
    return found


@dataclass(frozen=True)
class Comparison:
    """What is done with each pair, in whatever process."""

    metrics: Mapping[str, Compare]
    options: Options
    strict: bool
    """Whether what cannot be read is an error."""
    maps: Sequence[Around] = ()
    """What maps are to be drawn of."""

    def __call__(self, pair: Pair) -> "Compared":
        """
        Raises:
            PictureError: a picture cannot be read, if that is an error.
            ScoreError: a metric cannot be computed.
        """
        try:
            (a, sha256_a), (b, sha256_b) = read(pair.a), read(pair.b)
        except PictureError as error:
            if self.strict:
                raise
            return Compared(problem=str(error))
        try:
            values = {name: each(a, b, self.options) for name, each in self.metrics.items()}
            maps = [drawn_map(around(a, b, self.options)) for around in self.maps]
        except ScoreError as error:
            raise ScoreError(f"{pair.name}: {error}", hint=error.hint) from error
        return Compared((sha256_a, sha256_b), values, maps=maps)


@dataclass(frozen=True)
class Compared:
    """What was found in one pair."""

    sha256: tuple[str, str] = ("", "")
    """Of both files, where they can be read."""
    values: Mapping[str, float] = field(default_factory=dict)
    problem: str | None = None
    """Why it cannot be read."""
    maps: Sequence[Pixels] = ()


@dataclass
class Scores:
    """What was found in all of them."""

    metrics: Mapping[str, PairMetric]
    options: Options
    names: tuple[str, str]
    """Of the two sets, in the protocol."""
    pairs: list[Pair] = field(default_factory=list)
    """Those that can be read."""
    hashes: list[tuple[str, str]] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)
    """By metric, of these pairs."""
    unreadable: dict[str, str] = field(default_factory=dict)

    def add(self, pair: Pair, found: Compared) -> None:
        if found.problem is not None:
            self.unreadable[pair.name] = found.problem
            return
        self.pairs.append(pair)
        self.hashes.append(found.sha256)
        for name, value in found.values.items():
            self.values.setdefault(name, []).append(value)

    def results(self) -> list[Result]:
        """One a metric."""
        both = list(zip(self.pairs, self.hashes, strict=True))
        a = protocol.describe(self.names[0], [(pair.a.name, one) for pair, (one, _) in both])
        b = protocol.describe(self.names[1], [(pair.b.name, other) for pair, (_, other) in both])
        return [
            protocol.result(
                name, mean_of(self.values[name]), self._about(metric, (a, b)), unit=metric.unit
            )
            for name, metric in self.metrics.items()
        ]

    def _about(self, metric: PairMetric, inputs: tuple[protocol.Input, ...]) -> protocol.Protocol:
        return protocol.Protocol(
            definition=metric.definition,
            pictures=len(self.pairs),
            pixel_range=(0.0, 255.0),
            resize="none",
            extractor=None,
            reference=inputs[0].name,
            options=asdict(self.options),
            seed=None,
            inputs=inputs,
            software=protocol.software(),
            unreadable=tuple(self.unreadable),
        )


def mean_of(values: Sequence[float]) -> Value:
    """With its deviation, where it is finite and there are several."""
    mean = float(np.mean(values))
    several = len(values) > 1 and math.isfinite(mean)
    return Value(mean, float(np.std(values)) if several else None)


def compare(
    metrics: Mapping[str, PairMetric],
    pairs: Pairs,
    options: Options,
    *,
    names: tuple[str, str],
    maps: Path | None = None,
    strict: bool = False,
    workers: int | None = None,
    engine: Engine = LOCAL,
    memory: Memory | None = None,
) -> Scores:
    """Compute several metrics of all pairs in one pass.

    Args:
        names: what to call the two sets in the protocol.
        strict: refuse pairs that cannot be read, in place of leaving them out.
        maps: folder for pictures that are bright where two pictures are alike.
        workers: how many pairs are compared at once.
        memory: where what is found is kept, and what was found before is looked for.

    Raises:
        PictureError: a picture cannot be read, and `strict` or nothing else to score.
        ScoreError: a metric cannot be computed from a pair.
    """
    # One pair alone is not left out: then there is nothing to score.
    strict = strict or len(pairs.pairs) == 1
    how = {name: metric.compare for name, metric in metrics.items()}
    drawn = [metric.around for metric in metrics.values() if metric.around] if maps else []
    comparison = Comparison(how, options, strict, drawn)
    scores = Scores(metrics, options, names)
    every = _found(comparison, pairs.pairs, workers or usable_threads(), engine, memory)
    with terminal.progress("scoring", len(pairs.pairs)) as bar:
        for pair, found in zip(pairs.pairs, every, strict=True):
            scores.add(pair, found)
            for each in found.maps:
                assert maps, "they are only drawn where they are wanted"
                write_png(each, maps / f"{pair.name.removesuffix('.png')}.png")
            bar.advance()
    if not scores.pairs:
        why = next(iter(scores.unreadable.values()))
        raise ScoreError("no pair can be read", hint=f"the first: {why}")
    tell_unreadable("pairs", scores.unreadable)
    return scores


def _found(
    comparison: Comparison,
    pairs: Sequence[Pair],
    workers: int,
    engine: Engine,
    memory: Memory | None,
) -> Iterator[Compared]:
    """What is found in each pair, or was found before."""
    if memory is None:
        yield from engine.each(comparison, pairs, workers)
        return
    key = _key(comparison, pairs)
    known = memory.known(key)
    for number in range(known):
        yield from _unpacked(memory.recall(key, number))
    if known:
        before = min(known * KEPT, len(pairs))
        terminal.say(f"{before:,} of {len(pairs):,} pairs were compared before")
    coming = engine.each(comparison, pairs[known * KEPT :], workers)
    while some := list(islice(coming, KEPT)):
        memory.keep(key, known, _packed(some, list(comparison.metrics)))
        known += 1
        yield from some


def _key(comparison: Comparison, pairs: Sequence[Pair]) -> str:
    """Of all that decides what is found: every file is read for it."""
    return key_of(
        [[_hash(each) for each in (pair.a, pair.b)] for pair in pairs],
        list(comparison.metrics),
        asdict(comparison.options),
    )


def _hash(item: Item) -> str:
    try:
        return hashlib.sha256(item.load()).hexdigest()
    except PictureError:
        return ""


def _packed(found: Sequence[Compared], metrics: Sequence[str]) -> Chunk:
    read = [place for place, each in enumerate(found) if each.problem is None]
    seen = {name: np.array([found[place].values[name] for place in read]) for name in metrics}
    hashes = "".join("".join(found[place].sha256) for place in read)
    seen[_HASHES] = np.frombuffer(bytes.fromhex(hashes), np.uint8).reshape(-1, 2, SHA256_BYTES)
    problems = {str(n): each.problem for n, each in enumerate(found) if each.problem is not None}
    return Chunk(tuple(read), (None,) * len(read), problems, seen)


def _unpacked(chunk: Chunk) -> list[Compared]:
    values = {name: each.tolist() for name, each in chunk.seen.items() if name != _HASHES}
    hashes = chunk.seen[_HASHES]
    found = {int(place): Compared(problem=why) for place, why in chunk.unreadable.items()}
    for row, place in enumerate(chunk.places):
        a, b = (each.tobytes().hex() for each in hashes[row])
        found[place] = Compared((a, b), {name: each[row] for name, each in values.items()})
    return [each for _, each in sorted(found.items())]


def read(item: Item) -> tuple[Pixels, str]:
    """A picture, and the hash of its file."""
    data = item.load()
    return decode_picture(io.BytesIO(data), item.where), hashlib.sha256(data).hexdigest()
