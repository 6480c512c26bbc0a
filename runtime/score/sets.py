"""Metrics of sets of pictures: each picture is drawn or read once, and seen by all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from t2i.runtime import terminal
from t2i.runtime.score import protocol
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.protocol import Result, Value
from t2i.runtime.score.references import Rendered
from t2i.runtime.score.sources import Shown, Source
from t2i.runtime.sessions import Arrays


@dataclass(frozen=True)
class Setting:
    """What a metric is computed with."""

    extractor: Extractor
    source: Source
    seed: int = 0
    """Of what the metric itself draws at random."""
    batch_size: int = 8
    reference: Path | None = None
    """Folder of real pictures, or their statistics, where any were named."""
    rendered: Rendered | None = None
    """What is known of rendered pictures of the same captions."""


class Watching(Protocol):
    """Sees every picture of a source once, in order."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """What it wants to know of each from an extractor."""

    def see(self, shown: Sequence[Shown], seen: Arrays) -> None:
        """Take some more pictures, and what the extractor says of them: (B, …) each."""


class Scorer(Watching, Protocol):
    """A metric at work."""

    def value(self) -> Value:
        """What it found in all of the pictures."""


@dataclass(frozen=True)
class SetMetric:
    """A metric of a set of pictures, or of pictures and their captions."""

    definition: str
    """The formula, and the paper it comes from."""
    unit: str
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
            pictures=len(source),
            pixel_range=(-1.0, 1.0),
            resize=f"by the graph of {extractor.name}, from each picture's own size",
            extractor=f"{extractor.name} {extractor.bundle.sha256}",
            reference=found.reference,
            options=dict(found.options),
            seed=self.setting.seed if self.metric.random else source.seed,
            inputs=(*source.inputs, *found.inputs),
            software=protocol.software() | extractor.software,
        )
        return protocol.result(self.name, self.metric.unit, found, about)


def run(works: Sequence[Work], batch_size: int) -> list[Result]:
    """Show each source once to all metrics that want to see it."""
    sources = {id(work.setting.source): work.setting.source for work in works}
    for key, source in sources.items():
        show(
            source,
            [
                (work.setting.extractor, work.scorer)
                for work in works
                if id(work.setting.source) == key
            ],
            batch_size,
        )
    return [work.result() for work in works]


def show(source: Source, watching: Sequence[tuple[Extractor, Watching]], batch_size: int) -> None:
    """Let each extractor look at each picture once, and tell those that want to know."""
    wanted: dict[Extractor, list[Watching]] = {}
    for extractor, each in watching:
        wanted.setdefault(extractor, []).append(each)
    with terminal.progress(f"scoring {source.name}", len(source)) as bar:
        for shown in source.batches(batch_size):
            pictures = [each.pixels for each in shown]
            for extractor, together in wanted.items():
                outputs = dict.fromkeys(name for each in together for name in each.outputs)
                seen = extractor.look(pictures, list(outputs))
                for each in together:
                    each.see(shown, seen)
            bar.advance(len(shown))
