"""AttnGAN on a small machine: every way to draw its birds, side by side.

    python -m bench.edge                                      # the weights that ship
    python -m bench.edge --run runs/attngan/001-birds256      # others
    python -m bench.edge --rounds 31                          # on a noisy machine

| column | tells |
|---|---|
| batch of 1 | milliseconds from a caption to its pixels, noise included, on one thread |
| pictures/s | the same for batches of 8 |
| warm, cold | from process start to PNG: `bench/cold.py` says what these are |
| peak | most memory of that process |
| file | of the graphs or weights that are read |

What is compared runs in turn, round by round, so that a machine that slows down slows all alike;
ratios are of medians. The plain export is what PyTorch makes of the networks as they are, drawn by
the same runtime. The single file is run by a program that knows ONNX Runtime alone. At last,
`--low-memory` beside the usual way, for many pictures.
"""

import multiprocessing
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bench.cold import PYTHON, SCRIPTS, T2I_RUN, process, seconds, starts
from t2i.runtime import terminal

EAGER, PLAIN, OURS, SINGLE = "PyTorch eager", "plain export", "t2i-export", "--single-file"
BATCH = 8
MANY = 24


@dataclass(frozen=True)
class Speed:
    """One way to draw, from captions to pixels."""

    one: float
    """Seconds of a batch of 1."""
    eight: float
    """Seconds of a batch of 8."""
    megabytes: float
    command: tuple[str, ...]
    """Draws one picture in a process of its own."""


def speeds(run: Path | None, folder: Path, rounds: int) -> dict[str, Speed]:
    """Make what is compared, in the folder, and time it. Loads PyTorch."""
    from bench import attngan, drawing

    ways = drawing.ways(run, folder)
    draw = {name: way.draw for name, way in ways.items()}
    one = attngan.interleaved(draw, 1, rounds)
    eight = attngan.interleaved(draw, BATCH, max(3, rounds // 3))
    return {
        name: Speed(one[name], eight[name], way.bytes / 1e6, _command(name, way.path, run))
        for name, way in ways.items()
    }


def _command(name: str, path: Path, run: Path | None) -> tuple[str, ...]:
    if name == EAGER:
        return (*PYTHON, str(SCRIPTS / "torch_script.py"), *([str(run)] if run else []))
    if name == SINGLE:
        return (*PYTHON, str(SCRIPTS / "single_script.py"), str(path))
    return (*T2I_RUN, f"--model={path}")


def tell_memory(command: Sequence[str]) -> None:
    """Many pictures by the same command, which differs in nothing but the memory it may take."""
    terminal.report(f"{MANY} pictures in one process")
    rows = []
    for name, extra in {"usual": [], "--low-memory": ["--low-memory"]}.items():
        wall, peak = process([*command, f"--count={MANY}", "--out=birds", *extra])
        rows.append((name, f"{wall:.1f} s", f"{peak:.0f} MB"))
    terminal.table(("t2i-run", "time", "peak"), rows)


def main(
    run: Annotated[Path | None, typer.Option(help="A run of AttnGAN.")] = None,
    rounds: Annotated[int, typer.Option(min=3, help="Counted rounds of a batch of 1.")] = 15,
) -> None:
    """Compare speeds, starts, memory and sizes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own, because this one starts others: see `starts`.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            found = pool.submit(speeds, run and run.resolve(), folder, rounds).result()
        begun = starts({way: each.command for way, each in found.items()}, folder)
        ours = found[OURS].one
        rows = [
            (
                way,
                f"{1000 * each.one:.0f} ms",
                f"{each.one / ours:.2f} ×",
                f"{BATCH / each.eight:.1f}",
                seconds(begun[way].warm),
                seconds(begun[way].cold),
                f"{begun[way].peak_mb:.0f} MB",
                f"{begun[way].peak_mb / begun[EAGER].peak_mb:.2f} ×",
                f"{each.megabytes:.1f} MB",
            )
            for way, each in found.items()
        ]
        columns = ("one thread", "batch of 1", "of ours", "pictures/s", "warm", "cold", "peak")
        terminal.table((*columns, "of PyTorch", "file"), rows)
        tell_memory(found[OURS].command)


if __name__ == "__main__":
    typer.run(main)
