"""The command line of `t2i-score`, once it is parsed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from t2i.runtime.errors import UsageError, did_you_mean
from t2i.runtime.score.fid import STATISTICS
from t2i.runtime.score.frechet import Statistics
from t2i.runtime.score.pairs import PairMetric
from t2i.runtime.score.sets import SetMetric
from t2i.runtime.score.sources import Source, Stored

LOCAL = "local"
ENGINES = (LOCAL, "ray")
FOLDERS = "two pictures or two folders, the reference first: `t2i-score psnr,ssim A B`"
PICTURES = "a folder, or a bundle that draws: `t2i-score is FAKE`, `t2i-score is --model birds`"


@dataclass(frozen=True)
class Request:
    """The command line, once it is parsed."""

    metrics: tuple[str, ...]
    real: Path | None
    fake: Path | None
    model: str | None
    captions: str | None
    total: int | None
    nearest_class: bool
    seed: int
    against: Path | None
    """Earlier results to compare with."""
    statistics: Path | None
    """Where the reference's mean and covariance are written to."""
    protocol: str | None
    """Name of a whole one."""
    bootstrap: int | None
    extrapolate: bool
    subset: int | None
    """Pictures of each subset that KID draws."""
    bundles: Mapping[str, str]
    """Which bundle looks at the pictures for a metric, where another was asked for."""
    confusion: Path | None
    luma: bool
    maps: Path | None
    strict: bool
    resume: bool
    """Keep what networks see, and find what they saw before."""
    device: str
    threads: int | None
    workers: int | None
    """Threads that decode pictures; as many as there are processors by default."""
    batch_size: int
    engine: str
    """One of `ENGINES`: where pictures are looked at."""
    report: Path | None
    """Where the page that shows the results is written to."""
    as_json: bool

    @property
    def reference(self) -> Source | Statistics | None:
        """What REAL holds; a folder that stands alone is no reference."""
        if not self.real or not (self.fake or self.model):
            return None
        known = self.real.suffix == STATISTICS
        return Statistics.read(self.real) if known else self.stored(self.real)

    def stored(self, path: Path) -> Stored:
        return Stored(path, strict=self.strict, workers=self.decoders)

    @property
    def decoders(self) -> int | None:
        """Threads that decode: where many processes do, each has as many as it may use."""
        return self.workers or (None if self.engine == LOCAL else self.threads or 1)

    def check(self, two: Mapping[str, PairMetric], many: Mapping[str, SetMetric]) -> None:
        """Refuse what is wrong with the command line alone.

        Raises:
            UsageError: it contradicts itself.
        """
        if self.model and self.fake:
            raise UsageError(
                "pictures come from FAKE or from --model", hint="leave out one of them"
            )
        if (self.captions or self.total or self.nearest_class) and not self.model:
            raise UsageError(
                "--captions, --total and --nearest-class say what --model draws", hint="add --model"
            )
        if two and (self.model or not self.fake):
            raise UsageError(f"{', '.join(two)}: pictures are compared two by two", hint=FOLDERS)
        if not (self.real or self.model):
            raise UsageError("there are no pictures to score", hint=PICTURES)
        for wrong, message, hint in self._out_of_place(two, many):
            if wrong:
                raise UsageError(message, hint=hint)
        for file, option, ending in (
            (self.confusion, "--confusion", ".png"),
            (self.statistics, "--statistics", STATISTICS),
            (self.report, "--report", ".html"),
        ):
            if file and file.suffix.lower() != ending:
                raise UsageError(f"{file} is no {ending}", hint=f"end {option} with {ending}")
        if self.captions and "edit" in many:
            raise UsageError(
                "edit changes captions of its own, of drawn birds, and reads no --captions",
                hint="score edit by itself, without --captions",
            )
        for name in self.bundles:
            if name not in many:
                raise UsageError(
                    f"--with {name}={self.bundles[name]}: nothing that is computed needs it",
                    hint=f"bundles look for {', '.join(many)}" if many else "leave it out",
                )

    def _out_of_place(
        self, two: Mapping[str, PairMetric], many: Mapping[str, SetMetric]
    ) -> Iterator[tuple[object, str, str]]:
        """Options, whether they are out of place beside these metrics, and what to do then."""
        draws_maps = any(metric.around for metric in two.values())
        known = {"fid", "is", "kid"} & set(many)
        drop, alone = "leave it out", not many
        engine = self.engine
        yield engine not in ENGINES, f"there is no engine {engine!r}", did_you_mean(engine, ENGINES)
        yield self.luma and not two, "--luma is for metrics of pairs", drop
        yield self.maps and not draws_maps, "--map draws what ssim sees", "add ssim to the metrics"
        yield self.resume and self.maps, "--resume keeps numbers, and no maps", "leave out --map"
        yield self.protocol and alone, "--protocol is for metrics of sets", drop
        yield self.subset and "kid" not in many, "--subset is for kid", drop
        yield self.extrapolate and "fid" not in many, "--extrapolate is for fid", drop
        yield self.bootstrap and not known, "--bootstrap is for fid, is and kid", drop
        yield self.against and self.as_json, "--against is for people to read", "leave out --json"
        yield (
            self.statistics and "fid" not in many,
            "--statistics are what fid compares with",
            "add fid to the metrics",
        )
        yield (
            self.confusion and "attributes" not in many,
            "--confusion draws what attributes sees",
            "add attributes to the metrics",
        )
