"""From process start to PNG: `t2i-run` against a PyTorch script, with the weights that ship.

    python -m bench.cold

Both draw "a red bird" with the same network; what is measured is the whole process. A cold start
finds none of its files in the memory of the system, a warm one all of them. Libraries that another
process holds at the same time stay there, so that cold starts need a quiet machine.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from t2i.runtime import terminal

ROUNDS, COLD_ROUNDS = 9, 3
SCRIPTS = Path(__file__).parent
PYTHON = (sys.executable,)
T2I_RUN = (str(Path(sys.executable).parent / "t2i-run"), "a red bird", "--device=cpu")
COMMANDS = {"t2i-run": T2I_RUN, "PyTorch script": (*PYTHON, str(SCRIPTS / "torch_script.py"))}

LIBRARIES = ("numpy", "onnxruntime", "PIL", "typer", "torch")
READ = ("*.py", "*.pyc", "*.so*", "*.onnx", "*.npz", "*.json", "*.safetensors")
"""What these processes read of them, of this package, and of models."""


@dataclass(frozen=True)
class Start:
    """Medians of whole processes."""

    warm: float
    """Seconds."""
    cold: float | None
    """None where the system cannot be told to forget files."""
    peak_mb: float


def process(arguments: Sequence[str]) -> tuple[float, float]:
    """Seconds and peak megabytes of a whole process, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        started = subprocess.Popen(
            arguments, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(started.pid, 0)
        seconds = time.perf_counter() - begun
        started.returncode = os.waitstatus_to_exitcode(status)
        assert started.returncode == 0, f"{arguments} ended with {started.returncode}"
        assert list(Path(folder).rglob("*.png")), f"{arguments} drew nothing"
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return seconds, usage.ru_maxrss / unit


def starts(commands: Mapping[str, Sequence[str]], models: Path | None = None) -> dict[str, Start]:
    """Each of them round by round, cold ones first.

    Not for a process that has loaded much: what one holds when it starts another counts as that
    one's peak.

    Args:
        models: a folder of further files that are read.
    """
    cold: dict[str, list[float]] = {name: [] for name in commands}
    warm: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    files = list(files_of(models))
    os.sync()  # what is not written yet would not be forgotten
    for _ in range(COLD_ROUNDS) if hasattr(os, "posix_fadvise") else ():
        for name, arguments in commands.items():
            forget(files)
            cold[name].append(process(arguments)[0])
    for number in range(ROUNDS + 1):
        for name, arguments in commands.items():
            figures = process(arguments)
            if number:  # the first one fills the cache of files
                warm[name].append(figures)
    return {
        name: Start(
            statistics.median(seconds for seconds, _ in each),
            statistics.median(cold[name]) if cold[name] else None,
            max(peak for _, peak in each),
        )
        for name, each in warm.items()
    }


def files_of(models: Path | None) -> Iterator[Path]:
    """What a start reads, wherever it lies."""
    site = Path(sysconfig.get_path("purelib"))
    floors = [path.resolve() for path in (SCRIPTS.parent / "t2i").iterdir()]
    for folder in (*(site / name for name in LIBRARIES), *floors, *([models] if models else [])):
        for pattern in READ:
            yield from folder.rglob(pattern)


def forget(files: Iterable[Path]) -> None:
    """Let the system drop what it remembers of files, but for those that are in use."""
    for path in files:
        with contextlib.suppress(OSError), path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def main() -> None:
    found = starts(COMMANDS)
    ours = found["t2i-run"]
    terminal.report(f"process start to PNG, {ROUNDS} rounds")
    rows = [
        (
            name,
            seconds(each.warm),
            f"{each.warm / ours.warm:.2f} ×",
            seconds(each.cold),
            f"{each.peak_mb:.0f} MB",
            f"{each.peak_mb / ours.peak_mb:.2f} ×",
        )
        for name, each in found.items()
    ]
    terminal.table(("start", "warm", "of ours", "cold", "peak", "of ours"), rows)


if __name__ == "__main__":
    main()
