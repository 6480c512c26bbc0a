"""Time the graphs of one bundle: `python -m t2i.export.measure BUNDLE RUNS`.

A process of its own, so that its peak memory is the bundle's and not the exporter's.
"""

import resource
import statistics
import sys
import time
from pathlib import Path


def main(folder: str, runs: str) -> None:
    """Print milliseconds and peak megabytes as one JSON record."""
    import onnxruntime

    from t2i.runtime import terminal
    from t2i.runtime.bundle import Bundle
    from t2i.runtime.proof import read_arrays
    from t2i.runtime.sessions import open_session

    bundle = Bundle.load(Path(folder))
    proof = read_arrays(bundle.read(bundle.manifest.proof.file), bundle.manifest.proof.file)
    ready = []
    for graph in bundle.manifest.graphs:
        session = open_session(bundle, graph.role, device="cpu", threads=1)
        feeds = {each.name: proof[f"{graph.role}.in.{each.name}"][:1] for each in graph.inputs}
        ready.append((session, feeds, [each.name for each in graph.outputs]))
    seconds = []
    for _ in range(1 + int(runs)):
        before = time.perf_counter()
        for session, feeds, outputs in ready:
            session.run(feeds, outputs)
        seconds.append(time.perf_counter() - before)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 2**20 if sys.platform == "darwin" else 2**10
    terminal.print_json(
        {
            "cpu_ms": 1000 * statistics.median(seconds[1:]),
            "peak_mb": peak / unit,
            "onnxruntime": onnxruntime.__version__,
        }
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
