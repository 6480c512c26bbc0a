"""`t2i-export`: parse, call, report."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from t2i.models.catalog import CATALOG
from t2i.runtime import terminal
from t2i.runtime.errors import ExportError, UsageError

if TYPE_CHECKING:
    from t2i.export.precision import Precision
    from t2i.export.publish import Request
    from t2i.export.trained import Trained
    from t2i.runtime.bundle import Bundle

EXAMPLES = """\b
Examples:
t2i-export attngan                                   # the newest run, else the one that ships
t2i-export attngan --fp16                            # computes in fp16, for CUDA and TensorRT
t2i-export clip --int8                               # a quarter of the file, for CPUs
t2i-export attngan --run runs/attngan/001-toy --out toy.t2i
t2i-export inception --weights pt_inception-2015-12-05-6726825d.pth   # what FID looks with
t2i-export mindalle --weights pretrained/dalle_bart_mini   # what min-dalle downloads
t2i-run --model attngan-toy "a red bird"             # then draw, by the name that was printed

Make a bundle of a trained system.

The bundle goes into your bundle folder as SYSTEM-PRESET, or where --out says. Its weights are
stored as float16 and computed with as float32, unless --fp32, --fp16 or --int8 is given; official
weights stay float32, and their bundle is called SYSTEM. Each graph is compared with PyTorch first;
one that differs is deleted, and nothing is written.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)

System = Annotated[str, typer.Argument(help=f"What to export: {', '.join(CATALOG)}.")]
RunFolder = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="A run, as t2i-train printed it.")
]
Weights = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH", help="Official weights, in place of a run; min-dalle's: a folder."
    ),
]
Fp32 = Annotated[bool, typer.Option("--fp32", help="Keep the weights in float32.")]
Fp16 = Annotated[bool, typer.Option("--fp16", help="Compute in float16 too.")]
Int8 = Annotated[
    bool, typer.Option("--int8", help="Multiply matrices of transformers in eight bits.")
]
Out = Annotated[Path | None, typer.Option(metavar="PATH", help="Where to: NAME.t2i.")]
Force = Annotated[bool, typer.Option("--force", help="Replace another run's bundle.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON record on stdout.")]


@app.command(help=EXAMPLES)
def export(
    system: System,
    *,
    run: RunFolder = None,
    weights: Weights = None,
    fp32: Fp32 = False,
    fp16: Fp16 = False,
    int8: Int8 = False,
    out: Out = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    with terminal.explaining_errors():
        if fp32 + fp16 + int8 > 1:
            raise UsageError(
                "--fp32, --fp16 and --int8 exclude each other", hint="pass one of them"
            )
        if run and weights:
            raise UsageError("weights come from a run or from a file", hint="leave out one of them")
        _require_packages()
        # After parsing: --help must not wait for torch.
        from t2i.export.pages import captions
        from t2i.export.publish import Request, export

        precision: Precision | None = (
            "fp32" if fp32 else "fp16" if fp16 else "int8" if int8 else None
        )
        request = Request(_trained(system, run, weights), precision, out, force)
        bundle = export(request)
        if as_json:
            terminal.print_json(_record(request, bundle))
            return
        model = request.path if out else request.name
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


def _record(request: "Request", bundle: "Bundle") -> dict[str, object]:
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


def _sentence(request: "Request", bundle: "Bundle") -> str:
    check, size = bundle.manifest.check, _bytes(request.path) / 1e6
    return (
        f"wrote {request.path} ({size:.1f} MB, {bundle.manifest.precision}, at most "
        f"{check.worst:.1e} from PyTorch, {check.tolerance:.1e} is allowed)"
    )


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _require_packages() -> None:
    try:
        for name in ("onnx", "onnxruntime", "onnxscript", "safetensors", "torch"):
            import_module(name)
    except ModuleNotFoundError as error:
        raise ExportError(
            f"exporting needs {error.name}, which is not installed",
            hint='pip install ".[cpu,export]"',
        ) from None


def main() -> None:
    app()
