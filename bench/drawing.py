"""The ways to draw AttnGAN's birds that `bench/edge.py` compares, from captions to pixels."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from bench import torch_script
from bench.attngan import Way, as_it_is
from bench.edge import EAGER, OURS, PLAIN, SINGLE
from t2i.export import contents, pages, publish, single_file
from t2i.export.precision import Precision
from t2i.export.trained import Trained, find_run, load
from t2i.runtime import terminal
from t2i.runtime.bundle import Bundle
from t2i.runtime.draw import Painter
from t2i.runtime.errors import T2IError

PRECISIONS: dict[str, Precision] = {
    f"{OURS} --fp32": "fp32",
    OURS: "fp16-stored",
    f"{OURS} --int8": "int8",
}


@dataclass(frozen=True)
class Drawing:
    """One way, on one thread."""

    draw: Way
    path: Path
    bytes: int


def ways(run: Path | None, folder: Path) -> dict[str, Drawing]:
    """All of them; what cannot be exported so is told, and left out.

    Args:
        folder: where bundles and the single file go.
    """
    torch.set_num_threads(1)
    trained = load(find_run("attngan", run))
    made = {PLAIN: plain(trained, folder / "plain.t2i")}
    for name, precision in PRECISIONS.items():
        try:
            request = publish.Request(trained, precision, folder / f"{precision}.t2i")
            made[name] = publish.export(request)
        except T2IError as error:
            if name == OURS:
                raise
            terminal.say(f"{name} is left out: {error}")
    wanted = pages.captions(made[OURS])
    found = {EAGER: eager(trained, wanted)}
    found |= {name: of_bundle(bundle, wanted) for name, bundle in made.items()}
    return found | {SINGLE: single(made[OURS], folder / "single.onnx", wanted)}


def plain(trained: Trained, path: Path) -> Bundle:
    """What PyTorch's exporter makes of the networks as they are."""
    plans = [replace(plan, rewrite=as_it_is) for plan in contents.plans_of(trained)]
    with publish.drafted(path) as draft:
        contents.write(trained, plans, "fp32", draft, lambda note: None)
    return Bundle.load(path)


def eager(trained: Trained, wanted: list[str]) -> Drawing:
    tokenizer = torch_script.reader(trained.run)
    weights = trained.run.weights
    return Drawing(
        repeated(wanted, lambda captions: torch_script.draw(trained, tokenizer, captions)),
        weights,
        weights.stat().st_size,
    )


def of_bundle(bundle: Bundle, wanted: list[str]) -> Drawing:
    painter = Painter(bundle, device="cpu", threads=1)
    return Drawing(
        repeated(wanted, lambda captions: painter.draw(captions, batch_size=len(captions))),
        bundle.archive.path,
        sum(graph.bytes for graph in bundle.manifest.graphs),
    )


def single(bundle: Bundle, path: Path, wanted: list[str]) -> Drawing:
    single_file.write(bundle, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def draw(captions: list[str]) -> object:
        asked = np.array(captions, dtype=object)
        return session.run(["image"], {"caption": asked, "seed": np.arange(len(captions))})

    return Drawing(repeated(wanted, draw), path, path.stat().st_size)


def repeated(wanted: list[str], draw: Callable[[list[str]], object]) -> Way:
    """Draws as many captions as a batch has, the same ones again where these are too few."""

    def way(batch: int) -> None:
        draw((wanted * batch)[:batch])

    return way
