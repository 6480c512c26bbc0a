"""`t2i-score`: parse, call, report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from t2i.runtime import terminal
from t2i.runtime.cli.version import Version
from t2i.runtime.errors import ScoreError, UsageError

if TYPE_CHECKING:
    from t2i.runtime.score.protocol import Result

HELP = """\b
Examples:
t2i-score psnr,ssim bird.png other.png          # two pictures
t2i-score psnr,ssim photographs drawings        # two folders, matched by file name
t2i-score ssim photographs drawings --map maps  # and where they are alike
t2i-score psnr,ssim photographs drawings --json # with the protocol of each number

Score pictures: psnr (decibels, inf for equal pictures) and ssim (1 for equal pictures).

Of two folders, pictures with the same file name are compared; what has no partner is named and left
out, or an error with --strict. Pictures of different sizes are an error: nothing is resized.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=HELP)
def score(
    metrics: Annotated[str, typer.Argument(metavar="METRICS", help="With commas between them.")],
    a: Annotated[Path, typer.Argument(metavar="A", help="Picture or folder: the reference.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Picture or folder to compare.")],
    *,
    luma: Annotated[bool, typer.Option("--luma", help="Compare grey levels.")] = False,
    map_folder: Annotated[
        Path | None, typer.Option("--map", metavar="FOLDER", help="Draw where pairs are alike.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse what has no partner.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON record a metric.")] = False,
    version: Version = False,
) -> None:
    with terminal.explaining_errors():
        from t2i.runtime.score import pairs  # after parsing: --help must not wait for numpy
        from t2i.runtime.score.metrics import Options, choose
        from t2i.runtime.score.metrics import score as compute

        chosen = choose(metrics.split(","))
        if map_folder:
            if not any(metric.draws_maps for metric in chosen.values()):
                raise UsageError("--map draws what ssim sees", hint="add ssim to the metrics")
            _refuse_full(map_folder)
        matched = pairs.match(a, b)
        terminal.say(f"{len(matched.pairs):,} pair{'s' if len(matched.pairs) > 1 else ''}")
        if matched.alone and strict:
            raise ScoreError(matched.tell_alone(), hint="leave out --strict to score the others")
        if matched.alone:
            terminal.warn(matched.tell_alone())
        options = Options(luma=luma)
        names = (a.resolve().name, b.resolve().name)
        results = compute(chosen, matched, options, names=names, maps=map_folder)
        for result in results:
            _tell(result, as_json)
        if map_folder:
            terminal.say(f"wrote {len(matched.pairs):,} maps to {map_folder}")


def _tell(result: "Result", as_json: bool) -> None:
    from t2i.runtime.records import encode

    if as_json:
        terminal.print_json(encode(result))
        return
    unit = f" {result.unit}" if result.unit else ""
    spread = "" if result.spread is None else f" ± {result.spread:.4g}"
    terminal.report(f"{result.metric} {result.value:.4f}{spread}{unit}")


def _refuse_full(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ScoreError(f"{folder} is there already", hint="choose another folder for --map")


def main() -> None:
    app()
