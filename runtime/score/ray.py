"""Looking on many machines: Ray takes parts of a source to where there is room for them.

What comes back is what was seen of each picture, in the order of the pictures, a few parts ahead of
the metrics. These add it up as they do on one machine, so that no digit depends on who looked, and
no metric knows of machines. (Features are also the shortest statistics: of 256 pictures they are a
sixteenth of the size of their covariance.) A part whose machine died is looked at again elsewhere.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from math import ceil, lcm
from typing import Any, NamedTuple, TypeVar

from t2i.runtime import terminal
from t2i.runtime.bundle import Bundle
from t2i.runtime.draw import Painter
from t2i.runtime.errors import ScoreError, T2IError
from t2i.runtime.jobs import Job
from t2i.runtime.pictures import Pixels
from t2i.runtime.score import protocol
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.looking import CHUNK, Outputs, Seen, seen
from t2i.runtime.score.parts import Painted, Part
from t2i.runtime.score.resize import PYTORCH_FID
from t2i.runtime.score.sources import Dividing, Source
from t2i.runtime.sessions import Arrays

PART = 256
"""Pictures, or pairs, that a machine takes at a time."""
AHEAD = 2
"""Parts, for each that is worked on, that are asked for before they are needed."""
RETRIES = 5
"""Of a part whose machine dies; what kills one after the other is no accident."""

Item = TypeVar("Item")
Found = TypeVar("Found")


class Cluster:
    """The machines of a Ray cluster: that of RAY_ADDRESS, or the one that runs here, or this
    machine alone."""

    def __init__(self, threads: int = 1, part: int = PART) -> None:
        """
        Args:
            threads: processors of each part that is worked on.

        Raises:
            ScoreError: Ray is not installed, or no machine has so many processors.
        """
        self.threads, self.part = threads, part
        self.ray = _connected()
        self._sent: dict[str, Any] = {}
        machines = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        most = max(int(each.get("CPU", 0)) for each in machines)
        if most < threads:
            raise ScoreError(
                f"no machine of the cluster has {threads} processors, the largest has {most}",
                hint="choose fewer by --threads",
            )
        together = sum(int(each.get("CPU", 0)) for each in machines)
        told = f"{len(machines):,} machine{'s' if len(machines) > 1 else ''}"
        terminal.say(f"ray: {told}, {together:,} processor{'s' if together > 1 else ''}")

    def see(
        self, source: Source, wanted: Outputs, batch_size: int, start: int, pixels: bool
    ) -> Iterator[Seen]:
        """As any engine does."""
        assert isinstance(source, Dividing), "what a command scores can be divided"
        extractors = tuple(wanted)
        networks = [
            (self._network(each.bundle, each.device), each.resize_name or PYTORCH_FID, outputs)
            for each, outputs in wanted.items()
        ]
        # Batches must be those in which one process draws.
        step = lcm(batch_size, CHUNK) if source.seed is not None else CHUNK
        size = ceil(self.part / step) * step

        def parts() -> Iterator[tuple[Any, ...]]:
            for begin in range(start, len(source), size):
                end = min(begin + size, len(source))
                part = self._portable(source.part(begin, end))
                yield part, networks, batch_size, (begin, end), pixels

        on_cards = any(each.device != "cpu" for each in extractors)
        for looked in self._in_order(_look, parts(), on_cards):
            _refuse_other_software(looked.software, extractors)
            source.learn(looked.hashes)
            source.leave_out(looked.unreadable)
            for places, captions, found, shown in looked.chunks:
                yield Seen(places, captions, dict(zip(extractors, found, strict=False)), shown)

    def each(
        self, function: Callable[[Item], Found], items: Sequence[Item], workers: int
    ) -> Iterator[Found]:
        """As any engine does; `workers` are those of one machine, and not needed here."""
        parts = (
            (function, items[begin : begin + self.part])
            for begin in range(0, len(items), self.part)
        )
        for found in self._in_order(_apply, parts, on_cards=False):
            yield from found

    def _in_order(
        self, task: Callable[..., Found], arguments: Iterable[tuple[Any, ...]], on_cards: bool
    ) -> Iterator[Found]:
        """What a task makes of each of some arguments, done anywhere, in their order."""
        needs = {"num_cpus": self.threads, "num_gpus": 1 if on_cards else 0}
        remote = self.ray.remote(max_retries=RETRIES, **needs)(task)
        coming, waiting = iter(arguments), deque[Any]()
        while True:
            room = AHEAD * max(1, int(self.ray.cluster_resources().get("CPU", 1)) // self.threads)
            waiting += [
                remote.remote(*each) for each in islice(coming, max(0, room - len(waiting)))
            ]
            if not waiting:
                return
            yield self._get(waiting.popleft())

    def _get(self, promise: Any) -> Any:
        try:
            return self.ray.get(promise)
        except self.ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, T2IError):
                raise error.cause from None
            raise
        except self.ray.exceptions.RayError as error:
            raise ScoreError(
                f"a part was begun {RETRIES + 1} times, and each time its machine died: {error}",
                hint="look at the memory of the machines; --resume goes on where it ended",
            ) from error

    def _network(self, bundle: Bundle, device: str) -> "Network":
        """Its files go to Ray's store once, whatever needs it."""
        if bundle.sha256 not in self._sent:
            self._sent[bundle.sha256] = self.ray.put(bundle.carried())
        return Network(bundle.sha256, device, self.threads, self._sent[bundle.sha256])

    def _portable(self, part: Part) -> "Part | Undrawn":
        if not isinstance(part, Painted):
            return part
        painter = part.painter
        network = self._network(painter.bundle, painter.device)
        return Undrawn(network, painter.nearest_class, part.jobs)


