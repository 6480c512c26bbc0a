"""`t2i-search`: parse, call, report."""

from pathlib import Path
from typing import Annotated

import typer

from t2i.runtime import terminal
from t2i.runtime.cli.options import Device, Strict, Threads
from t2i.runtime.cli.version import Version

HELP = """\b
Examples:
t2i-search birds.index "red bird" --folder birds   # look at the pictures first, then search
t2i-search birds.index "red bird"                  # search what was seen before
t2i-search birds.index --folder birds              # only bring the index up to date
t2i-search birds.index "red bird" --top 3 --json

Search a folder of pictures by words.

What a bundle sees in the pictures of --folder and the folders in it is kept in INDEX: only new and
changed pictures are looked at, and what is gone is forgotten. An index is searched with the bundle
that made it. The number before a picture is the cosine of picture and words: 1 is the same.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)

File = Annotated[Path, typer.Argument(metavar="INDEX", help="The file that holds the index.")]
Words = Annotated[
    str | None, typer.Argument(metavar="[TEXT]", help="What to find.", show_default=False)
]
Folder = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Bring the index up to date with it first.")
]
Model = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A bundle of scores; by default the one of the index."),
]
Top = Annotated[int, typer.Option(min=1, metavar="N", help="Pictures to show.")]
BatchSize = Annotated[int, typer.Option(min=1, metavar="N", help="Pictures at once.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON record a picture.")]


@app.command(help=HELP)
def search(
    index: File,
    text: Words = None,
    *,
    folder: Folder = None,
    model: Model = None,
    top: Top = 10,
    strict: Strict = False,
    device: Device = "auto",
    threads: Threads = None,
    batch_size: BatchSize = 8,
    as_json: Json = False,
    version: Version = False,
) -> None:
    with terminal.explaining_errors():
        # What computes is imported after parsing: --help must not wait for it.
        from t2i.runtime.cli.searching import Request, search

        search(
            Request(
                index=index,
                text=text,
                folder=folder,
                model=model,
                top=top,
                strict=strict,
                device=device,
                threads=threads,
                batch_size=batch_size,
                as_json=as_json,
            )
        )


def main() -> None:
    app()
