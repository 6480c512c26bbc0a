"""`t2i-export`: parse, call, report."""

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from t2i.models.catalog import CATALOG
from t2i.runtime import places, terminal
from t2i.runtime.bundle import Bundle
from t2i.runtime.errors import ExportError, UsageError

if TYPE_CHECKING:
    from t2i.export.precision import Precision
    from t2i.export.publish import Request
    from t2i.export.trained import Trained

EXAMPLES = """\b
Examples:
t2i-export attngan                                   # the newest run, else the one that ships
t2i-export attngan --fp16                            # computes in fp16, for CUDA and TensorRT
t2i-export clip --int8                               # a quarter of the file, for CPUs
t2i-export attngan --run runs/attngan/001-toy --out toy.t2i
t2i-export inception --weights pt_inception-2015-12-05-6726825d.pth   # what FID looks with
t2i-export attngan --single-file                     # one .onnx: captions in, pixels out
t2i-export --bundle birds --single-file              # the same of a bundle that is there
t2i-run --model attngan-toy "a red bird"             # then draw, by the name that was printed

Make a bundle of a trained system.

The bundle goes into your bundle folder as SYSTEM-PRESET, or where --out says. Its weights are
stored as float16 and computed with as float32, unless --fp32, --fp16 or --int8 is given; official
weights stay float32, and their bundle is called SYSTEM. Each graph is compared with PyTorch first;
one that differs is deleted, and nothing is written.

--single-file writes NAME.onnx into this folder instead, or where --out says: inputs `caption` and
`seed`, outputs `image`, `known` and `unknown`, for any program that runs ONNX. It draws what the
bundle draws. With --attention it also says which words the last attention looked at.
"""

ONNX = ("onnx", "onnxruntime")

app = typer.Typer(add_completion=False, rich_markup_mode=None)

System = Annotated[
    str | None,
    typer.Argument(help=f"What to export: {', '.join(CATALOG)}.", show_default=False),
]
RunFolder = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="A run, as t2i-train printed it.")
]
Weights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Official weights, in place of a run.")
]
Fp32 = Annotated[bool, typer.Option("--fp32", help="Keep the weights in float32.")]
Fp16 = Annotated[bool, typer.Option("--fp16", help="Compute in float16 too.")]
Int8 = Annotated[
    bool, typer.Option("--int8", help="Multiply matrices of transformers in eight bits.")
]
SingleFile = Annotated[
    bool, typer.Option("--single-file", help="One .onnx file that does all that a host does.")
]
BundleName = Annotated[
    str | None,
    typer.Option("--bundle", metavar="NAME", help="Make the single file of this bundle."),
]
Attention = Annotated[
    bool, typer.Option("--attention", help="Let the single file show what its words looked at.")
]
Out = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Where to: NAME.t2i, of a single file NAME.onnx."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace another run's bundle, or a file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON record on stdout.")]


