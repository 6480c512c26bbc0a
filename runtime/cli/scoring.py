"""What `t2i-score` does with pictures."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from t2i.runtime import noise, places, terminal
from t2i.runtime.captions import STANDARD_INPUT, read_captions
from t2i.runtime.cli import remarks, results
from t2i.runtime.draw import load
from t2i.runtime.errors import BundleError, ScoreError, UsageError
from t2i.runtime.pictures import write_whole
from t2i.runtime.score import pairs, sets
from t2i.runtime.score.attributes import MAIN, Attributes
from t2i.runtime.score.confusion import confusion_sheet
from t2i.runtime.score.edits import Edited
from t2i.runtime.score.features import INCEPTION, Extractor
from t2i.runtime.score.fid import STATISTICS, Fid
from t2i.runtime.score.frechet import Statistics
from t2i.runtime.score.memory import FILE, Memory
from t2i.runtime.score.metrics import choose
from t2i.runtime.score.pairs import PairMetric
from t2i.runtime.score.practice import Practice, practice
from t2i.runtime.score.protocol import Result
from t2i.runtime.score.references import CAPTIONS, Rendered, rendered, speaks_of_birds
from t2i.runtime.score.resize import PYTORCH_FID
from t2i.runtime.score.sets import SetMetric, Setting, Work
from t2i.runtime.score.sources import Drawn, Source, Stored

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
    as_json: bool

    @property
    def reference(self) -> Source | Statistics | None:
        """What REAL holds; a folder that stands alone is no reference."""
        if not self.real or not (self.fake or self.model):
            return None
        known = self.real.suffix == STATISTICS
        return Statistics.read(self.real) if known else self.stored(self.real)

    def stored(self, path: Path) -> Stored:
        return Stored(path, strict=self.strict, workers=self.workers)

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
        if self.confusion and self.confusion.suffix.lower() != ".png":
            raise UsageError(f"{self.confusion} is no .png", hint="end --confusion with .png")
        if self.statistics and self.statistics.suffix != STATISTICS:
            raise UsageError(f"{self.statistics} is no .npz", hint="end --statistics with .npz")
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
        draws_maps = any(metric.draws_maps for metric in two.values())
        known = {"fid", "is", "kid"} & set(many)
        drop, alone = "leave it out", not many
        yield self.luma and not two, "--luma is for metrics of pairs", drop
        yield self.maps and not draws_maps, "--map draws what ssim sees", "add ssim to the metrics"
        yield self.resume and alone, "--resume is for metrics of sets", drop
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


def score(request: Request) -> None:
    """Compute what was asked for, and tell it in that order."""
    chosen = choose(request.metrics)
    two = {name: each for name, each in chosen.items() if isinstance(each, PairMetric)}
    many = {name: each for name, each in chosen.items() if isinstance(each, SetMetric)}
    request.check(two, many)
    _refuse_what_is_there(request)
    works = _begin(request, many) if many else []
    judges = [work.scorer for work in works if isinstance(work.scorer, Attributes)]
    for scorer in judges if request.confusion else ():
        scorer.judge.attribute(MAIN)
    found = _pairs(request, two) if two else []
    with _remembering(request) as memory:
        found += sets.run(works, request.batch_size, memory)
    found.sort(key=lambda result: list(chosen).index(result.metric))
    for result in found:
        results.tell(result, as_json=request.as_json)
    if request.against:
        results.compare(found, request.against)
    if request.statistics:
        _save_statistics(request.statistics, works)
    for scorer in judges:
        if request.confusion:
            _save(request.confusion, scorer)


@contextmanager
def _remembering(request: Request) -> Iterator[Memory | None]:
    if not request.resume:
        yield None
        return
    with closing(Memory(places.cache() / FILE)) as memory:
        yield memory
        terminal.say(f"what was seen is kept in {memory.path}")


def _pairs(request: Request, metrics: Mapping[str, PairMetric]) -> list[Result]:
    a, b = request.real, request.fake
    assert a, "Request.check refuses other than two"
    assert b, "Request.check refuses other than two"
    matched = pairs.match(a, b)
    terminal.say(f"{len(matched.pairs):,} pair{'s' if len(matched.pairs) > 1 else ''}")
    if matched.alone and request.strict:
        raise ScoreError(matched.tell_alone(), hint="leave out --strict to score the others")
    if matched.alone:
        terminal.warn(matched.tell_alone())
    names = (a.resolve().name, b.resolve().name)
    options = pairs.Options(luma=request.luma)
    found = pairs.score(
        metrics, matched, options, names=names, maps=request.maps, strict=request.strict
    )
    if request.maps:
        terminal.say(f"wrote {len(matched.pairs):,} maps to {request.maps}")
    return found


def _begin(request: Request, metrics: Mapping[str, SetMetric]) -> list[Work]:
    """Get all ready, so that what cannot be computed is an error before anything is drawn."""
    source, known = _source(request)
    sources = {name: each.draws(source) if each.draws else source for name, each in metrics.items()}
    for each in sources.values():
        if request.seed + len(each) > noise.SEEDS:
            raise UsageError("the seed is too large", hint="each picture's seed must be below 2^38")
    chosen = {name: request.bundles.get(name, each.bundle) for name, each in metrics.items()}
    whole = practice(request.protocol or PYTORCH_FID)
    extractors: dict[tuple[str, str], Extractor] = {}
    for name, bundle in chosen.items():
        if (bundle, whole.resize_for(name)) not in extractors:
            extractors[bundle, whole.resize_for(name)] = _extractor(name, bundle, whole, request)
    if request.protocol:
        _warn_of_own_resizes(
            extractors[bundle, whole.resize_for(name)]
            for name, bundle in chosen.items()
            if metrics[name].bundle == INCEPTION
        )
    for each in {id(each): each for each in sources.values()}.values():
        if isinstance(each, Edited):
            remarks.tell_what_was_not_read(each.painter, each.jobs, {}, None)
    _introduce(sources, chosen)
    reference = request.reference
    return [
        Work.begin(
            name,
            metric,
            Setting(
                extractor=extractors[chosen[name], whole.resize_for(name)],
                source=sources[name],
                seed=request.seed,
                reference=reference,
                rendered=known,
                practice=whole,
                bootstrap=request.bootstrap,
                extrapolate=request.extrapolate,
                subset=request.subset,
            ),
        )
        for name, metric in metrics.items()
    ]


def _source(request: Request) -> tuple[Source, Rendered | None]:
    """The pictures, and what is known of the renderer's where a bundle draws its birds."""
    if not request.model:
        folder = request.fake or request.real
        assert folder, "Request.check refuses none"
        return request.stored(folder), None
    painter = load(
        request.model,
        device=request.device,
        threads=request.threads,
        nearest_class=request.nearest_class,
    )
    birds = speaks_of_birds(painter.manifest)
    if not (birds or request.captions):
        raise UsageError(
            f"{painter.manifest.name} was not trained on drawn birds: there are no captions for it",
            hint="name a file of them by --captions",
        )
    lines = read_captions(request.captions or str(CAPTIONS))
    drawn = Drawn(
        painter=painter,
        lines=lines,
        file=_called(request.captions or str(CAPTIONS)),
        total=request.total or len(lines),
        seed=request.seed,
    )
    remarks.introduce(painter, request.seed)
    remarks.tell_what_was_not_read(painter, drawn.jobs, {}, None)
    remarks.tell_classes(painter, drawn.jobs)
    return drawn, rendered() if birds else None


