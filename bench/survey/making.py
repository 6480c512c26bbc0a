"""How a row is made: a system is trained for a fixed time, exported, drawn and scored.

The preset `birds` at 64 px learns in bfloat16 until one CPU core has worked twenty minutes on it;
what it needs is trained before, and not counted. Then it draws the 2,000 test captions. What comes
of it: `docs/survey/rows/` holds NAME.json, with the scores over time, a sheet of pictures as
NAME.png and, of a whole system, the averaged generator as NAME.safetensors, so that a new score
needs no new training. An interrupted row goes on where it stopped.

Two baselines stand beside it: the mean of all training pictures, and the system's own pictures
beside captions that they were not drawn from. What draws nothing is asked to find the captions of
rendered pictures instead; there the baseline is chance.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save

from bench.ship import halved
from bench.survey import code, mean_picture
from bench.survey.subjects import Subject
from t2i.export.pages import CAPTIONS as SHOWN
from t2i.export.pages import captions
from t2i.models.catalog import CATALOG
from t2i.runtime import runs
from t2i.runtime.bundle import Bundle
from t2i.runtime.pictures import write_whole
from t2i.runtime.score.references import CAPTIONS
from t2i.runtime.score.retrieval import CANDIDATES

ROOT = Path(__file__).resolve().parents[2]
ROWS = ROOT / "docs" / "survey" / "rows"
WORK = ROOT / "runs" / "survey"
CODE, REMARK, LOG = "code.json", "remark.txt", "log.jsonl"
"""In the folder of work: by which code it was begun, and what somebody noted of its training. In
that of the training: what it logs."""
METRICS = ("attributes", "r-precision", "vs", "clip", "fid", "is", "diversity")
RETRIEVAL = ("r-precision",)
"""Of what draws nothing: which caption a rendered picture was made for."""
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


def make(subject: Subject) -> Path:
    """Train, draw and score; then write the row."""
    folder = WORK / subject.name
    if not folder.exists():
        now = json.dumps(code.of(subject.system)).encode()
        folder.mkdir(parents=True)
        write_whole(folder / CODE, now)
    draws = CATALOG[subject.system].family != "matching"
    curve = [point(subject, folder, minutes) for minutes in (MINUTES if draws else MINUTES[-1:])]
    return write(subject, folder, curve)


def point(subject: Subject, folder: Path, minutes: int) -> dict[str, Any]:
    """The scores after so many minutes of training; those of an earlier call where they exist.

    The last bundle stays, so metrics that came later are added to its scores.
    """
    system = subject.system
    kept, last = folder / f"scores-{minutes}.json", minutes == MINUTES[-1]
    found: dict[str, Any] = json.loads(kept.read_bytes()) if kept.is_file() else {}
    if not found:
        run = folder / "run"
        train(system, run, lambda: worked_seconds(run) >= 60 * minutes, lacking(subject, folder))
        export(system, folder)
        recipe = runs.read_recipe(run / runs.RECIPE)
        found = {
            "minutes": round(worked_seconds(run) / 60, 1),
            "steps": recipe.steps,
            "images_seen": recipe.images_seen,
            "scores": {},
        }
    if last or not kept.is_file():
        metrics, pictures = asked(Bundle.load(folder / f"{system}.t2i"), folder)
        some = () if last else ("--total", str(QUICK))
        if wanted := [name for name in metrics if name not in found["scores"]]:
            found["scores"] |= score(wanted, [*pictures, *some])
            write_whole(kept, json.dumps(found, ensure_ascii=False).encode())
    return found


def lacking(subject: Subject, folder: Path) -> list[str]:
    """How `t2i-train` is told what to leave out; what has to lack it beforehand is trained."""
    told = [f"--set={each}" for each in subject.ablation.settings]
    for need, settings in subject.ablation.of_needs.items():
        run = folder / need
        train(need, run, lambda: False, [f"--set={each}" for each in settings])
        told.append(f"--with={need}={run}")
    return told


def train(system: str, run: Path, enough: Callable[[], bool], further: Sequence[str] = ()) -> None:
    """Let the run go on until that is enough or it ends; what it needs is trained before."""
    if enough() or is_finished(run):
        return
    more = ["--resume"] if (run / runs.RECIPE).is_file() else [*TRAINING, *further]
    training = subprocess.Popen([tool("t2i-train"), system, *more, "--out", str(run)])
    while training.poll() is None:
        time.sleep(1)
        if enough():
            training.send_signal(signal.SIGINT)
            training.wait()
    if not (enough() or is_finished(run)):
        raise subprocess.CalledProcessError(training.returncode, "t2i-train")


def is_finished(run: Path) -> bool:
    return (run / runs.RECIPE).is_file() and runs.read_recipe(run / runs.RECIPE).finished


def worked_seconds(run: Path) -> float:
    """For how long the core trained, start and preparation left out.

    What was trained before that was logged is taken by the clock.
    """
    log = run / LOG
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    last = json.loads(lines[-1]) if lines else {"seconds": 0.0}
    return float(last["processor_seconds" if "processor_seconds" in last else "seconds"])


def export(system: str, folder: Path) -> None:
    bundle = folder / f"{system}.t2i"
    command(["t2i-export", system, "--run", folder / "run", "--out", bundle, "--force"])


def asked(bundle: Bundle, folder: Path) -> tuple[Sequence[str], list[str]]:
    """The metrics that make sense for a bundle, and how to ask `t2i-score` for its pictures."""
    if bundle.manifest.draws:
        return METRICS, drawn_by(bundle)
    return RETRIEVAL, [str(rendered(folder)), f"--with=r-precision={bundle.archive.path}"]


def rendered(folder: Path) -> Path:
    """The birds of the test captions, as the renderer draws them."""
    birds = folder / "rendered"
    if not birds.is_dir():
        some = ["--split", "test", "--set", f"count={len(lines_of_captions())}", "--set", "px=64"]
        command(["t2i-train", "clip", "--preset", "birds", "--write-data", birds, *some])
    return birds


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


def lines_of_captions() -> list[str]:
    return CAPTIONS.read_text(encoding="utf-8").splitlines()


def shuffled(folder: Path) -> Path:
    """The test captions, each with the facts of another."""
    lines = [json.loads(line) for line in lines_of_captions()]
    half = len(lines) // 2
    turned = zip(lines, lines[half:] + lines[:half], strict=True)
    rows = [json.dumps({"text": one["text"], "facts": other["facts"]}) for one, other in turned]
    path = folder / "shuffled.jsonl"
    write_whole(path, ("\n".join(rows) + "\n").encode())
    return path


def prepared(run: Path) -> dict[str, float | None]:
    """Minutes of training that went before, by system; None where weights came from elsewhere."""
    found: dict[str, float | None] = {}
    for name, need in runs.read_recipe(run / runs.RECIPE).needs.items():
        origin = Path(need.origin)
        if seconds := worked_seconds(origin):
            found |= prepared(origin)
        found[name] = round(seconds / 60, 1) if seconds else None
    return found


def draw_sheet(bundle: Bundle, path: Path) -> None:
    """A row of seeds for each caption that shows a bundle."""
    seeds = ["--count", str(SEEDS), "--grid", "--force", "--out", path]
    command(["t2i-run", *shown_by(bundle), *drawn_by(bundle), *seeds])


def shown_by(bundle: Bundle) -> Sequence[str]:
    """The same captions for all; what draws classes takes them for some."""
    return SHOWN if bundle.manifest.condition == "class" else captions(bundle)


def write(subject: Subject, folder: Path, curve: Sequence[Mapping[str, Any]]) -> Path:
    """The row, and the generator it is about."""
    bundle = Bundle.load(folder / f"{subject.system}.t2i")
    cost, training = bundle.manifest.cost, bundle.manifest.training
    assert cost is not None, "exports are measured"
    assert training is not None, "exports come from a training"
    row = {
        "system": subject.system,
        "without": subject.without,
        "source": CATALOG[subject.system].source,
        "condition": bundle.manifest.condition,
        "parameters": cost.parameters,
        "bundle_bytes": sum(graph.bytes for graph in bundle.manifest.graphs),
        "cpu_ms": cost.cpu_ms,
        "machine": cost.machine,
        "training": " ".join(TRAINING),
        "left_out_by": {subject.system: subject.ablation.settings, **subject.ablation.of_needs},
        "preset": training.preset,
        "needs": prepared(folder / "run"),
        "curve": curve,
        "baselines": baselines(bundle, folder),
        "code": json.loads(noted(folder, CODE) or "{}"),
        "remark": noted(folder, REMARK),
        "command": subject.command,
    }
    if bundle.manifest.draws:
        draw_sheet(bundle, ROWS / f"{subject.name}.png")
        if not subject.without:
            save_generator(folder / "run" / runs.WEIGHTS, ROWS / f"{subject.name}.safetensors")
    return write_row(row, ROWS / f"{subject.name}.json")


def write_row(row: Mapping[str, Any], path: Path) -> Path:
    write_whole(path, (json.dumps(row, indent=1, ensure_ascii=False) + "\n").encode())
    return path


def baselines(bundle: Bundle, folder: Path) -> dict[str, Any]:
    """What any system must beat."""
    if not bundle.manifest.draws:
        return {"chance": {"r-precision": {"value": 1 / CANDIDATES}}}
    mixed = [*drawn_by(bundle), "--captions", str(shuffled(folder))]
    return {
        "mean picture": mean_picture.scores(folder / "run"),
        "captions shuffled": score(("attributes",), mixed),
    }


def noted(folder: Path, name: str) -> str:
    path = folder / name
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def save_generator(weights: Path, path: Path) -> None:
    """The averaged networks that draw, in float16."""
    tensors = load_file(weights)
    kept = {name: value for name, value in tensors.items() if name.startswith(DRAWING)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, save(halved(kept)))
