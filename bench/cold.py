"""From process start to PNG: `t2i-run` against a PyTorch script, with the weights that ship.

    python -m bench.cold

Both draw "a red bird" with the same network; what is measured is the whole process.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from t2i.runtime import terminal

ROUNDS = 9
COMMANDS = {
    "t2i-run": [str(Path(sys.executable).parent / "t2i-run"), "a red bird", "--device=cpu"],
    "PyTorch script": [sys.executable, str(Path(__file__).with_name("torch_script.py"))],
}


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
        assert list(Path(folder).glob("*.png")), f"{arguments} drew nothing"
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return seconds, usage.ru_maxrss / unit


def main() -> None:
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for number in range(ROUNDS + 1):
        for name, arguments in COMMANDS.items():
            figures = process(arguments)
            if number:  # the first one fills the disk's cache
                taken[name].append(figures)
    medians = {name: statistics.median(wall for wall, _ in each) for name, each in taken.items()}
    terminal.report(f"process start to PNG, {ROUNDS} rounds")
    rows = [
        (
            name,
            f"{median:.2f} s",
            f"{median / medians['t2i-run']:.2f} ×",
            f"{max(peak for _, peak in taken[name]):.0f} MB",
        )
        for name, median in medians.items()
    ]
    terminal.table(("cold start", "median", "of ours", "peak"), rows)


if __name__ == "__main__":
    main()