def _save_statistics(path: Path, works: Sequence[Work]) -> None:
    (scorer,) = (work.scorer for work in works if isinstance(work.scorer, Fid))
    scorer.reference().save(path)
    terminal.say(f"wrote {path}")


def _warn_of_own_resizes(extractors: Iterable[Extractor]) -> None:
    """A protocol that was asked for says nothing to networks that prepare pictures themselves."""
    for name in sorted({each.name for each in extractors if not each.resize}):
        terminal.warn(
            f"{name} resizes pictures itself, whatever --protocol says",
            hint="protocols are of Inception: leave out --with",
        )


def _called(file: str) -> str:
    return "standard input" if file == STANDARD_INPUT else Path(file).name


def _extractor(metric: str, bundle: str, whole: Practice, request: Request) -> Extractor:
    try:
        return Extractor.load(
            bundle,
            device=request.device,
            threads=request.threads,
            strict=request.strict,
            resize=whole.resize_for(metric),
        )
    except BundleError as error:
        # What nobody asked for cannot be mistyped: no likely name helps.
        asked = metric in request.bundles
        choose = f"{error.hint}; or choose another" if asked else "export one, and choose it"
        hint = f"{choose} by --with {metric}=BUNDLE"
        if bundle == INCEPTION and not asked:
            hint = f"{error.hint}; of drawn birds, say --with {metric}=birds-features"
        raise BundleError(
            f"{metric} needs a bundle that looks at pictures: {error}",
            hint=hint,
        ) from error


def _introduce(sources: Mapping[str, Source], chosen: Mapping[str, str]) -> None:
    """How many pictures, and who looks at them."""
    for source in {id(each): each for each in sources.values()}.values():
        metrics = [name for name, each in sources.items() if each is source]
        by = [
            f"{', '.join(name for name in metrics if chosen[name] == bundle)} by {bundle}"
            for bundle in dict.fromkeys(chosen[name] for name in metrics)
        ]
        terminal.say(" · ".join([f"{source.name}: {len(source):,} pictures", *by]))


def _refuse_what_is_there(request: Request) -> None:
    maps, confusion = request.maps, request.confusion
    if maps and maps.exists() and (not maps.is_dir() or any(maps.iterdir())):
        raise ScoreError(f"{maps} is there already", hint="choose another folder for --map")
    for file, option in ((confusion, "--confusion"), (request.statistics, "--statistics")):
        if file and file.exists():
            raise ScoreError(f"{file} is there already", hint=f"choose another {option}")


def _save(path: Path, scorer: Attributes) -> None:
    sheet = confusion_sheet(scorer.counts[MAIN], scorer.values[MAIN])
    data = io.BytesIO()
    Image.fromarray(sheet).save(data, "PNG")
    write_whole(path, data.getvalue())
    terminal.say(f"wrote {path}")
