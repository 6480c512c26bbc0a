"""`t2i-edit`: parse, call, report."""

from pathlib import Path
from typing import Annotated

import typer

from t2i.runtime import terminal
from t2i.runtime.cli.options import Device, Threads
from t2i.runtime.cli.version import Version

EXAMPLES = """\b
Examples:
t2i-edit --from "a red bird" --seed 7 "a blue bird"              # what one word changes
t2i-edit --from "a red bird" "a blue bird" "a grey bird" --model attngan-birds --out changes.png
t2i-edit bird.png "a blue bird" --model cigan-birds              # your picture, edited
t2i-edit bird.png "a blue bird" --model cigan-birds --steps 100 --strength 0.5
t2i-edit bird.png --direction "a red bird" "a blue bird" --model cigan-birds
t2i-edit bird.png --invert --out bird.npz --model cigan-birds    # keep its latent, edit it later
t2i-edit bird.npz other.png --interpolate --out way.webp --model cigan-birds
t2i-edit bird.png "a blue bird" --model gancls-birds             # in the style of your picture
t2i-edit bird.png "a red bird" "a grey bird" --model gancls-birds --grid --out row.png

Edit a picture, draw captions in its style, or draw captions in place of another.

--from CAPTION draws that caption and the others from the same noise, all of it held, and writes one
sheet: before, after, and where they differ, the brighter the more. It says how many pixels changed,
by more than 8 of 255 levels in a channel, and by how much all of them did on average. Where the
other caption turns the picture round, as "facing left" may, its mirror image is compared.

A bundle with the graph `edit`, as CI-GAN has it, tells the latent of a picture and moves it to a
caption, while what is seen in the picture holds it back; --strength says how much. It writes the
picture, what its latent draws, and the result side by side. The loss is shown; where it falls no
more, the steps end. --direction adds to the latent what lies between two captions, at once.
--invert keeps the latent in a file, which then serves in place of the picture; with --steps it
first comes nearer to it, step by step. --interpolate walks between two latents, of pictures or
captions.

Style is what a caption leaves open, such as posture, place and background. A bundle with the graph
`invert`, as GAN-CLS has it, tells from a picture the noise that it would have been drawn from, and
draws the captions from that noise. Noises that a picture does not tell come from --seed.

Bundles look at the middle of a picture of any size, resized to their own, and know such pictures as
they draw.

Without --out a picture takes a free name in this folder.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PICTURE] CAPTION...",
        help="What is edited, unless --from stands in its place; what it becomes.",
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
Steps = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="A latent moves so often; 60 by default."),
]
Strength = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE", help="0 keeps the picture, 1 follows captions; 0.7, or 1 for --direction."
    ),
]
Invert = Annotated[bool, typer.Option("--invert", help="Keep the picture's latent, as X.npz.")]
Direction = Annotated[
    tuple[str, str] | None,
    typer.Option(metavar="FROM TO", help="Move the latent as from one caption to another."),
]
Interpolate = Annotated[
    bool, typer.Option("--interpolate", help="Walk from a picture to another, or to a caption.")
]
Frames = Annotated[int | None, typer.Option(metavar="N", help="Pictures of a walk; 9 by default.")]
Out = Annotated[
    Path | None, typer.Option(metavar="X.png", help="The one picture, sheet or walk; X.npz.")
]
Grid = Annotated[bool, typer.Option("--grid", help="Put all on one sheet, beside the picture.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what --out names.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON record a picture on stdout.")]


@app.command(help=EXAMPLES)
def edit(
    words: Words = None,
    *,
    start: From = None,
    model: Model = None,
    seed: Seed = 0,
    steps: Steps = None,
    strength: Strength = None,
    invert: Invert = False,
    direction: Direction = None,
    interpolate: Interpolate = False,
    frames: Frames = None,
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
        from t2i.runtime.cli.edit_request import Request

        request = Request(
            words=tuple(words or ()),
            start=start,
            model=model,
            seed=seed,
            steps=steps,
            strength=strength,
            invert=invert,
            direction=direction,
            interpolate=interpolate,
            frames=frames,
            out=out,
            grid=grid,
            force=force,
            device=device,
            threads=threads,
            as_json=as_json,
        )
        if start is not None:
            from t2i.runtime.cli import changing

            changing.change(request)
        else:
            from t2i.runtime.cli import editing

            editing.edit(request)


def main() -> None:
    app()
