"""`t2i-export`: parse, and call."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from t2i.export.fitting import UNASKED, Fitting, asked
from t2i.export.limits import Limits
from t2i.models.catalog import CATALOG
from t2i.runtime import terminal
from t2i.runtime.errors import ExportError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2i.export.precision import Precision

EXAMPLES = """\b
Examples:
t2i-export attngan                                   # the newest run, else the one that ships
t2i-export attngan --fp16                            # computes in fp16, for CUDA and TensorRT
t2i-export attngan --int8                            # faster on a CPU that has VNNI
t2i-export clip --int8                               # a quarter of the file, for CPUs
t2i-export attngan --fp16 --tensorrt                 # and engines for the card of this machine
t2i-export attngan --run runs/attngan/001-toy --out toy.t2i
t2i-export inception --weights pt_inception-2015-12-05-6726825d.pth   # what FID looks with
t2i-export attngan --weights G.pth --text-weights T.pth --vocabulary captions.pickle   # official
t2i-export --inspect netG_epoch_600.pth              # what a file is; writes nothing
t2i-export --weights vgg16.pth --save-weights vgg16.safetensors   # what trainings read
t2i-export --embeddings birds                        # a data set's vectors, by caption
t2i-export attngan --single-file                     # one .onnx: captions in, pixels out
t2i-export --bundle birds --single-file              # the same of a bundle that is there
t2i-export mindalle --weights pretrained/dalle_bart_mini   # what min-dalle downloads
t2i-run --model attngan-toy "a red bird"             # then draw, by the name that was printed

Make a bundle of a trained system.

The bundle goes into your bundle folder as SYSTEM-PRESET, or where --out says. Its weights are
stored as float16 and computed with as float32, unless --fp32, --fp16 or --int8 is given; official
weights stay float32, and their bundle is called SYSTEM. Each graph is compared with PyTorch first;
one that differs is deleted, and nothing is written.

--int8 lets the convolutions of a generator multiply whole numbers, and says what that costs: layers
stay in float32 until pictures are 40 dB from those in float32 or nearer. Weights are of the range
that this processor can multiply; --set range=full and range=reduced are for another.

--single-file writes NAME.onnx into this folder instead, or where --out says: inputs `caption` and
`seed`, outputs `image`, `known` and `unknown`, for any program that runs ONNX. It draws what the
bundle draws. With --attention it also says which words the last attention looked at.

