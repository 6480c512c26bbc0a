"""`t2i-train`: parse, call, report."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from t2i.models.catalog import CATALOG
from t2i.runtime import terminal
from t2i.runtime.errors import DataError, T2IError, UsageError
from t2i.runtime.records import encode

if TYPE_CHECKING:
    from t2i.train.data.check import Report

HELP = """\
\b
t2i-train attngan --preset toy                     a minute, on drawn birds
t2i-train attngan --preset coco --data pictures    your own pictures and captions
t2i-train attngan --resume                         go on with the newest unfinished run
t2i-train attngan --set steps=2000 --dry-run       say what would be trained
t2i-train attngan --preset coco --data pictures --check-data
t2i-train attngan --write-data birds --split test --set count=500

Train a system, and first what it needs.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=HELP)
def train(
    system: Annotated[
        str, typer.Argument(metavar="SYSTEM", help=f"What to train: {', '.join(CATALOG)}.")
    ],
    *,
    preset: Annotated[str | None, typer.Option(help="Settings to begin with [birds].")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of pictures and captions.")] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="NAME=RUN|FILE", help="A prerequisite to use."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="Start from this safetensors file; sizes and words may lie beside it."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/SYSTEM/… by default.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str | None, typer.Option(help="fp32, bf16, or fp16 on cuda.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change any setting.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained.")] = False,
    check_data: Annotated[
        bool, typer.Option("--check-data", help="Say what is wrong with the data.")
    ] = False,
    write_data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the drawn birds out, with masks, as a folder."),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Of --write-data: train, validation or test [train].")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one record at the end.")] = False,
) -> None:
    with terminal.explaining_errors():
        ways = {"resume": resume, "dry-run": dry_run, "check-data": check_data}
        _exclude(ways | {"write-data": write_data})
        if split and not write_data:
            raise UsageError("--split says what --write-data writes", hint="add --write-data")
        _require_torch()
        from t2i.train import command  # after parsing: --help must not wait for torch

        order = command.Order(
            system=system,
            preset=preset,
            data=data,
            given=dict(_pair(each) for each in given or ()),
            weights=weights,
            out=out,
            resume=resume,
            device=device,
            precision=precision,
            changes=tuple(changes or ()),
        )
        if check_data:
            _check(command.check_data(order), as_json)
        elif dry_run:
            record = command.dry_run(order)
            _say(record, _lines(record), as_json)
        elif write_data:
            record = command.write_data(order, write_data, split or "train")
            _wrote(record, write_data, f"t2i-train {system} --data {write_data}", as_json)
        else:
            run = command.train(order)
            _wrote(command.summary(run), run.folder, f"t2i-export {system}", as_json)


def _exclude(ways: Mapping[str, object]) -> None:
    """Raises UsageError: more than one is asked for."""
    asked = [name for name, given in ways.items() if given]
    if len(asked) > 1:
        raise UsageError(
            f"--{asked[0]} and --{asked[1]} exclude each other", hint="pass one of them"
        )


def _require_torch() -> None:
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:
        raise T2IError(
            "training needs PyTorch, which is not installed", hint="pip install 't2i[train]'"
        ) from None


def _pair(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise UsageError(f"--with {text} is no pair", hint="write --with damsm=runs/damsm/001-toy")
    return name, Path(path)


def _check(report: "Report", as_json: bool) -> None:
    _say(encode(report), report.lines(), as_json)
    if not report.good:
        raise DataError("training cannot use these data", hint="mend what is listed as a problem")


def _say(record: dict[str, Any], lines: list[str], as_json: bool) -> None:
    if as_json:
        terminal.print_json(record)
    else:
        for line in lines:
            terminal.report(line)


def _wrote(record: dict[str, Any], path: Path, next: str, as_json: bool) -> None:
    if as_json:
        terminal.print_json(record)
    else:
        terminal.report(f"wrote {path}", next=next)


def _lines(record: dict[str, Any]) -> list[str]:
    """A dry run for people."""
    parameters = record["parameters"].items()
    data = record["data"].items()
    lines = [
        f"{record['system']}, preset {record['preset']}, on {record['device']}",
        f"run         {record['run']}",
        "parameters  " + ", ".join(f"{name} {count:,}" for name, count in parameters),
        *_chain(record["needs"]),
        "data        "
        + ", ".join(f"{key} {value}" for key, value in data if not isinstance(value, list | dict)),
        "settings",
    ]
    lines += [f"  {path} = {value}" for path, value in record["settings"].items()]
    return lines


def _chain(needs: dict[str, Any], depth: int = 0) -> list[str]:
    lines = []
    for name, need in needs.items():
        if "from" in need:
            lines.append(f"needs       {'  ' * depth}{name}, from {need['from']}")
        else:
            said = f"{name}, trained first: preset {need['trained first']}, {need['steps']} steps"
            lines.append(f"needs       {'  ' * depth}{said}")
            lines += _chain(need["needs"], depth + 1)
    return lines


def main() -> None:
    app()
