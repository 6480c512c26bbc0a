"""`t2i-score`: parse, call, report."""

from pathlib import Path
from typing import Annotated

import typer

from t2i.runtime import terminal
from t2i.runtime.cli.options import Device, Threads
from t2i.runtime.cli.version import Version
from t2i.runtime.errors import UsageError

HELP = """\b
Examples:
t2i-score psnr,ssim bird.png other.png          # two pictures
t2i-score psnr,ssim photographs drawings        # two folders, matched by file name
t2i-score ssim photographs drawings --map maps  # and where they are alike
t2i-score fid,kid,is photographs drawings       # two sets; the reference comes first
t2i-score attributes,r-precision,diversity --model birds   # draw and score in one stream
t2i-score fid --model birds --with fid=birds-features   # drawn birds beside rendered ones
t2i-score attributes --model birds --captions test.jsonl --total 2000 --json
t2i-score edit --model birds --total 100        # does one word change what it names, and only that?
t2i-score ssim photographs drawings --report out.html   # curves, best and worst, on one page

Score pictures.

\b
psnr         pairs: decibels, inf for equal pictures
ssim         pairs: 1 for equal pictures
ms-ssim      pairs: ssim at five scales; needs 161 pixels on each side
fid          sets: distance of features, 0 for equal sets
kid          sets: the same without bias, about 0 for equal sets
prdc         sets: precision and recall, density and coverage
is           one set: 1 to the number of kinds; more is better
attributes   pictures and captions: share of what is said that a judge sees
r-precision  pictures and captions: share that finds its own among 100
vs           pictures and captions: mean similarity to their own, -1 to 1
clip         pictures and captions: 100 times the cosine in the space of a CLIP
diversity    --model only: distance of features between pictures of one caption
edit         --model only: share that stays outside of what a changed word names, if it shows

Of two folders, metrics of pairs compare pictures with the same file name; what has no partner is
named and left out, or an error with --strict. Nothing is resized. The other metrics see each
picture of a folder or, with --model, each picture as it is drawn: nothing is written to disk. A
bundle of drawn birds draws its own 2,000 test captions unless --captions names others: lines of a
.jsonl may tell in `facts` what a caption states, which attributes needs. Captions of a folder come
from t2i-run, or from a metadata.jsonl in it: {"file_name": "1.png", "text": "a red bird"}.

edit draws captions of its own, 500 at most, before and after one word is changed, from the same
noise; --total says how many of them.

Each set is a folder, a .zip or .tar of pictures, shards such as data-{000..099}.tar, or a .txt with
a path a line; or an address of any of these, such as s3://bucket/set. What cannot be read is left
out and named. --protocol does all as a package or paper does. Score large sets with --resume: what
was seen is kept, so that after an interruption the same command goes on, and another metric need
not look again; and on many machines by --engine ray, which finds the same digits.

For fid, REAL may be an .npz of statistics with mu and sigma. fid, kid, prdc and is look with the
bundle inception, which you make once: t2i-export --help says how. --with METRIC=BUNDLE chooses
another network. Compare numbers only where networks, protocols and counts are the same.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Metrics = Annotated[str, typer.Argument(metavar="METRICS", help="With commas between them.")]
Real = Annotated[
    str | None,
    typer.Argument(
        metavar="[REAL]", help="Picture, folder or .npz: the reference.", show_default=False
    ),
]
Fake = Annotated[
    str | None,
    typer.Argument(
        metavar="[FAKE]",
        help="Picture or folder; alone where no reference is needed.",
        show_default=False,
    ),
]
Model = Annotated[
    str | None, typer.Option(metavar="NAME", help="Draw with this bundle in place of FAKE.")
]
Captions = Annotated[
    str | None, typer.Option(metavar="FILE", help="What to draw: .txt, .csv or .jsonl.")
]
Total = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Pictures to draw; one a caption by default.")
]
NearestClass = Annotated[
    bool, typer.Option("--nearest-class", help="Draw captions as the classes they are near to.")
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Of picture 0, and of candidates.")]
With = Annotated[
    list[str] | None,
    typer.Option("--with", metavar="METRIC=BUNDLE", help="Which bundle looks at the pictures."),
]
Against = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Compare with what --json printed before.")
]
Statistics = Annotated[
    Path | None,
    typer.Option(metavar="FILE.npz", help="Write those of REAL, to be REAL another time."),
]
Protocol = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="tf, pytorch-fid (default), clean, stackgan, attngan or dmgan."
    ),
]
Bootstrap = Annotated[
    int | None,
    typer.Option(min=2, metavar="N", help="95 % of fid, is and kid, from N draws of pictures."),
]
Extrapolate = Annotated[
    bool,
    typer.Option("--extrapolate", help="Follow fid to sets without end, where it has no bias."),
]
Subset = Annotated[
    int | None, typer.Option(min=2, metavar="N", help="Pictures of each subset of kid: 1000.")
]
Confusion = Annotated[
    Path | None,
    typer.Option(metavar="FILE.png", help="Draw which main colour was said, which was seen."),
]
Luma = Annotated[bool, typer.Option("--luma", help="Of pairs: compare grey levels.")]
Maps = Annotated[
    Path | None, typer.Option("--map", metavar="FOLDER", help="Draw where pairs are alike.")
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", help="Refuse what cannot be read, has no partner, or has words to be cut."
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Keep what networks see; go on from what was kept.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Threads that decode; all by default.")
]
BatchSize = Annotated[int, typer.Option(min=1, metavar="N", help="Pictures drawn at once.")]
Engine = Annotated[
    str, typer.Option(metavar="NAME", help="local, or ray: on all machines of a cluster.")
]
Report = Annotated[
    Path | None, typer.Option(metavar="FILE.html", help="Show it all on one page, for a browser.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON record a metric.")]


@app.command(help=HELP)
def score(
    metrics: Metrics,
    real: Real = None,
    fake: Fake = None,
    *,
    model: Model = None,
    captions: Captions = None,
    total: Total = None,
    nearest_class: NearestClass = False,
    seed: Seed = 0,
    against: Against = None,
    statistics: Statistics = None,
    protocol: Protocol = None,
    bootstrap: Bootstrap = None,
    extrapolate: Extrapolate = False,
    subset: Subset = None,
    bundles: With = None,
    confusion: Confusion = None,
    luma: Luma = False,
    maps: Maps = None,
    strict: Strict = False,
    resume: Resume = False,
    device: Device = "auto",
    threads: Threads = None,
    workers: Workers = None,
    batch_size: BatchSize = 8,
    engine: Engine = "local",
    report: Report = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    with terminal.explaining_errors():
        # What computes is imported after parsing: --help must not wait for it.
        from t2i.runtime.cli.score_request import Request
        from t2i.runtime.cli.scoring import score
        from t2i.runtime.score.locations import location

        score(
            Request(
                metrics=tuple(metrics.split(",")),
                real=None if real is None else location(real),
                fake=None if fake is None else location(fake),
                model=model,
                captions=captions,
                total=total,
                nearest_class=nearest_class,
                seed=seed,
                against=against,
                statistics=statistics,
                protocol=protocol,
                bootstrap=bootstrap,
                extrapolate=extrapolate,
                subset=subset,
                bundles=dict(map(_pair, bundles or ())),
                confusion=confusion,
                luma=luma,
                maps=maps,
                strict=strict,
                resume=resume,
                device=device,
                threads=threads,
                workers=workers,
                batch_size=batch_size,
                engine=engine,
                report=report,
                as_json=as_json,
            )
        )


def _pair(text: str) -> tuple[str, str]:
    metric, equals, bundle = text.partition("=")
    if not (metric and equals and bundle):
        raise UsageError(f"--with {text} is no pair", hint="such as --with fid=birds-features")
    return metric, bundle


def main() -> None:
    app()
