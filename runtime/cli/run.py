"""`t2i-run`: parse, call, report."""

from pathlib import Path
from typing import Annotated

import typer

from t2i.runtime import terminal
from t2i.runtime.cli.options import Device, Threads
from t2i.runtime.cli.version import Version

EXAMPLES = """\b
Examples:
t2i-run "a red bird"
t2i-run "a red bird" --count 9 --grid           # nine birds on one sheet
t2i-run "a red bird" --seed 7 --out bird.png    # the same seed draws the same picture
t2i-run "a red bird" --stages --attention       # what each stage drew and looked at
t2i-run "a red bird" "a blue bird" --hold noise # one posture, two styles
t2i-run "a red bird" --hold noise --count 8     # one posture and style, eight details
t2i-run --interpolate "a red bird" "a blue bird" --frames 9 --out way.webp
t2i-run "a red bird" --count 32 --rerank birds-clip --keep 4   # the four that match best
t2i-run --model dalle-birds "a red bird" --top-p 0.9 --stages  # after each quarter of the tokens
t2i-run --model dalle-birds "a red bird" --complete bird.png --keep-rows 4  # a new lower half
t2i-run --captions captions.txt --out birds     # thousands; --resume goes on after ctrl-C
t2i-run --model birds --selftest                # does this machine draw as PyTorch did?
t2i-run --model stream-birds --describe bird.png  # what a picture shows, in words
t2i-run --serve                                 # a page to draw on, for this machine alone

Draw captions.

Without --out a picture takes a free name in this folder. Picture k of caption n (both from 0) has
the index n × count + k and the seed --seed plus index. A folder gets index.jsonl, which tells which
picture came from which caption.

--captions reads .txt (a caption a line), .csv (column text or caption), .jsonl (key text or
caption), or - for standard input. What cannot be drawn, an empty line included, keeps its place: it
is named and recorded, the rest is drawn, and the exit status is 1.

--hold NOISE,… draws these noises once, from --seed, for all pictures; an unknown name lists those
that a bundle has (noise: the posture; detail: what a caption leaves open). --interpolate draws the
way between two captions, all noise held: a folder, a row with --grid, or an animation where --out
ends in .png or .webp. Sentences are mixed number by number; words, which have no partners in the
other caption, in the order of both, repeated to a common length.

A bundle that draws classes takes the name of one: t2i-run --model acgan-birds red. Only with
--nearest-class it takes captions too, each for the class that it names, and says for which.

A bundle that draws token by token takes --temperature, --top-k, --top-p and --guidance, which say
how tokens are drawn, and --complete, which begins with those of a picture.

A bundle that was trained on vectors of captions reads none: --embeddings names a file (.npz, .hdf5)
that holds the vector of each caption to draw, under the caption.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Captions = Annotated[
    list[str] | None,
    typer.Argument(metavar="CAPTION...", help="What to draw.", show_default=False),
]
Model = Annotated[str, typer.Option(metavar="NAME", help="A bundle: its name or path.")]
File = Annotated[
    str | None, typer.Option("--captions", metavar="FILE", help="Draw the captions in a file.")
]
Count = Annotated[int, typer.Option(min=1, metavar="N", help="Pictures a caption.")]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Same seed, same picture.")]
Out = Annotated[
    Path | None, typer.Option(metavar="PATH", help="X.png for one picture, else a folder.")
]
Grid = Annotated[bool, typer.Option("--grid", help="Put all on one sheet.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what --out names.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the folder --out names.")]
Stages = Annotated[bool, typer.Option("--stages", help="Save the smaller or earlier stages too.")]
Attention = Annotated[
    bool, typer.Option("--attention", help="Show which word each region looked at.")
]
NearestClass = Annotated[
    bool, typer.Option("--nearest-class", help="Draw captions as the classes they are near to.")
]
VectorFile = Annotated[
    Path | None,
    typer.Option("--embeddings", metavar="FILE", help="Vectors of captions, made elsewhere."),
]
Describe = Annotated[Path | None, typer.Option(metavar="PICTURE", help="Say what a picture shows.")]
Beams = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Beginnings that --describe follows at once; 1 unless said."
    ),
]
Serve = Annotated[bool, typer.Option("--serve", help="Draw for a page in the browser.")]
Port = Annotated[
    int | None,
    typer.Option(min=1, max=65535, metavar="N", help="Of --serve; a free one unless said."),
]
Hold = Annotated[
    str | None, typer.Option(metavar="NOISE,…", help="Noises that all pictures share.")
]
Interpolate = Annotated[
    bool, typer.Option("--interpolate", help="Draw the way from one caption to another.")
]
Frames = Annotated[
    int | None, typer.Option(metavar="N", help="Pictures on that way; 9 by default.")
]
Rerank = Annotated[
    str | None,
    typer.Option(metavar="BUNDLE", help="Keep the pictures that match their caption best."),
]
Keep = Annotated[
    int | None,
    typer.Option(min=1, metavar="K", help="Of a caption's pictures, with --rerank.  [1]"),
]
Temperature = Annotated[
    float | None, typer.Option(metavar="T", help="Of tokens: below 1 the likely ones get likelier.")
]
TopK = Annotated[int | None, typer.Option(metavar="K", help="Draw only the K likeliest tokens.")]
TopP = Annotated[
    float | None,
    typer.Option(metavar="P", help="Draw only the likeliest that are so probable together."),
]
Guidance = Annotated[
    float | None, typer.Option(metavar="S", help="Heed the caption more; 1 is as it was learnt.")
]
Complete = Annotated[
    Path | None, typer.Option(metavar="PICTURE", help="Go on with the upper part of a picture.")
]
KeepRows = Annotated[
    int | None, typer.Option(metavar="N", help="Rows of its tokens to keep; half unless said.")
]
BatchSize = Annotated[int, typer.Option(min=1, metavar="N", help="Pictures at once.")]
LowMemory = Annotated[bool, typer.Option("--low-memory", help="One at a time, keeping nothing.")]
List = Annotated[bool, typer.Option("--list", help="Show the bundles on this machine.")]
SelfTest = Annotated[bool, typer.Option("--selftest", help="Compare this device with PyTorch.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON record a picture on stdout.")]


@app.command(help=EXAMPLES)
def run(
    captions: Captions = None,
    *,
    model: Model = "birds",
    file: File = None,
    count: Count = 1,
    seed: Seed = 0,
    out: Out = None,
    grid: Grid = False,
    force: Force = False,
    resume: Resume = False,
    stages: Stages = False,
    attention: Attention = False,
    nearest_class: NearestClass = False,
    embeddings: VectorFile = None,
    describe: Describe = None,
    beams: Beams = None,
    serve: Serve = False,
    port: Port = None,
    hold: Hold = None,
    interpolate: Interpolate = False,
    frames: Frames = None,
    rerank: Rerank = None,
    keep: Keep = None,
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    guidance: Guidance = None,
    complete: Complete = None,
    keep_rows: KeepRows = None,
    device: Device = "auto",
    threads: Threads = None,
    batch_size: BatchSize = 8,
    low_memory: LowMemory = False,
    show_bundles: List = False,
    selftest: SelfTest = False,
    as_json: Json = False,
    version: Version = False,
) -> None:
    with terminal.explaining_errors():
        # What computes is imported after parsing: --help must not wait for it.
        from t2i.runtime.cli import bundles, describing, drawing, serving
        from t2i.runtime.cli.request import Request, lines_of, names_in, sampling_of

        given = captions is not None or file is not None
        if show_bundles:
            bundles.show(as_json=as_json)
        elif selftest:
            bundles.test(model, device=device, threads=threads, as_json=as_json)
        elif describe is not None or beams is not None:
            how = describing.How(beams, device, threads, as_json)
            describing.tell(describe, model, how, given=given)
        elif serve or port is not None:
            setup = serving.Setup(device, threads, low_memory, nearest_class)
            serving.serve(model, port, setup, given=given)
        else:
            request = Request(
                lines=lines_of(captions, file),
                source=file,
                model=model,
                device=device,
                threads=threads,
                batch_size=1 if low_memory else batch_size,
                low_memory=low_memory,
                seed=seed,
                count=count,
                out=out,
                grid=grid,
                force=force,
                resume=resume,
                stages=stages,
                attention=attention,
                nearest_class=nearest_class,
                embeddings=embeddings,
                hold=names_in(hold),
                interpolate=interpolate,
                frames=frames,
                rerank=rerank,
                keep=keep,
                sampling=sampling_of(temperature, top_k, top_p, guidance),
                complete=complete,
                keep_rows=keep_rows,
                as_json=as_json,
            )
            drawing.draw(request)


def main() -> None:
    app()
