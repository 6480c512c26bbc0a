"""`t2i-classify`: parse, call, report."""

from pathlib import Path
from typing import Annotated

import typer

from t2i.runtime import terminal
from t2i.runtime.cli.options import Device, Strict, Threads
from t2i.runtime.cli.version import Version

HELP = """\b
Examples:
t2i-classify cat.png --labels animals.txt                      # a label a line
t2i-classify photographs --labels animals.txt --template "a photo of a {}" --json
t2i-classify photographs --labels animals.txt --template "a {}." --template "a drawing of a {}."
t2i-classify photographs --examples sorted                     # sorted/cat/1.png, sorted/dog/1.png

Say what pictures show.

With --labels nothing is learnt: each label is put into the template, and the nearest to a picture
wins. What several templates say is averaged. With --examples, a folder of folders of pictures, one
a class, a linear probe is learnt first: logistic regression on what the bundle sees.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Pictures = Annotated[
    list[Path], typer.Argument(metavar="PICTURES...", help="Pictures, or folders of them.")
]
Labels = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What they may show, one a line.")
]
Templates = Annotated[
    list[str] | None,
    typer.Option("--template", metavar="TEXT", help="{} stands for the label.  [a photo of a {}.]"),
]
Examples = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Learn from pictures, a folder a class.")
]
Model = Annotated[str, typer.Option(metavar="NAME", help="A bundle of CLIP.")]
Top = Annotated[int, typer.Option(min=1, metavar="N", help="Labels to show of each picture.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON record a picture.")]


@app.command(help=HELP)
def classify(
    pictures: Pictures,
    *,
    labels: Labels = None,
    templates: Templates = None,
    examples: Examples = None,
    model: Model = "birds-clip",
    top: Top = 3,
    strict: Strict = False,
    device: Device = "auto",
    threads: Threads = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    with terminal.explaining_errors():
        # What computes is imported after parsing: --help must not wait for it.
        from t2i.runtime.cli.classifying import Request, classify

        classify(
            Request(
                pictures=tuple(pictures),
                labels=labels,
                templates=tuple(templates or ()),
                examples=examples,
                model=model,
                top=top,
                strict=strict,
                device=device,
                threads=threads,
                as_json=as_json,
            )
        )


def main() -> None:
    app()
