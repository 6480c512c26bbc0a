"""What a bundle costs to run, measured in a process of its own."""

import json
import math
import platform
import subprocess
import sys
from pathlib import Path

import onnx

from t2i.runtime import bundle, terminal
from t2i.runtime.errors import ExportError

RUNS = 5


def measure(draft: Path, manifest: bundle.Manifest) -> bundle.Cost:
    """Run all graphs once each on one example, on one thread, and take the median of five."""
    done = subprocess.run(
        [sys.executable, "-m", "t2i.export.measure", str(draft), str(RUNS)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ExportError(
            f"the bundle does not run: {done.stderr.strip()[-500:]}",
            hint="nothing was written; try --fp32",
        )
    found = json.loads(done.stdout)
    terminal.say(f"{found['cpu_ms']:.0f} ms a picture on one thread")
    return bundle.Cost(
        parameters=sum(_parameters(draft / graph.file) for graph in manifest.graphs),
        bytes=sum(file.stat().st_size for file in draft.iterdir()),
        cpu_ms=found["cpu_ms"],
        peak_mb=found["peak_mb"],
        machine=f"{platform.machine()}, one thread, onnxruntime {found['onnxruntime']}",
    )


def _parameters(path: Path) -> int:
    return sum(math.prod(weight.dims) for weight in onnx.load(path).graph.initializer)
