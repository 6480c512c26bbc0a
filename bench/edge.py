"""A bundle and the same as one file: milliseconds of a picture, and megabytes.

    python -m bench.edge                          # birds, one thread, batches of 1 and 8
    python -m bench.edge --model attngan-cub      # another bundle
    python -m bench.edge --rounds 31              # on a noisy machine

Both go from captions to pixels, all noise included. They run in turn, round by round, so that a
machine that slows down slows both; ratios are of medians.
"""

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import onnxruntime
import typer

from bench.attngan import Way, interleaved
from t2i.export import single_file
from t2i.export.pages import captions
from t2i.runtime import places, terminal
from t2i.runtime.bundle import Bundle
from t2i.runtime.draw import Painter

BATCHES = (1, 8)


def bundle_way(bundle: Bundle, wanted: list[str]) -> Way:
    painter = Painter(bundle, device="cpu", threads=1)

    def draw(batch: int) -> None:
        painter.draw((wanted * batch)[:batch], batch_size=batch)

    return draw


def single_way(path: Path, wanted: list[str]) -> Way:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def draw(batch: int) -> None:
        asked = np.array((wanted * batch)[:batch], dtype=object)
        session.run(None, {"caption": asked, "seed": np.arange(batch)})

    return draw


def main(
    model: Annotated[str, typer.Option(help="A bundle that draws captions.")] = "birds",
    rounds: Annotated[int, typer.Option(min=3, help="Counted rounds.")] = 15,
) -> None:
    """Compare speeds and sizes."""
    bundle = Bundle.load(places.find(model))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "single.onnx"
        single_file.write(bundle, path)
        sizes = {
            "bundle": sum(graph.bytes for graph in bundle.manifest.graphs) / 1e6,
            "single file": path.stat().st_size / 1e6,
        }
        wanted = captions(bundle)
        ways = {"bundle": bundle_way(bundle, wanted), "single file": single_way(path, wanted)}
    for batch in BATCHES:
        medians = interleaved(ways, batch, rounds)
        terminal.report(f"{bundle.name}, batch of {batch}, {rounds} rounds")
        rows = [
            (
                name,
                f"{1000 * median:.0f} ms",
                f"{median / medians['bundle']:.2f} ×",
                f"{sizes[name]:.1f} MB",
            )
            for name, median in medians.items()
        ]
        terminal.table(("one thread", "median", "of the bundle", "graphs"), rows)


if __name__ == "__main__":
    typer.run(main)
