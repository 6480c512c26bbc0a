"""What `t2i-export` can be asked for: a bundle, a single file, weights, or what a file is."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from t2i.export.fitting import UNASKED, Fitting
from t2i.export.limits import Limits
from t2i.models.catalog import CATALOG
from t2i.runtime import places, terminal
from t2i.runtime.bundle import Bundle, Manifest
from t2i.runtime.errors import ExportError, UsageError

# What needs torch is imported where it is used: a single file of a bundle is made without.
if TYPE_CHECKING:
    from t2i.export.official.kinds import Role
    from t2i.export.precision import Precision
    from t2i.export.publish import Request
    from t2i.export.tensorrt import Built
    from t2i.export.trained import Trained


@dataclass(frozen=True)
class Given:
    """Official files, and what is to be set beside them."""

    weights: Path | None = None
    text_weights: Path | None = None
    image_weights: Path | None = None
    vocabulary: Path | None = None
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """What bundles are made of: a run, or official files."""

    system: str | None = None
    run: Path | None = None
    given: Given = Given()

    @classmethod
    def of(cls, file: Path) -> "Source":
        """One file, of whatever system."""
        return cls(given=Given(file))


@dataclass(frozen=True)
class Where:
    """Where to write, and how to tell."""

    out: Path | None
    force: bool
    as_json: bool

    def file(self, name: str, ending: str = ".onnx") -> Path:
        """Path of a single file, or of one of another ending.

        Raises:
            ExportError: there is something that may not be replaced.
        """
        asked = self.out or Path(name)
        path = asked.with_name(asked.name.removesuffix(ending) + ending)
        if path.is_dir():
            raise ExportError(f"{path} is there already", hint="choose another place with --out")
        if path.exists() and not self.force:
            raise ExportError(
                f"{path} is there already",
                hint="replace it with --force, or choose another --out",
            )
        return path


def request(
    source: Source,
    precision: "Precision | None",
    where: Where,
    fitting: Fitting = UNASKED,
) -> "Request":
    """What is to be exported, loaded.

    Raises:
        UsageError: no system is named, or it is to come from two places.
    """
    from t2i.export.publish import Request

    if source.system is None:
        raise UsageError("no system is named", hint="t2i-export attngan, or --inspect FILE")
    if source.run and source.given != Given():
        raise UsageError("weights come from a run or from files", hint="leave out one of them")
    trained = _trained(source.system, source.run, source.given)
    return Request(trained, precision, where.out, where.force, fitting)


def _trained(system: str, run: Path | None, given: Given) -> "Trained":
    from t2i.export import trained

    if given != Given():
        return _official(system, given)
    found = trained.find_run(system, run)
    terminal.say(f"{system}, preset {found.recipe.preset}, from {found.folder}")
    return trained.load(found)


def _official(system: str, given: Given) -> "Trained":
    from t2i.export.official import load
    from t2i.export.official.published import Files

    if given.weights is None:
        raise UsageError("official files begin with --weights", hint="add --weights FILE")
    weights: dict[Role, Path | None] = {
        "weights": given.weights,
        "text-weights": given.text_weights,
        "image-weights": given.image_weights,
    }
    there = {role: path for role, path in weights.items() if path}
    return load.load(system, Files(there, given.vocabulary, load.parsed(given.changes)))


def bundle(wanted: "Request", where: Where, limits: Limits | None = None) -> None:
    """Write a bundle, with limits its engines too, and tell how to draw with it."""
    from t2i.export.pages import captions
    from t2i.export.publish import export

    if limits:
        from t2i.export import symmetric, tensorrt

        # Refused now, not after minutes.
        tensorrt.find_library()
        if wanted.precision == "int8" and CATALOG[wanted.trained.recipe.system].pipeline != "gan":
            raise symmetric.blocks()
    made = export(wanted)
    engines = _engines(made, limits) if limits else []
    if where.as_json:
        told = {"engines": _listed(engines)} if limits else {}
        terminal.print_json(_record(wanted, made) | told)
        return
    model = wanted.path if wanted.out else wanted.name
    tried = [f't2i-run --model {model} "{caption}"' for caption in captions(made)]
    if any(graph.role == "caption" for graph in made.manifest.graphs):
        tried.append(f"t2i-run --model {model} --describe PICTURE")
    _report([_sentence(wanted, made), *map(_told, engines)], next=[*tried, "t2i-run --list"][0])


def engines_of(name: str, where: Where, limits: Limits) -> None:
    """Build the engines of a bundle that is there."""
    made = Bundle.load(places.find(name))
    engines = _engines(made, limits)
    if where.as_json:
        record = {"name": made.name, "sha256": made.sha256, "engines": _listed(engines)}
        terminal.print_json(record)
        return
    _report(list(map(_told, engines)))


def _engines(made: Bundle, limits: Limits) -> "list[Built]":
    from t2i.export import tensorrt

    built = []
    with terminal.progress("building engines", len(made.manifest.graphs)) as bar:
        for each in tensorrt.build(made, tensorrt.find_library(), limits):
            built.append(each)
            bar.advance(note=each.role)
    return built


def _report(sentences: list[str], next: str | None = None) -> None:
    *before, last = sentences
    for each in before:
        terminal.report(each)
    terminal.report(last, next=next)


def _listed(engines: "list[Built]") -> list[dict[str, object]]:
    return [asdict(each) | {"file": str(each.file)} for each in engines]


def _told(engine: "Built") -> str:
    """Without a card nobody knows what an engine computes, and this says so."""
    far = "built, not run: no card"
    if engine.worst is not None:
        far = f"at most {engine.worst:.1e} from PyTorch"
    return f"wrote {engine.file} ({engine.bytes / 1e6:.1f} MB, {far})"


def single_file(wanted: "Request", where: Where, *, attention: bool) -> None:
    """Write a single file of what was trained, by way of a bundle that is not kept."""
    from t2i.export.publish import export

    where.file(replace(wanted, out=None).name)  # refused now, not after minutes
    with TemporaryDirectory() as folder:
        draft = Path(folder) / replace(wanted, out=None).path.name
        _write(export(replace(wanted, out=draft)), where, attention=attention)


def single_file_of(name: str, where: Where, *, attention: bool) -> None:
    """Write a single file of a bundle that is there."""
    _write(Bundle.load(places.find(name)), where, attention=attention)


def _write(made: Bundle, where: Where, *, attention: bool) -> None:
    from t2i.export import single_file as single

    path = where.file(made.name)
    single.write(made, path, attention=attention)
    size = path.stat().st_size
    if where.as_json:
        record = {"name": made.name, "path": str(path), "bundle": made.sha256, "bytes": size}
        terminal.print_json(record)
        return
    terminal.report(f"wrote {path} ({size / 1e6:.1f} MB), which draws what {made.name} draws")


def keep(wanted: "Request", path: Path) -> None:
    """Write the weights too, for trainings."""
    from t2i.export.official import keeping

    files = keeping.keep(wanted.trained, path, force=wanted.force)
    terminal.say(f"wrote {', '.join(map(str, files))}")


def convert(file: Path, path: Path, *, force: bool) -> None:
    """Write the weights of a file for trainings, whatever system they are of."""
    from t2i.export.official import keeping

    keeping.convert(file, path, force=force)
    terminal.report(f"wrote {path}", next=f"t2i-export --inspect {path}")


def vectors(file: Path, where: Where) -> None:
    """Write published vectors of captions as what `t2i-run` and trainings read."""
    from t2i.export.official import embeddings

    kept = embeddings.convert(file, where.file(file.resolve().stem, ".npz"))
    if where.as_json:
        terminal.print_json({**asdict(kept), "path": str(kept.path)})
        return
    terminal.report(
        f"wrote {kept.path}: vectors of {kept.captions:,} captions, {kept.size:,} numbers each",
        next=f"t2i-run --model stackgan --embeddings {kept.path} --captions FILE",
    )


def inspect(file: Path, *, as_json: bool) -> None:
    """Say what a file of weights is."""
    from t2i.export.official import inspection

    record = inspection.inspect(file)
    if as_json:
        terminal.print_json(record)
        return
    for line in inspection.lines(record):
        terminal.report(line)


def _record(wanted: "Request", made: Bundle) -> dict[str, object]:
    manifest = made.manifest
    return {
        "name": made.name,
        "path": str(wanted.path),
        "sha256": made.sha256,
        "precision": manifest.precision,
        "bytes": _bytes(wanted.path),
        "worst": manifest.check.worst,
        "tolerance": manifest.check.tolerance,
        **_eight(manifest),
    }


def _eight(manifest: Manifest) -> dict[str, object]:
    """Of a generator in eight bits: its range, and what it costs."""
    if manifest.rounding is None:
        return {}
    found = {score.metric: score.value for score in manifest.scores}
    return {"range": manifest.rounding.range, "psnr": found["psnr"]}


def _sentence(wanted: "Request", made: Bundle) -> str:
    check, size = made.manifest.check, _bytes(wanted.path) / 1e6
    eight = _eight(made.manifest)
    loss = f", {eight['psnr']:.1f} dB to float32" if eight else ""
    return (
        f"wrote {wanted.path} ({size:.1f} MB, {made.manifest.precision}, at most "
        f"{check.worst:.1e} from PyTorch, {check.tolerance:.1e} is allowed{loss})"
    )


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())
