"""`t2i-edit`: parse, call, report."""

from pathlib import Path
from typing import Annotated

import typer

from t2i.runtime import terminal
from t2i.runtime.cli.version import Version

EXAMPLES = """\b
Examples:
t2i-edit --from "a red bird" --seed 7 "a blue bird"              # what one word changes
t2i-edit --from "a red bird" "a blue bird" "a grey bird" --model attngan-birds --out changes.png
t2i-edit bird.png "a blue bird" --model gancls-birds
t2i-edit bird.png "a blue bird" --model gancls-birds --grid      # beside the picture
t2i-edit bird.png "a red bird" "a grey bird" --model gancls-birds --grid --out row.png

Draw captions in place of another, or in the style of a picture.

--from CAPTION draws that caption and the others from the same noise, all of it held, and writes one
sheet: before, after, and where they differ, the brighter the more. It says how many pixels changed,
by more than 8 of 255 levels in a channel, and by how much all of them did on average. Where the
other caption turns the picture round, as "facing left" may, its mirror image is compared.

Style is what a caption leaves open, such as posture, place and background. A bundle with the graph
`invert`, as GAN-CLS has it, tells from a picture the noise that it would have been drawn from, and
draws the captions from that noise. It looks at the middle of a picture of any size, resized to its
own, and knows such pictures as it draws. Noises that a picture does not tell come from --seed.

Without --out a picture takes a free name in this folder.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PICTURE] CAPTION...",
        help="Whose style is taken, unless --from stands in its place; what to draw.",
        show_default=False,
    ),
]
From = Annotated[
    str | None, typer.Option("--from", metavar="CAPTION", help="What the picture showed before.")
]
Model = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A bundle that can: its name or path; with --from, birds."),
]
Seed = Annotated[
    int, typer.Option(min=0, metavar="N", help="Of the noise, or of what the picture leaves open.")
]
Out = Annotated[Path | None, typer.Option(metavar="X.png", help="The one picture, or the sheet.")]
Grid = Annotated[bool, typer.Option("--grid", help="Put all beside the picture, on one sheet.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what --out names.")]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or tensorrt.")]
Threads = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Of the processor; all by default.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON record a picture on stdout.")]


@app.command(help=EXAMPLES)
def edit(
    words: Words = None,
    *,
    start: From = None,
    model: Model = None,
    seed: Seed = 0,
    out: Out = None,
    grid: Grid = False,
    force: Force = False,
    device: Device = "auto",
    threads: Threads = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    with terminal.explaining_errors():
        # What computes is imported after parsing: --help must not wait for it.
        if start is not None:
            from t2i.runtime.cli import changing

            changing.change(
                changing.Request(
                    start=start,
                    captions=tuple(words or ()),
                    model=model,
                    seed=seed,
                    out=out,
                    grid=grid,
                    force=force,
                    device=device,
                    threads=threads,
                    as_json=as_json,
                )
            )
            return
        from t2i.runtime.cli import editing

        picture, *captions = words or [""]
        editing.edit(
            editing.Request(
                picture=Path(picture),
                captions=tuple(captions),
                model=model,
                seed=seed,
                out=out,
                grid=grid,
                force=force,
                device=device,
                threads=threads,
                as_json=as_json,
            )
        )


def main() -> None:
    app()
