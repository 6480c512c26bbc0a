"""Engines built by TensorRT itself, for programs that run them without ONNX Runtime.

They are made of the graphs of a bundle and lie in the user's cache, each beside a `key.json`: what
it was made of and for, and its hash. TensorRT-RTX, whose interface is the same, builds for any RTX
card on a machine that has none; it is taken where TensorRT is not installed.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import onnx
import torch

from t2i.export import check, engine
from t2i.export.limits import Limits
from t2i.export.parsable import parsable
from t2i.runtime import card, shapes
from t2i.runtime.bundle import Bundle, Graph
from t2i.runtime.engines import Shelf
from t2i.runtime.errors import ExportError
from t2i.runtime.proof import first_of, gap, read_arrays
from t2i.runtime.sessions import Arrays
from t2i.runtime.shapes import Profile

LIBRARIES = ("tensorrt", "tensorrt_rtx")
LEAST_VERSION = 10  # from which on an engine computes in the types that its graph says
PROFILES = ((1, 1, 1), (2, 4, 4), (5, 16, 16))
"""Least, usual and greatest: kernels of their own for each of `shapes.BATCHES`."""
PROVEN = 1  # the profile of a proof, which shows two pictures
ALONE = ((1, 1, 1),)  # of the deep learning accelerator, which knows one shape only


@dataclass(frozen=True)
class Built:
    """An engine that lies in the cache."""

    role: str
    file: Path
    bytes: int
    worst: float | None
    """Greatest difference from PyTorch, as the manifest's check; None: no card could run it."""


def find_library() -> Any:
    """TensorRT, else TensorRT-RTX.

    Raises:
        ExportError: neither is installed, or it is too old.
    """
    for name in LIBRARIES:
        try:
            found: Any = import_module(name)
        except ImportError:
            continue
        if name == LIBRARIES[0] and int(found.__version__.partition(".")[0]) < LEAST_VERSION:
            raise ExportError(
                f"TensorRT {found.__version__} is too old to build these engines",
                hint=f"install {LEAST_VERSION} or newer, or draw with `t2i-run --device tensorrt`",
            )
        return found
    raise ExportError(
        "TensorRT is not installed",
        hint="pip install 't2i[tensorrt]', or where there is no card: pip install tensorrt-rtx",
    )


def build(bundle: Bundle, library: Any, limits: Limits) -> Iterator[Built]:
    """Build, compare with the proof, and keep an engine of each graph, one after the other.

    Raises:
        ExportError: a graph cannot be built, or what is built differs from PyTorch; or weights lie
            beside the graphs.
        DeviceError: there is no card, or no such accelerator.
        OSError: the cache cannot be written.
    """
    if bundle.manifest.weights:
        raise ExportError(
            f"the weights of {bundle.name} lie beside its graphs, of which engines are made",
            hint="draw with `t2i-run --device cuda`",
        )
    arrays = read_arrays(bundle.read(bundle.manifest.proof.file), bundle.manifest.proof.file)
    timings = Shelf("timings", _machine(library), "*.timing")
    for graph in bundle.manifest.graphs:
        proof = Proof.of(graph, arrays, alone=limits.dla is not None)
        data = prepared(bundle, graph)
        session = check.start(onnx.load_from_string(data), threads=1)
        found = session.run(list(proof.outputs), proof.inputs)
        _refuse(bundle, graph, proof.worst(dict(zip(proof.outputs, found, strict=True)), bundle))

        profiles = profiles_of(bundle, graph, limits)
        learnt = timings.read().get("builder.timing", b"")
        made, learnt = engine.build(library, data, profiles, limits, learnt)
        worst = None
        if torch.cuda.is_available():
            number = PROVEN if limits.dla is None else 0
            worst = proof.worst(engine.run(library, made, graph, proof.inputs, number), bundle)
            _refuse(bundle, graph, worst)
        shelf = Shelf(
            f"{bundle.name}-{graph.role}", key(bundle, graph, library, limits), "*.engine"
        )
        shelf.publish({f"{graph.role}.engine": made})
        if learnt:
            with contextlib.suppress(OSError):  # they only save time
                timings.publish({"builder.timing": learnt})
        yield Built(graph.role, shelf.folder / f"{graph.role}.engine", len(made), worst)


def prepared(bundle: Bundle, graph: Graph) -> bytes:
    """The graph as TensorRT reads it."""
    return parsable(onnx.load_from_string(bundle.read(graph.file))).SerializeToString()


def profiles_of(bundle: Bundle, graph: Graph, limits: Limits) -> list[dict[str, Profile]]:
    """Shapes for each of the batches that an engine is made for."""
    if limits.dla is None:
        return [shapes.profiles(bundle.manifest, graph, batches) for batches in PROFILES]
    found = [shapes.profiles(bundle.manifest, graph, batches) for batches in ALONE]
    return [
        {name: Profile(each.usual, each.usual, each.usual) for name, each in profiles.items()}
        for profiles in found
    ]


def key(bundle: Bundle, graph: Graph, library: Any, limits: Limits) -> dict[str, Any]:
    """All that decides what an engine is."""
    profiles = profiles_of(bundle, graph, limits)
    return _machine(library) | {
        "bundle": bundle.sha256,
        "graph": graph.sha256,
        "precision": graph.precision,
        "shapes": [{name: asdict(each) for name, each in few.items()} for few in profiles],
        "limits": asdict(limits),
    }


def _machine(library: Any) -> dict[str, Any]:
    found = card.find()
    return {"builder": [library.__name__, library.__version__], "card": found and asdict(found)}


@dataclass(frozen=True)
class Proof:
    """Inputs of one graph, and what PyTorch made of them."""

    inputs: Arrays
    outputs: Arrays

    @classmethod
    def of(cls, graph: Graph, arrays: Arrays, *, alone: bool) -> "Proof":
        """
        Args:
            alone: only the first picture.
        """
        inputs, outputs = (
            {
                each.name: first_of(arrays[name], each) if alone else arrays[name]
                for each in tensors
                if (name := f"{graph.role}.{side}.{each.name}") in arrays
            }
            for side, tensors in (("in", graph.inputs), ("out", graph.outputs))
        )
        return cls(inputs, outputs)

    def worst(self, found: Arrays, bundle: Bundle) -> float:
        precision = bundle.manifest.precision
        return max(gap(wanted, found[name], precision) for name, wanted in self.outputs.items())


def _refuse(bundle: Bundle, graph: Graph, worst: float) -> None:
    allowed = bundle.manifest.check.tolerance
    if worst > allowed:
        raise ExportError(
            f"the engine of {graph.role!r} differs from PyTorch by {worst:.2g}, and "
            f"{allowed:.2g} is allowed",
            hint="no engine of it was kept: use the bundle as it is, with --device cuda",
        )
