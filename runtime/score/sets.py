"""Metrics of sets of pictures: each picture is drawn or read once, and seen by all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from t2i.runtime import terminal
from t2i.runtime.pictures import Pixels
from t2i.runtime.score import protocol
from t2i.runtime.score.features import INCEPTION, Extractor
from t2i.runtime.score.frechet import Statistics
from t2i.runtime.score.looking import LOCAL, Engine, look
from t2i.runtime.score.memory import Memory
from t2i.runtime.score.practice import PRACTICES, Practice
from t2i.runtime.score.protocol import Result, Value
from t2i.runtime.score.references import Rendered
from t2i.runtime.score.resize import PYTORCH_FID
from t2i.runtime.score.sources import Source, tell_unreadable
from t2i.runtime.sessions import Arrays


@dataclass(frozen=True)
class Setting:
    """What a metric is computed with."""

    extractor: Extractor
    source: Source
    seed: int = 0
    """Of what the metric itself draws at random."""
    reference: Source | Statistics | None = None
    """Real pictures, or what is known of them, where any were named."""
    rendered: Rendered | None = None
    """What is known of rendered pictures of the same captions."""
    practice: Practice = PRACTICES[PYTORCH_FID]
    """How pictures are shuffled and split."""
    bootstrap: int | None = None
    """How often pictures are drawn again for confidence, where that was asked for."""
    extrapolate: bool = False
    """Whether FID is followed to sets without end."""
    subset: int | None = None
    """Pictures of a subset, where a metric draws some and another number was asked for."""
    detailed: bool = False
    """Whether curves, and what each picture brings, are wanted beside the number."""


Captions = Sequence[int | None]


class Watching(Protocol):
    """Sees every picture of a source once, in order."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """What it wants to know of each from an extractor."""

    def see(self, captions: Captions, seen: Arrays) -> None:
        """Take some more pictures: the places of their captions among those of the source, None
        where they have none, and what the extractor says of them, (B, …) each."""


class Scorer(Watching, Protocol):
    """A metric at work."""

    def value(self) -> Value:
        """What it found in all of the pictures."""


@runtime_checkable
class Looking(Protocol):
    """What a scorer has beside, if it looks at the pictures themselves. None is remembered then."""

    def look(self, pictures: Sequence[Pixels]) -> None:
        """Take the pictures of which `see` will tell next."""


@runtime_checkable
class Comparing(Protocol):
    """What a scorer has beside, if it compares with a reference."""

    @property
    def real(self) -> Watching | None:
        """Sees the reference, before the scorer sees the pictures; None where all is known."""


@runtime_checkable
class Ranking(Protocol):
    """What a scorer can do beside, if it can tell which pictures are good, in a setting that is
    detailed."""

    ranked_by: str
    """What it ranks them by."""

    def by_picture(self) -> Sequence[float]:
        """Of each picture that it saw, in their order: more is better."""


@dataclass(frozen=True)
class Curve:
    """How numbers depend on something."""

    title: str
    x: str
    y: str
    lines: Mapping[str, Sequence[tuple[float, float]]]


@runtime_checkable
class Charting(Protocol):
    """What a scorer can do beside, if its number is one point of a curve, in a setting that is
    detailed."""

    def curve(self) -> Curve | None:
        """None where there are too few pictures for one."""


@dataclass(frozen=True)
class SetMetric:
    """A metric of a set of pictures, or of pictures and their captions."""

    definition: str
    """The formula, and the paper it comes from."""
    bundle: str
    """The extractor, unless another is asked for."""
    begin: Callable[[Setting], Scorer]
    """Raises ScoreError where it cannot be computed, before anything is drawn."""
    draws: Callable[[Source], Source] | None = None
    """Makes of the source that the others see the one that this metric needs for itself."""
    random: bool = False
    """Whether it draws at random itself."""


@dataclass(frozen=True)
class Work:
    """A metric that has begun."""

    name: str
    metric: SetMetric
    setting: Setting
    scorer: Scorer

    @classmethod
    def begin(cls, name: str, metric: SetMetric, setting: Setting) -> "Work":
        """Raises ScoreError where the metric cannot be computed in this setting."""
        scorer = metric.begin(setting)
        setting.extractor.require(*scorer.outputs)
        return cls(name, metric, setting, scorer)

    def result(self) -> Result:
        extractor, source, found = self.setting.extractor, self.setting.source, self.scorer.value()
        about = protocol.Protocol(
            definition=self.metric.definition,
            pictures=len(source) - len(source.unreadable),
            pixel_range=(-1.0, 1.0),
            resize=extractor.resizes,
            extractor=f"{extractor.name} {extractor.bundle.sha256}",
            reference=found.reference,
            options=dict(found.options),
            seed=self.setting.seed if self.metric.random else source.seed,
            inputs=(*source.inputs, *found.inputs),
            software=protocol.software() | extractor.software,
            unreadable=tuple(source.unreadable),
        )
        return protocol.result(self.name, found, about, called=self.called)

    @property
    def called(self) -> str:
        """The metric, and who looks where that is not whom papers mean."""
        other = self.metric.bundle == INCEPTION != self.setting.extractor.name
        return f"{self.name} ({self.setting.extractor.name})" if other else self.name


def run(
    works: Sequence[Work],
    batch_size: int,
    memory: Memory | None = None,
    engine: Engine = LOCAL,
) -> list[Result]:
    """Show each source once to all metrics that want to see it, the reference first.

    Args:
        batch_size: pictures that are drawn at once.
        memory: where what is seen is kept, and what was seen before is found.
        engine: who looks.
    """
    watching: dict[int, tuple[Source, list[tuple[Extractor, Watching]]]] = {}

    def let_see(source: Source, extractor: Extractor, each: Watching) -> None:
        watching.setdefault(id(source), (source, []))[1].append((extractor, each))

    for work in works:
        reference, scorer = work.setting.reference, work.scorer
        if isinstance(scorer, Comparing) and scorer.real:
            assert reference is not None, "who compares has a reference"
            assert not isinstance(reference, Statistics), "statistics need not be seen"
            let_see(reference, work.setting.extractor, scorer.real)
    for work in works:
        let_see(work.setting.source, work.setting.extractor, work.scorer)
    for source, them in watching.values():
        show(source, them, batch_size, memory, engine)
    return [work.result() for work in works]


def show(
    source: Source,
    watching: Sequence[tuple[Extractor, Watching]],
    batch_size: int,
    memory: Memory | None = None,
    engine: Engine = LOCAL,
) -> None:
    """Let each extractor look at each picture once, and tell those that want to know."""
    together: dict[Extractor, list[Watching]] = {}
    for extractor, each in watching:
        together.setdefault(extractor, []).append(each)
    wanted = {
        extractor: list(dict.fromkeys(name for each in them for name in each.outputs))
        for extractor, them in together.items()
    }
    pixels = any(isinstance(each, Looking) for _, each in watching)
    memory = None if pixels else memory
    with terminal.progress(f"scoring {source.name}", len(source)) as bar:
        for seen in look(source, wanted, batch_size, memory, engine, pixels):
            if not seen.places:  # none of this chunk can be read
                continue
            for extractor, them in together.items():
                for each in them:
                    if isinstance(each, Looking):
                        each.look(seen.pixels)
                    each.see(seen.captions, seen.found[extractor])
            bar.advance(len(seen.places))
    tell_unreadable(source.name, source.unreadable)
