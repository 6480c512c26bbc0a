"""What `t2i-score` does with pictures."""

import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from t2i.runtime import noise, places, terminal
from t2i.runtime.captions import named, read_captions
from t2i.runtime.cli import remarks, results
from t2i.runtime.cli.score_request import LOCAL, Request
from t2i.runtime.draw import load
from t2i.runtime.errors import BundleError, ScoreError, UsageError
from t2i.runtime.pictures import write_png, write_whole
from t2i.runtime.score import pairs, sets
from t2i.runtime.score import report as page
from t2i.runtime.score.attributes import MAIN, Attributes
from t2i.runtime.score.confusion import confusion_sheet
from t2i.runtime.score.edits import Edited
from t2i.runtime.score.features import INCEPTION, Extractor
from t2i.runtime.score.fid import Fid
from t2i.runtime.score.looking import Engine, Local
from t2i.runtime.score.memory import FILE, Memory
from t2i.runtime.score.metrics import choose
from t2i.runtime.score.pairs import PairMetric, Scores
from t2i.runtime.score.practice import Practice, practice
from t2i.runtime.score.protocol import Result
from t2i.runtime.score.references import CAPTIONS, Rendered, rendered, speaks_of_birds
from t2i.runtime.score.resize import PYTORCH_FID
from t2i.runtime.score.sets import SetMetric, Setting, Work
from t2i.runtime.score.sources import Drawn, Source


def score(request: Request) -> None:
    """Compute what was asked for, and tell it in that order."""
    chosen = choose(request.metrics)
    two = {name: each for name, each in chosen.items() if isinstance(each, PairMetric)}
    many = {name: each for name, each in chosen.items() if isinstance(each, SetMetric)}
    request.check(two, many)
    _refuse_what_is_there(request)
    if request.report:
        page.require()
    works = _begin(request, many) if many else []
    judges = [work.scorer for work in works if isinstance(work.scorer, Attributes)]
    for scorer in judges if request.confusion else ():
        scorer.judge.attribute(MAIN)
    engine = _engine(request)
    with _remembering(request) as memory:
        compared = _pairs(request, two, engine, memory) if two else None
        found = compared.results() if compared else []
        found += sets.run(works, request.batch_size, memory, engine)
    found.sort(key=lambda result: list(chosen).index(result.metric))
    for result in found:
        results.tell(result, as_json=request.as_json)
    if request.against:
        results.compare(found, request.against)
    if request.statistics:
        _save_statistics(request.statistics, works)
    for scorer in judges:
        if request.confusion:
            _save_confusion(request.confusion, scorer)
    if request.report:
        _save_report(request.report, found, works, compared)


def _engine(request: Request) -> Engine:
    if request.engine == LOCAL:
        return Local()
    from t2i.runtime.score.ray import Cluster  # few need it

    return Cluster(request.threads or 1)


@contextmanager
def _remembering(request: Request) -> Iterator[Memory | None]:
    if not request.resume:
        yield None
        return
    with closing(Memory(places.cache() / FILE)) as memory:
        yield memory
        terminal.say(f"what was seen is kept in {memory.path}")


def _pairs(
    request: Request, metrics: Mapping[str, PairMetric], engine: Engine, memory: Memory | None
) -> Scores:
    a, b = request.real, request.fake
    assert a, "Request.check refuses other than two"
    assert b, "Request.check refuses other than two"
    matched = pairs.match(a, b)
    terminal.say(f"{len(matched.pairs):,} pair{'s' if len(matched.pairs) > 1 else ''}")
    if matched.alone and request.strict:
        raise ScoreError(matched.tell_alone(), hint="leave out --strict to score the others")
    if matched.alone:
        terminal.warn(matched.tell_alone())
    found = pairs.compare(
        metrics,
        matched,
        pairs.Options(luma=request.luma),
        names=(a.resolve().name, b.resolve().name),
        maps=request.maps,
        strict=request.strict,
        workers=request.workers,
        engine=engine,
        memory=memory,
    )
    if request.maps:
        terminal.say(f"wrote {len(found.pairs):,} maps to {request.maps}")
    return found


def _begin(request: Request, metrics: Mapping[str, SetMetric]) -> list[Work]:
    """Get all ready, so that what cannot be computed is an error before anything is drawn."""
    source, known = _source(request)
    sources = {name: each.draws(source) if each.draws else source for name, each in metrics.items()}
    for each in sources.values():
        noise.refuse_too_many(request.seed, len(each))
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
                detailed=request.report is not None,
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
    file = request.captions or str(CAPTIONS)
    lines = read_captions(file)
    drawn = Drawn(
        painter=painter,
        lines=lines,
        file=Path(named(file)).name,
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
        count = f"{len(source):,} picture{'' if len(source) == 1 else 's'}"
        terminal.say(" · ".join([f"{source.name}: {count}", *by]))


def _refuse_what_is_there(request: Request) -> None:
    maps, confusion = request.maps, request.confusion
    if maps and maps.exists() and (not maps.is_dir() or any(maps.iterdir())):
        raise ScoreError(f"{maps} is there already", hint="choose another folder for --map")
    for file, option in (
        (confusion, "--confusion"),
        (request.statistics, "--statistics"),
        (request.report, "--report"),
    ):
        if file and file.exists():
            raise ScoreError(f"{file} is there already", hint=f"choose another {option}")


def _save_report(
    path: Path, found: Sequence[Result], works: Sequence[Work], compared: Scores | None
) -> None:
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    write_whole(path, page.written(command, found, works, compared).encode())
    terminal.say(f"wrote {path}")


def _save_confusion(path: Path, scorer: Attributes) -> None:
    write_png(confusion_sheet(scorer.counts[MAIN], scorer.values[MAIN]), path)
    terminal.say(f"wrote {path}")