@app.command(help=EXAMPLES)
def export(
    system: System = None,
    *,
    run: RunFolder = None,
    weights: Weights = None,
    fp32: Fp32 = False,
    fp16: Fp16 = False,
    int8: Int8 = False,
    single_file: SingleFile = False,
    bundle: BundleName = None,
    attention: Attention = False,
    out: Out = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    with terminal.explaining_errors():
        precision = _precision(fp32=fp32, fp16=fp16, int8=int8)
        if run and weights:
            raise UsageError("weights come from a run or from a file", hint="leave out one of them")
        if attention and not single_file:
            raise UsageError("--attention belongs to --single-file", hint="pass both, or neither")
        file = File(out, attention, force, as_json)
        if bundle is not None:
            if system or run or weights or precision or not single_file:
                raise UsageError(
                    "--bundle names a bundle that is there, and makes a single file of it",
                    hint=f"t2i-export --bundle {bundle} --single-file",
                )
            _require_packages(*ONNX)
            _write_single(Bundle.load(places.find(bundle)), file)
            return
        if system is None:
            raise UsageError("no system is named", hint=f"known are: {', '.join(CATALOG)}")
        _require_packages(*ONNX, "onnxscript", "safetensors", "torch")
        from t2i.export.publish import Request, export  # after parsing: --help must not wait

        request = Request(_trained(system, run, weights), precision, out, force)
        if single_file:
            file.refuse_what_is_there(replace(request, out=None).name)
            with TemporaryDirectory() as folder:
                draft = Path(folder) / replace(request, out=None).path.name
                _write_single(export(replace(request, out=draft)), file)
        else:
            _tell(request, export(request), as_json=as_json)


@dataclass(frozen=True)
class File:
    """How a single file is asked for."""

    out: Path | None
    attention: bool
    force: bool
    as_json: bool

    def path(self, name: str) -> Path:
        path = self.out or Path(name)
        return path.with_name(path.name.removesuffix(".onnx") + ".onnx")

    def refuse_what_is_there(self, name: str) -> None:
        """Raises ExportError where there is something that may not be replaced."""
        path = self.path(name)
        if path.is_dir() or (path.exists() and not self.force):
            raise ExportError(
                f"{path} is there already",
                hint="choose another place with --out"
                if path.is_dir()
                else "replace it with --force, or choose another --out",
            )


def _precision(*, fp32: bool, fp16: bool, int8: bool) -> "Precision | None":
    if fp32 + fp16 + int8 > 1:
        raise UsageError("--fp32, --fp16 and --int8 exclude each other", hint="pass one of them")
    return "fp32" if fp32 else "fp16" if fp16 else "int8" if int8 else None


def _write_single(bundle: Bundle, file: File) -> None:
    from t2i.export import single_file  # after parsing

    path = file.path(bundle.name)
    file.refuse_what_is_there(bundle.name)
    single_file.write(bundle, path, attention=file.attention)
    if file.as_json:
        sizes = {"path": str(path), "bundle": bundle.sha256, "bytes": path.stat().st_size}
        terminal.print_json({"name": bundle.name, **sizes})
        return
    terminal.report(
        f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB), which draws what {bundle.name} draws"
    )


def _tell(request: "Request", bundle: Bundle, *, as_json: bool) -> None:
    from t2i.export.pages import captions

    if as_json:
        terminal.print_json(_record(request, bundle))
        return
    model = request.path if request.out else request.name
    tried = [f't2i-run --model {model} "{caption}"' for caption in captions(bundle)]
    if any(graph.role == "caption" for graph in bundle.manifest.graphs):
        tried.append(f"t2i-run --model {model} --describe PICTURE")
    terminal.report(_sentence(request, bundle), next=[*tried, "t2i-run --list"][0])


def _trained(system: str, run: Path | None, weights: Path | None) -> "Trained":
    from t2i.export import official, trained

    if weights:
        terminal.say(f"{system}, official weights, from {weights}")
        return official.load(system, weights)
    found = trained.find_run(system, run)
    terminal.say(f"{system}, preset {found.recipe.preset}, from {found.folder}")
    return trained.load(found)


def _record(request: "Request", bundle: Bundle) -> dict[str, object]:
    manifest = bundle.manifest
    return {
        "name": bundle.name,
        "path": str(request.path),
        "sha256": bundle.sha256,
        "precision": manifest.precision,
        "bytes": _bytes(request.path),
        "worst": manifest.check.worst,
        "tolerance": manifest.check.tolerance,
    }


def _sentence(request: "Request", bundle: Bundle) -> str:
    check, size = bundle.manifest.check, _bytes(request.path) / 1e6
    return (
        f"wrote {request.path} ({size:.1f} MB, {bundle.manifest.precision}, at most "
        f"{check.worst:.1e} from PyTorch, {check.tolerance:.1e} is allowed)"
    )


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _require_packages(*names: str) -> None:
    try:
        for name in names:
            import_module(name)
    except ModuleNotFoundError as error:
        raise ExportError(
            f"exporting needs {error.name}, which is not installed",
            hint='pip install ".[cpu,export]"',
        ) from None


def main() -> None:
    app()
