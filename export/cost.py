"""What a bundle costs to run, measured in a process of its own: not the exporter's memory.

That process is this module, `python -m t2i.export.cost BUNDLE`; it imports what drawing needs.
"""

import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from t2i.runtime import terminal
from t2i.runtime.bundle import Bundle, Cost
from t2i.runtime.errors import ExportError
from t2i.runtime.proof import first_of, read_arrays
from t2i.runtime.sessions import open_session

RUNS = 5
DRAWING = ("text", "mapping", "generator", "prefill", "step", "pixels")
CPUINFO, STATUS = Path("/proc/cpuinfo"), Path("/proc/self/status")


def measure(folder: Path, parameters: int) -> Cost:
    """Run the graphs that draw, or in a bundle that does not all, for one picture, on one thread;
    the median of five runs of each, which counts for as many as a picture takes.

    Raises:
        ExportError: they do not run.
    """
    done = subprocess.run(
        [sys.executable, "-m", "t2i.export.cost", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        *_, why = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ExportError(
            f"the bundle does not run: {why[-300:]}",
            hint="nothing was written; try again with more memory free",
        )
    found = json.loads(done.stdout)
    return Cost(
        parameters=parameters,
        bytes=sum(file.stat().st_size for file in folder.iterdir()),
        cpu_ms=found["cpu_ms"],
        peak_mb=found["peak_mb"],
        machine=f"{_processor()}, 1 thread, ONNX Runtime {found['onnxruntime']}",
    )


def peak_mb() -> float:
    """Most memory that this process has held since it began.

    Where Linux tells it for the program alone, that is taken: what `getrusage` says includes the
    process that started it.
    """
    if STATUS.exists():
        (line,) = (each for each in STATUS.read_text().splitlines() if each.startswith("VmHWM:"))
        return int(line.split()[1]) / 1000
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _processor() -> str:
    if CPUINFO.exists():
        for line in CPUINFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _main(folder: str) -> None:
    import onnxruntime

    bundle = Bundle.load(Path(folder))
    proof = read_arrays(bundle.read(bundle.manifest.proof.file), bundle.manifest.proof.file)
    sessions, cpu_s = [], 0.0
    for graph in bundle.manifest.graphs:
        if bundle.manifest.draws and graph.role not in DRAWING:
            continue
        session = open_session(bundle, graph.role, device="cpu", threads=1)
        feeds = {
            each.name: first_of(proof[f"{graph.role}.in.{each.name}"], each)
            for each in graph.inputs
        }
        sessions.append(session)  # all stay open, as while a picture is drawn
        seconds = []
        for _ in range(1 + RUNS):  # the first one allocates
            begun = time.perf_counter()
            session.run(feeds, [each.name for each in graph.outputs])
            seconds.append(time.perf_counter() - begun)
        times = graph.inputs[-1].shape[0] if graph.role == "step" else 1  # once for each token
        cpu_s += int(times) * statistics.median(seconds[1:])
    terminal.print_json(
        {
            "cpu_ms": round(1000 * cpu_s, 1),
            "peak_mb": round(peak_mb(), 1),
            "onnxruntime": onnxruntime.__version__,
        }
    )


if __name__ == "__main__":
    _main(*sys.argv[1:])