@dataclass(frozen=True)
class Network:
    """A bundle on its way, and how it is to run."""

    sha256: str
    device: str
    threads: int
    bundle: Any = field(compare=False)
    """A promise of Ray's store."""

    def arrived(self) -> Bundle:
        import ray

        bundle: Bundle = ray.get(self.bundle)
        return bundle


@dataclass(frozen=True)
class Undrawn:
    """Pictures that are still to be drawn."""

    network: Network
    nearest_class: bool
    jobs: Sequence[Job]


class Looked(NamedTuple):
    """What comes back of a part."""

    chunks: list[tuple[Sequence[int], Sequence[int | None], list[Arrays], Sequence[Pixels]]]
    """As `Seen` has it, with what the networks say in the order in which they were named."""
    unreadable: dict[str, str]
    hashes: dict[int, bytes]
    software: dict[str, str]


def _look(
    part: Part | Undrawn,
    networks: Sequence[tuple[Network, str, Sequence[str]]],
    batch_size: int,
    places: tuple[int, int],
    pixels: bool,
) -> Looked:
    """What a machine does with a part."""
    extractors = [_extractor(network, resize) for network, resize, _ in networks]
    wanted: dict[Extractor, list[str]] = {}
    for extractor, (_, _, outputs) in zip(extractors, networks, strict=True):
        wanted.setdefault(extractor, []).extend(outputs)
    if isinstance(part, Undrawn):
        part = Painted(_painter(part.network, part.nearest_class), part.jobs)
    found = [
        (
            each.places,
            each.captions,
            [each.found[extractor] for extractor in extractors] if each.places else [],
            each.pixels if pixels else (),
        )
        for each in seen(part.batches(batch_size), wanted, *places)
    ]
    return Looked(found, dict(part.unreadable), dict(part.hashes), _software(wanted))


def _apply(function: Callable[[Item], Found], items: Sequence[Item]) -> list[Found]:
    return list(map(function, items))


@cache
def _extractor(network: Network, resize: str) -> Extractor:
    """Kept for all parts that the process will see."""
    return Extractor(
        network.arrived(), device=network.device, threads=network.threads, resize=resize
    )


@cache
def _painter(network: Network, nearest_class: bool) -> Painter:
    return Painter(
        network.arrived(),
        device=network.device,
        threads=network.threads,
        nearest_class=nearest_class,
    )


def _software(extractors: Iterable[Extractor]) -> dict[str, str]:
    return protocol.software() | next(iter(extractors)).software


def _refuse_other_software(there: dict[str, str], extractors: Iterable[Extractor]) -> None:
    """A number tells one version of each thing that made it."""
    here = _software(extractors)
    for name, version in here.items():
        if there[name] != version:
            raise ScoreError(
                f"{name} is {version} here and {there[name]} on a machine of the cluster",
                hint="install the same versions on all machines",
            )


def _connected() -> Any:
    """Ray, with a cluster behind it.

    Raises:
        ScoreError: it is not installed, or the cluster cannot be reached.
    """
    # Where it starts by itself, it would report that somewhere.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ScoreError(
            "--engine ray needs Ray, which is not installed", hint="pip install 't2i[scale]'"
        ) from error
    if not ray.is_initialized():
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise ScoreError(
                f"no cluster can be reached: {error}",
                hint="start one: `ray start --head`, or check RAY_ADDRESS",
            ) from error
    return ray
