"""AttnGAN at the paper's size: PyTorch, a plain export, and ours, side by side.

    python -m bench.attngan               # ratios at batch 1 and 8, one thread
    python -m bench.attngan --cold        # also process start to picture, and peak memory

Weights are random: only speed is measured. All that is compared runs in turn, round by round, so
that a machine that slows down slows all alike; ratios are of medians.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from t2i.export import attngan as exporter
from t2i.export import check
from t2i.export.plan import Plan
from t2i.export.rewrite import rewrite
from t2i.export.trace import trace
from t2i.export.trained import Trained
from t2i.models import attngan
from t2i.runtime import runs, terminal

WORDS = 18
SIZES = attngan.Settings(vocabulary=5451)  # CUB's dictionary and an unknown word


def network() -> Trained:
    """Random weights at the paper's size, in the place of a run."""
    torch.manual_seed(0)
    networks = attngan.networks(SIZES)
    attngan.initialise(networks["generator"])
    for each in networks.values():
        each.eval().requires_grad_(requires_grad=False)
    return Trained(_Run(), networks, SIZES)


class _Run(runs.Run):
    """What the exporter asks of a run."""

    def __init__(self) -> None:
        super().__init__(Path())

    @property
    def recipe(self) -> runs.Recipe:
        return runs.Recipe(
            schema=runs.SCHEMA,
            version="",
            system="attngan",
            preset="cub",
            settings={},
            network={},
            text=runs.TextSettings(length=WORDS, unknown="drop"),
            classes=(),
            data={},
            needs={},
            images_seen=0,
            steps=0,
            finished=True,
            facing=None,
        )


def drawers(trained: Trained) -> dict[str, Callable[[int], None]]:
    """Each way to draw a batch of captions."""
    text, generator = (
        replace(plan, examples=cache(plan.examples)) for plan in exporter.system(trained).plans
    )

    def eager(batch: int) -> None:
        with torch.inference_mode():
            for plan in (text, generator):
                inputs = plan.examples(batch, "full")
                plan.module(*(inputs[each.name] for each in plan.inputs))

    plain = session_drawer(text, generator, lambda module: module)
    ours = session_drawer(text, generator, rewrite)
    return {"PyTorch eager": eager, "plain export": plain, "ours": ours}


def session_drawer(
    text: Plan, generator: Plan, prepare: Callable[[torch.nn.Module], torch.nn.Module]
) -> Callable[[int], None]:
    sessions = {
        plan.role: check.start(trace(plan, prepare(plan.module))) for plan in (text, generator)
    }

    def draw(batch: int) -> None:
        for plan in (text, generator):
            examples = plan.examples(batch, "full")
            feeds = {each.name: examples[each.name].numpy() for each in plan.inputs}
            sessions[plan.role].run(None, feeds)

    return draw


def interleaved(
    ways: Mapping[str, Callable[[int], None]], batch: int, rounds: int
) -> dict[str, list[float]]:
    """Seconds of each way, taken in turn after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, draw in ways.items():
            before = time.perf_counter()
            draw(batch)
            if number:
                seconds[name].append(time.perf_counter() - before)
    return seconds


def compare(batch: int, rounds: int, ways: Mapping[str, Callable[[int], None]]) -> None:
    seconds = interleaved(ways, batch, rounds)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    terminal.report(f"batch {batch}, one thread, {rounds} rounds")
    rows = [
        (name, f"{1000 * median:.0f} ms", f"{median / medians['ours']:.2f} ×")
        for name, median in medians.items()
    ]
    terminal.table(("way", "median", "of ours"), rows)


def process(arguments: Sequence[str], folder: Path) -> tuple[float, float]:
    """Wall seconds and peak megabytes of a whole process."""
    before = time.perf_counter()
    started = subprocess.Popen(
        arguments, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    assert started.returncode == 0, f"{arguments} ended with {started.returncode}"
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return time.perf_counter() - before, usage.ru_maxrss / unit


def compare_starts(rounds: int) -> None:
    """Process start to PNG, with the weights that ship: `t2i-run` against PyTorch."""
    commands = {
        "t2i-run": [str(Path(sys.executable).parent / "t2i-run"), "a red bird"],
        "PyTorch script": [sys.executable, str(Path(__file__).with_name("torch_script.py"))],
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, arguments in commands.items():
            with tempfile.TemporaryDirectory() as folder:
                figures = process(arguments, Path(folder))
            if number:
                taken[name].append(figures)
    medians = {name: np.median(np.array(each), axis=0) for name, each in taken.items()}
    terminal.report(f"process start to PNG, {rounds} rounds")
    rows = [
        (name, f"{wall:.2f} s", f"{wall / medians['t2i-run'][0]:.2f} ×", f"{peak:.0f} MB")
        for name, (wall, peak) in medians.items()
    ]
    terminal.table(("way", "median", "of ours", "peak"), rows)


def main(
    rounds: Annotated[int, typer.Option(min=3, help="Counted rounds.")] = 15,
    cold: Annotated[bool, typer.Option("--cold", help="Process starts too.")] = False,
) -> None:
    """Compare speeds."""
    torch.set_num_threads(1)
    ways = drawers(network())
    for batch in (1, 8):
        compare(batch, rounds if batch == 1 else max(3, rounds // 4), ways)
    if cold:
        compare_starts(max(5, rounds // 2))


if __name__ == "__main__":
    typer.run(main)