--tensorrt builds engines of the bundle's graphs too, for batches of 1, 4, 16 and all between, and
compares them with PyTorch where there is a card. They lie in the user's cache, each beside a
key.json that tells what it was made of and for.
"""

ONNX = ("onnx", "onnxruntime")
TORCH = (*ONNX, "onnxscript", "safetensors", "torch")

app = typer.Typer(add_completion=False, rich_markup_mode=None)

System = Annotated[
    str | None, typer.Argument(help=f"What to export: {', '.join(CATALOG)}.", show_default=False)
]
RunFolder = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="A run, as t2i-train printed it.")
]
Weights = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH", help="Official weights, in place of a run; min-dalle's: a folder."
    ),
]
TextWeights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Official weights of what reads captions.")
]
ImageWeights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Official weights of what sees pictures.")
]
Words = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The vocabulary that these were trained with.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="What official files do not tell; the range of --int8."
    ),
]
SaveWeights = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write weights too, for trainings: NAME.safetensors."),
]
Inspect = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Say what a file of weights is, and stop.")
]
Vectors = Annotated[
    Path | None,
    typer.Option(
        "--embeddings", metavar="PATH", help="Write published vectors of captions: NAME.npz."
    ),
]
Fp32 = Annotated[bool, typer.Option("--fp32", help="Keep the weights in float32.")]
Fp16 = Annotated[bool, typer.Option("--fp16", help="Compute in float16 too.")]
Int8 = Annotated[
    bool, typer.Option("--int8", help="Compute in eight bits: convolutions, or else matrices.")
]
SingleFile = Annotated[
    bool, typer.Option("--single-file", help="One .onnx file that does all that a host does.")
]
BundleName = Annotated[
    str | None,
    typer.Option(
        "--bundle", metavar="NAME", help="Make the single file, or the engines, of this bundle."
    ),
]
Attention = Annotated[
    bool, typer.Option("--attention", help="Let the single file show what its words looked at.")
]
TensorRT = Annotated[bool, typer.Option("--tensorrt", help="Build engines of TensorRT too.")]
Dla = Annotated[
    int | None,
    typer.Option(min=0, metavar="CORE", help="On which accelerator of a Jetson engines run."),
]
MemoryMb = Annotated[
    int | None, typer.Option(min=1, metavar="MB", help="Most memory a layer of an engine works in.")
]
Out = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Where to: NAME.t2i, of a single file NAME.onnx."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace another run's bundle, or a file.")]
Captions = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Fit --int8 to these, in place of those that the run keeps."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON record on stdout.")]


@app.command(help=EXAMPLES)
def export(
    system: System = None,
    *,
    run: RunFolder = None,
    weights: Weights = None,
    text_weights: TextWeights = None,
    image_weights: ImageWeights = None,
    vocabulary: Words = None,
    changes: Changes = None,
    captions: Captions = None,
    save_weights: SaveWeights = None,
    inspect: Inspect = None,
    embeddings: Vectors = None,
    fp32: Fp32 = False,
    fp16: Fp16 = False,
    int8: Int8 = False,
    single_file: SingleFile = False,
    bundle: BundleName = None,
    attention: Attention = False,
    tensorrt: TensorRT = False,
    dla: Dla = None,
    memory_mb: MemoryMb = None,
    out: Out = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    with terminal.explaining_errors():
        precision = _precision(fp32=fp32, fp16=fp16, int8=int8)
        limits = Limits(dla, memory_mb)
        _refuse_limits(limits, tensorrt=tensorrt)
        _require_packages(*(ONNX if bundle and single_file else TORCH))
        from t2i.export import actions  # after parsing: --help must not wait for torch

        where = actions.Where(out, force, as_json)
        files = (weights, text_weights, image_weights, vocabulary)
        others, fitting = _fitting(changes or (), captions, precision)
        given = actions.Given(*files, changes=others)
        source = actions.Source(system, run, given)
        if attention and not single_file:
            raise UsageError("--attention belongs to --single-file", hint="pass both, or neither")
        making = bool(precision or single_file or tensorrt)
        if embeddings and (source != actions.Source() or bundle or save_weights or making):
            raise UsageError(
                "--embeddings makes a file of vectors, and no bundle",
                hint=f"t2i-export --embeddings {embeddings}",
            )
        if inspect:
            actions.inspect(inspect, as_json=as_json)
        elif embeddings:
            actions.vectors(embeddings, where)
        elif bundle and (
            source != actions.Source() or save_weights or precision or single_file == tensorrt
        ):
            raise UsageError(
                "--bundle names a bundle that is there, and makes a single file or engines of it",
                hint=f"t2i-export --bundle {bundle} --single-file, or --tensorrt",
            )
        elif bundle and single_file:
            actions.single_file_of(bundle, where, attention=attention)
        elif bundle:
            actions.engines_of(bundle, where, limits)
        elif weights and save_weights and not making and source == actions.Source.of(weights):
            actions.convert(weights, save_weights, force=force)
        else:
            wanted = actions.request(source, precision, where, fitting)
            if save_weights:
                actions.keep(wanted, save_weights)
            if single_file:
                actions.single_file(wanted, where, attention=attention)
            else:
                actions.bundle(wanted, where, limits if tensorrt else None)


def _precision(*, fp32: bool, fp16: bool, int8: bool) -> "Precision | None":
    if fp32 + fp16 + int8 > 1:
        raise UsageError("--fp32, --fp16 and --int8 exclude each other", hint="pass one of them")
    return "fp32" if fp32 else "fp16" if fp16 else "int8" if int8 else None


def _fitting(
    changes: "Sequence[str]", captions: Path | None, precision: "Precision | None"
) -> tuple[tuple[str, ...], Fitting]:
    """The settings of official files, and what eight bits are fitted to."""
    others, fitting = asked(changes, captions)
    if fitting != UNASKED and precision != "int8":
        raise UsageError("a range and captions are what --int8 is fitted to", hint="add --int8")
    return others, fitting


def _refuse_limits(limits: Limits, *, tensorrt: bool) -> None:
    if not tensorrt and limits != Limits():
        raise UsageError(
            "--dla and --memory-mb are of the engines of TensorRT",
            hint="pass --tensorrt too, or leave them out",
        )


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
