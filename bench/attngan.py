"""AttnGAN at the paper's size: PyTorch, a plain export, ours in 32 and in 8 bits; then processes.

    python -m bench.attngan               # one thread, batches of 1 and 8, then bench.cold
    python -m bench.attngan --rounds 31   # on a noisy machine
    python -m bench.attngan dmgan         # a system that extends it; one thread, batch of 1

Weights are random: only speed is measured, from the tokens of captions of 18 words to pictures of
256 px. All that is compared runs in turn, round by round, so that a machine that slows down slows
all alike; ratios are of medians.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated

import onnx
import onnxruntime
import torch
import typer

from t2i.export import eight
from t2i.export.check import arrays, expected, start
from t2i.export.contents import plans_of
from t2i.export.fitting import UNASKED
from t2i.export.plan import Plan
from t2i.export.trace import trace
from t2i.export.trained import Trained
from t2i.models import attngan
from t2i.runtime import runs, terminal
from t2i.runtime.records import dumps, encode
from t2i.runtime.text import word_tokenizer

WORDS = 18
VOCABULARY = 5449  # words of CUB's captions; the padding and the unknown word come on top
SIZES = attngan.Settings(vocabulary=VOCABULARY + 2)

Way = Callable[[int], None]
"""Draws a batch of this many captions."""


def network(folder: Path, system: str = "attngan") -> Trained:
    """Random weights at the paper's size, in place of a run."""
    models = import_module(f"t2i.models.{system}")
    sizes = models.Settings(vocabulary=SIZES.vocabulary)
    recipe = runs.Recipe(
        schema=runs.SCHEMA,
        version="",
        system=system,
        preset="cub",
        settings={},
        network=encode(sizes),
        text=runs.TextSettings(length=WORDS, unknown="drop"),
        classes=(),
        data={},
        needs={},
        images_seen=0,
        steps=0,
        finished=True,
        facing=None,
    )
    (folder / runs.RECIPE).write_text(dumps(recipe), encoding="utf-8")
    torch.manual_seed(0)
    networks = models.networks(sizes)
    attngan.initialise(networks["generator"])
    for each in networks.values():
        each.eval().requires_grad_(requires_grad=False)
    tokenizer = word_tokenizer([f"word{number}" for number in range(VOCABULARY)])
    return Trained(runs.Run(folder), sizes, networks, tokenizer)


def ways(trained: Trained) -> dict[str, Way]:
    """Each way to draw, from tokens to pictures, on one thread."""
    plans = [replace(plan, examples=cache(plan.examples)) for plan in plans_of(trained)]

    def eager(batch: int) -> None:
        with torch.inference_mode():
            for plan in plans:
                expected(plan, plan.examples(batch, "full"))

    ours = {plan.role: trace(plan) for plan in plans}
    host = import_module(f"t2i.export.{trained.recipe.system}").host(trained)
    rounded = eight.generator(trained, plans, ours, host, UNASKED).model
    plain = {plan.role: trace(replace(plan, rewrite=as_it_is)) for plan in plans}
    return {
        "PyTorch eager": eager,
        "plain export": graphs(plans, plain),
        "t2i-export": graphs(plans, ours),
        "t2i-export --int8": graphs(plans, {**ours, eight.DRAWING: rounded}),
    }


def as_it_is(module: torch.nn.Module) -> torch.nn.Module:
    return module


def graphs(plans: list[Plan], models: Mapping[str, onnx.ModelProto]) -> Way:
    sessions: list[onnxruntime.InferenceSession] = [start(models[plan.role], 1) for plan in plans]

    def draw(batch: int) -> None:
        for plan, session in zip(plans, sessions, strict=True):
            session.run(None, dict(arrays(plan.examples(batch, "full"))))

    return draw


def interleaved(ways: Mapping[str, Way], batch: int, rounds: int) -> dict[str, float]:
    """Median seconds of each way, all taken in turn after a round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, draw in ways.items():
            begun = time.perf_counter()
            draw(batch)
            if number:
                seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(each) for name, each in seconds.items()}


def compare(ways: Mapping[str, Way], batch: int, rounds: int) -> None:
    medians = interleaved(ways, batch, rounds)
    ours = medians["t2i-export"]
    terminal.report(f"captions of {WORDS} words to 256 px, batch of {batch}, {rounds} rounds")
    rows = [
        (name, f"{1000 * median:.0f} ms", f"{median / ours:.2f} ×")
        for name, median in medians.items()
    ]
    terminal.table(("one thread", "median", "of ours"), rows)


def main(
    system: Annotated[str, typer.Argument(help="AttnGAN, or what extends it.")] = "attngan",
    rounds: Annotated[int, typer.Option(min=3, help="Counted rounds at batch 1.")] = 15,
) -> None:
    """Compare speeds."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        compared = ways(network(Path(folder), system))
    compare(compared, 1, rounds)
    if system != "attngan":
        return
    compare(compared, 8, max(3, rounds // 3))
    # Not from here: what a process holds when it starts another counts as that one's peak.
    subprocess.run([sys.executable, "-m", "bench.cold"], check=True)


if __name__ == "__main__":
    typer.run(main)
