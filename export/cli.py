"""`t2i-export`: parse, call, report."""

from pathlib import Path
from typing import Annotated

import typer

from t2i.runtime import terminal
from t2i.runtime.errors import ExportError, UsageError

EXAMPLES = """\
Make a bundle of a trained system.

Examples:

t2i-export attngan                                   # the newest run, else the one that ships

t2i-export attngan --fp16                            # computes in fp16, for CUDA and TensorRT

t2i-export attngan --run runs/attngan/001-toy --out toy.t2i

t2i-run --model attngan-birds256 "a red bird"        # then draw with it, by the name it printed
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=EXAMPLES)
def export(
    system: Annotated[str, typer.Argument(help="What to export: attngan, damsm.")],
    *,
    run: Annotated[Path | None, typer.Option(help="Run folder, as `t2i-train` printed it.")] = None,
    fp32: Annotated[bool, typer.Option("--fp32", help="Keep weights in float32.")] = False,
    fp16: Annotated[bool, typer.Option("--fp16", help="Compute in float16 too.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Where to write NAME.t2i; your bundle folder by default.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one record.")] = False,
) -> None:
    with terminal.explaining_errors():
        if fp32 and fp16:
            raise UsageError("--fp32 and --fp16 exclude each other", hint="pass one of them")
        _require_packages()
        from t2i.export import publish, trained  # after parsing: --help must not wait for torch

        found = trained.find_run(system, run)
        terminal.say(f"{system}, from {found.folder}")
        request = publish.Request(
            trained.load(found),
            precision="fp32" if fp32 else "fp16" if fp16 else "fp16-stored",
            out=out,
            force=force,
        )
        path = publish.export(request)
        if as_json:
            terminal.print_json({"name": request.name, "path": str(path)})
            return
        model = path if out else request.name
        terminal.report(f"wrote {path}", next=f't2i-run --model {model} "a red bird"')


def _require_packages() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        raise ExportError(
            f"exporting needs {error.name}, which is not installed",
            hint="pip install 't2i[cpu,export]'",
        ) from None


def main() -> None:
    app()
