"""A system's row in the survey: trained for a fixed time, exported, drawn and scored.

    python -m bench.survey row attngan

Trains the preset `birds` at 64 px, in bfloat16, until one CPU core has worked twenty minutes on it
(what it needs is trained before, and not counted), draws the 2,000 test captions and scores them.
What comes of it: `docs/survey/rows/` holds SYSTEM.json, with the scores over time, a sheet of
pictures as SYSTEM.png, and the averaged generator as SYSTEM.safetensors, so that a new score needs
no new training. An interrupted row goes on where it stopped.

Two baselines stand beside it: the mean of all training pictures, and the system's own pictures
beside captions that they were not drawn from.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from safetensors.numpy import load_file, save

from bench import mean_picture
from bench.ship import halved
from t2i.export.pages import captions
from t2i.models.catalog import CATALOG
from t2i.runtime import runs, terminal
from t2i.runtime.bundle import Bundle
from t2i.runtime.errors import UsageError, did_you_mean
from t2i.runtime.pictures import write_whole
from t2i.runtime.score.references import CAPTIONS

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "docs" / "survey" / "rows"
WORK = ROOT / "runs" / "survey"
METRICS = ("attributes", "r-precision", "vs", "clip", "fid", "is", "diversity")
JUDGED = ("fid", "is")
"""Those that see drawn birds with the judge's eyes, not with Inception's."""
MINUTES = (5, 10, 15, 20)
"""When a system is scored; the last is the end."""
TRAINING = ("--preset", "birds", "--precision", "bf16", "--set", "threads=1")
"""One core, so that two rows can be made at a time."""
DRAWING = ("generator.", "transformer.", "decoder.")
"""How the names of weights begin that draw."""
QUICK = 500
"""Pictures of the scores on the way; all test captions at the end."""
SEEDS = 8
"""How often the sheet shows each caption."""

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def survey() -> None:
    """One data set, one budget, one set of scores for every system."""


@app.command()
def row(system: Annotated[str, typer.Argument(help="A system of the catalog that draws.")]) -> None:
    """Train, draw and score one system; then write its row."""
    with terminal.explaining_errors():
        if system not in CATALOG:
            raise UsageError(f"there is no system {system!r}", hint=did_you_mean(system, CATALOG))
        folder = WORK / system
        curve = [point(system, folder, minutes) for minutes in MINUTES]
        written = write(system, folder, curve)
        terminal.report(f"wrote {written}")


def point(system: str, folder: Path, minutes: int) -> dict[str, Any]:
    """The scores after so many minutes of training; those of an earlier call where they exist.

    The last bundle stays, so metrics that came later are added to its scores.
    """
    kept, last = folder / f"scores-{minutes}.json", minutes == MINUTES[-1]
    found: dict[str, Any] = json.loads(kept.read_bytes()) if kept.is_file() else {}
    if not found:
        train(system, folder / "run", 60 * minutes)
        export(system, folder)
        recipe = runs.read_recipe(folder / "run" / runs.RECIPE)
        found = {
            "minutes": round(worked_seconds(folder / "run") / 60, 1),
            "steps": recipe.steps,
            "images_seen": recipe.images_seen,
            "scores": {},
        }
    wanted = [name for name in METRICS if name not in found["scores"]]
    if wanted and (last or not kept.is_file()):
        some = () if last else ("--total", str(QUICK))
        drawn = drawn_by(Bundle.load(folder / f"{system}.t2i"))
        found["scores"] |= score(wanted, [*drawn, *some])
        write_whole(kept, json.dumps(found, ensure_ascii=False).encode())
    return found


def train(system: str, run: Path, seconds: float) -> None:
    """Let the run go on until its core worked so long; what it needs is trained before."""
    if worked_seconds(run) >= seconds or is_finished(run):
        return
    more = ["--resume"] if (run / runs.RECIPE).is_file() else TRAINING
    training = subprocess.Popen([tool("t2i-train"), system, *more, "--out", str(run)])
    while training.poll() is None:
        time.sleep(1)
        if worked_seconds(run) >= seconds:
            training.send_signal(signal.SIGINT)
            training.wait()
    if not (is_finished(run) or worked_seconds(run) >= seconds):
        raise subprocess.CalledProcessError(training.returncode, "t2i-train")


def is_finished(run: Path) -> bool:
    return (run / runs.RECIPE).is_file() and runs.read_recipe(run / runs.RECIPE).finished


def worked_seconds(run: Path) -> float:
    """For how long the core trained, start and preparation left out."""
    return last_logged(run, "processor_seconds")


def last_logged(run: Path, name: str) -> float:
    log = run / "log.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    return float(json.loads(lines[-1])[name]) if lines else 0.0


def export(system: str, folder: Path) -> None:
    bundle = folder / f"{system}.t2i"
    command(["t2i-export", system, "--run", folder / "run", "--out", bundle, "--force"])


def drawn_by(bundle: Bundle) -> list[str]:
    """How to ask for the test captions; what draws classes takes the one that each is near to."""
    near = ["--nearest-class"] if bundle.manifest.condition == "class" else []
    return ["--model", str(bundle.archive.path), *near]


def score(metrics: Sequence[str], arguments: Sequence[str]) -> dict[str, Any]:
    """Results by metric, each with its protocol."""
    judged = [f"--with={name}=birds-features" for name in metrics if name in JUDGED]
    told = command(["t2i-score", ",".join(metrics), *judged, *arguments, "--json"])
    return {each["metric"]: each for each in map(json.loads, told.splitlines())}


def command(words: Sequence[str | Path]) -> str:
    name, *arguments = map(str, words)
    done = subprocess.run([tool(name), *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def shuffled(folder: Path) -> Path:
    """The test captions, each with the facts of another."""
    lines = [json.loads(line) for line in CAPTIONS.read_text(encoding="utf-8").splitlines()]
    half = len(lines) // 2
    turned = zip(lines, lines[half:] + lines[:half], strict=True)
    rows = [json.dumps({"text": one["text"], "facts": other["facts"]}) for one, other in turned]
    path = folder / "shuffled.jsonl"
    write_whole(path, ("\n".join(rows) + "\n").encode())
    return path


def prepared(run: Path) -> dict[str, float | None]:
    """Minutes of training that went before, by system; None where weights came from elsewhere."""
    needs = runs.read_recipe(run / runs.RECIPE).needs
    seconds = {name: last_logged(Path(need.origin), "seconds") for name, need in needs.items()}
    return {name: round(each / 60, 1) if each else None for name, each in seconds.items()}


def draw_sheet(bundle: Bundle, path: Path) -> None:
    """A row of seeds for each caption that shows a bundle."""
    seeds = ["--count", str(SEEDS), "--grid", "--force", "--out", path]
    command(["t2i-run", *captions(bundle), *drawn_by(bundle), *seeds])


def write(system: str, folder: Path, curve: Sequence[Mapping[str, Any]]) -> Path:
    """The row, and the generator it is about."""
    bundle = Bundle.load(folder / f"{system}.t2i")
    cost, training = bundle.manifest.cost, bundle.manifest.training
    assert cost is not None, "exports are measured"
    assert training is not None, "exports come from a training"
    mixed = [*drawn_by(bundle), "--captions", str(shuffled(folder))]
    row = {
        "system": system,
        "source": CATALOG[system].source,
        "parameters": cost.parameters,
        "bundle_bytes": sum(graph.bytes for graph in bundle.manifest.graphs),
        "cpu_ms": cost.cpu_ms,
        "machine": cost.machine,
        "training": " ".join(TRAINING),
        "preset": training.preset,
        "needs": prepared(folder / "run"),
        "curve": curve,
        "baselines": {
            "mean picture": mean_picture.scores(folder / "run"),
            "captions shuffled": score(("attributes",), mixed),
        },
        "command": f"python -m bench.survey row {system}",
    }
    draw_sheet(bundle, ROWS / f"{system}.png")
    save_generator(folder / "run" / runs.WEIGHTS, ROWS / f"{system}.safetensors")
    path = ROWS / f"{system}.json"
    write_whole(path, (json.dumps(row, indent=1, ensure_ascii=False) + "\n").encode())
    return path


def save_generator(weights: Path, path: Path) -> None:
    """The averaged networks that draw, in float16."""
    tensors = load_file(weights)
    kept = {name: value for name, value in tensors.items() if name.startswith(DRAWING)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, save(halved(kept)))


if __name__ == "__main__":
    app()
