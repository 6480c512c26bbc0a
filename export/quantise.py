"""A generator in eight bits: its convolutions multiply whole numbers.

Every map is rounded to 256 levels between the least and the greatest value that it took while
captions were drawn, and the weights of each channel to as many. The scales are constants of the
graph, so a caption's picture does not depend on its neighbours. They stand in it as pairs of
QuantizeLinear and DequantizeLinear, between which ONNX Runtime computes in whole numbers.

What the rounding costs is measured on pictures: where they are too far from those in float32,
layers return to it, those first that help most for their work.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from t2i.export.check import Arrays, start
from t2i.export.equalise import Floats, convolves, equalised
from t2i.export.fitting import Range
from t2i.export.nodes import kinds
from t2i.runtime.errors import ExportError

AIM_DB, FLOOR_DB = 41.0, 40.0
"""PSNR to float32: what the choice of layers aims at, and what is published at least."""
MOVING = ("Concat", "DepthToSpace", "Reshape", "Resize", "Unsqueeze")
"""Operators that only move numbers."""
IN_EIGHT = (*MOVING, "Add", "Conv", "LeakyRelu", "Mul", "Relu", "Sigmoid")
"""Those, and what ONNX Runtime computes in eight bits."""
FLAT = {"Sigmoid": 8.0, "Tanh": 4.0}
"""Beyond these the functions are within 0.0007 of their ends: what lies there needs no levels."""
IMAGE = "image"

Extremes = Mapping[str, tuple[Floats, Floats]]
"""The least and the greatest value of each channel of maps."""
Ends = Mapping[str, tuple[float, float]]
"""The same of whole maps."""


@dataclass(frozen=True)
class Unit:
    """Convolutions that read the same map, and what it is made of since those before them."""

    nodes: tuple[str, ...]
    work: int
    """Multiplications of the convolutions for one picture."""


@dataclass(frozen=True)
class Quantised:
    """A graph in eight bits, and what became of it."""

    model: onnx.ModelProto
    kept: tuple[str, ...]
    """Convolutions that compute in float32 as before, by the names of their weights."""


class Quantiser:
    """Brings one graph to eight bits, all of it or some."""

    def __init__(self, model: onnx.ModelProto, feeds: Sequence[Arrays], weights: Range) -> None:
        """
        Args:
            feeds: inputs of the graph, some pictures each: what it is calibrated on.
        """
        self.weights = weights
        self.model = onnx.shape_inference.infer_shapes(model)
        self.units = units(self.model.graph)
        if not self.units:
            return
        found = extremes(self.model, feeds, self._maps())
        reach = {name: np.maximum(-low, high) for name, (low, high) in found.items()}
        levelled, factors = equalised(model, {n: r for n, r in reach.items() if r.ndim == 1})
        self.model = onnx.shape_inference.infer_shapes(levelled)
        self.units = units(self.model.graph)
        self.ends = ends(self.model.graph, found, factors)

    def rounded(self, kept: Iterable[Unit] = ()) -> onnx.ModelProto:
        """The graph with all units in eight bits but these."""
        from onnxruntime.quantization import QDQQuantizer, QuantType
        from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData

        left = set(kept)
        nodes = sorted({name for unit in self.units if unit not in left for name in unit.nodes})
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        if nodes:  # of none the library would make all
            told = {name: tuple(map(np.float32, each)) for name, each in self.ends.items()}
            quantizer = QDQQuantizer(
                model,
                True,  # weights by channel
                self.weights == "reduced",
                QuantType.QInt8,
                QuantType.QUInt8,
                TensorsData(CalibrationMethod.MinMax, told),
                nodes,
                [],
                list(IN_EIGHT),
                {},
            )
            quantizer.quantize_model()
            quantizer.model.topological_sort()
            model = quantizer.model.model
            model.producer_name = self.model.producer_name
        del model.graph.value_info[:]
        return model

    def _maps(self) -> list[str]:
        """All that may be rounded, in the order of the graph."""
        graph, shapes = self.model.graph, _shapes(self.model.graph)
        inside = {name for unit in self.units for name in unit.nodes}
        constants = {each.name for each in graph.initializer}
        touched = {
            name
            for node in graph.node
            if node.name in inside
            for name in (*node.input, *node.output)
            if len(shapes.get(name, ())) >= 4
        }
        floats = {name for name, kind in kinds(graph).items() if kind == TensorProto.FLOAT}
        return [name for name in _in_order(graph) if name in touched & floats - constants]


def quantised(
    model: onnx.ModelProto, calibration: Sequence[Arrays], trial: Arrays, weights: Range
) -> Quantised:
    """In eight bits what can be with `AIM_DB` on the pictures of the trial.

    Args:
        calibration: inputs of the graph, some pictures each.
        trial: inputs of other pictures, which the choice of layers is tried on.

    Raises:
        ExportError: it has no convolution, or no choice is good enough.
    """
    quantiser = Quantiser(model, calibration, weights)
    if not quantiser.units:
        raise ExportError(
            "no graph of this system convolves with constant weights: int8 would change nothing",
            hint="export without --int8",
        )
    wanted = drawn(model, trial)

    def error(kept: Iterable[Unit] = ()) -> float:
        return _error(wanted, drawn(quantiser.rounded(kept), trial))

    kept: list[Unit] = []
    allowed, found = _allowed(AIM_DB), error()
    if found > allowed:
        worth = {unit: (found - error([unit])) / unit.work for unit in quantiser.units}
        for unit in sorted(worth, key=lambda each: -worth[each]):
            kept.append(unit)
            if len(kept) == len(worth):
                raise ExportError(
                    f"no layer of this generator can be in eight bits at {AIM_DB:.0f} dB",
                    hint="export without --int8",
                )
            if error(kept) <= allowed:
                break
        for unit in sorted(kept, key=lambda each: -each.work):
            others = [each for each in kept if each != unit]
            if error(others) <= allowed:  # those that came after it do enough
                kept = others
    rounded = quantiser.rounded(kept)
    return Quantised(rounded, tuple(_weights(model.graph, kept)))


def units(graph: onnx.GraphProto) -> tuple[Unit, ...]:
    """What is rounded together, or left together, in the order of the graph."""
    weights = {each.name: each for each in graph.initializer}
    reading: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        if convolves(node, weights):
            reading.setdefault(node.input[0], []).append(node)
    made = {name: node for node in graph.node for name in node.output}
    shapes = _shapes(graph)

    def between(name: str) -> Iterator[str]:
        node = made.get(name)
        if node is None or node.op_type == "Conv" or node.op_type not in IN_EIGHT:
            return
        if len(shapes.get(name, ())) < 4:  # vectors are little work
            return
        if node.op_type in ("Add", "Mul") and not weights.keys().isdisjoint(node.input):
            return
        yield node.name
        for given in node.input:
            if given not in reading:  # what it is made of belongs to those that read it
                yield from between(given)

    return tuple(
        Unit(
            nodes=tuple(dict.fromkeys([*between(name), *(node.name for node in convolutions)])),
            work=sum(
                _work(weights[node.input[1]], shapes[node.output[0]]) for node in convolutions
            ),
        )
        for name, convolutions in reading.items()
    )


def ends(graph: onnx.GraphProto, found: Extremes, factors: Mapping[str, Floats]) -> Ends:
    """Least and greatest value of each map, as far as it matters.

    Args:
        found: of the channels of maps, before they were divided by the factors.
    """
    flat = {node.input[0]: FLAT[node.op_type] for node in graph.node if node.op_type in FLAT}
    moved = {node.output[0]: node.input for node in graph.node if node.op_type in MOVING}
    told: dict[str, tuple[float, float]] = {}
    for name in filter(found.__contains__, _in_order(graph)):
        given = [told[each] for each in moved.get(name, ()) if each in told]
        if not given:
            lows, highs = (each / factors.get(name, 1) for each in found[name])
            given = [(float(lows.min()), float(highs.max()))]
        most = flat.get(name, float("inf"))
        low, high = min(low for low, _ in given), max(high for _, high in given)
        told[name] = max(low, -most), min(high, most)
    return told


def extremes(model: onnx.ModelProto, feeds: Sequence[Arrays], maps: Sequence[str]) -> Extremes:
    """Least and greatest value of each channel of maps, over all pictures."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    graph = watched.graph
    del graph.output[:]
    graph.initializer.append(numpy_helper.from_array(np.array([0, 2, 3], np.int64), "watched.axes"))
    for name in maps:
        for kind in ("ReduceMin", "ReduceMax"):
            made = f"{name}.{kind}"
            graph.node.append(helper.make_node(kind, [name, "watched.axes"], [made], keepdims=0))
            graph.output.append(helper.make_tensor_value_info(made, TensorProto.FLOAT, None))
    session = start(watched)
    found = [session.run(None, dict(each)) for each in feeds]
    least, greatest = (
        [np.min(values, axis=0) for values in zip(*(each[0::2] for each in found), strict=True)],
        [np.max(values, axis=0) for values in zip(*(each[1::2] for each in found), strict=True)],
    )
    return dict(zip(maps, zip(least, greatest, strict=True), strict=True))


def drawn(model: onnx.ModelProto, feeds: Arrays) -> Any:
    """The pictures that a graph draws, in [-1, 1]."""
    (image,) = start(model).run([IMAGE], dict(feeds))
    return image


def psnr(wanted: Any, found: Any) -> float:
    """Of all pictures together, in dB; their numbers lie in [-1, 1]."""
    error = _error(wanted, found)
    return float("inf") if error == 0 else float(10 * np.log10(4 / error))


def _error(wanted: Any, found: Any) -> float:
    return float(np.square(found.astype(np.float64) - wanted).mean())


def _allowed(db: float) -> float:
    return float(4 / 10 ** (db / 10))


def _weights(graph: onnx.GraphProto, kept: Iterable[Unit]) -> Iterator[str]:
    names = {name for unit in kept for name in unit.nodes}
    for node in graph.node:
        if node.op_type == "Conv" and node.name in names:
            yield node.input[1]


def _work(weight: onnx.TensorProto, shape: Sequence[int]) -> int:
    """Sizes that are not known beforehand, of words, count as one."""
    return int(np.prod(weight.dims)) * int(np.prod([max(1, size) for size in shape[2:]]))


def _shapes(graph: onnx.GraphProto) -> dict[str, list[int]]:
    values = (*graph.value_info, *graph.input, *graph.output)
    return {each.name: [d.dim_value for d in each.type.tensor_type.shape.dim] for each in values}


def _in_order(graph: onnx.GraphProto) -> Iterator[str]:
    yield from (each.name for each in graph.input)
    for node in graph.node:
        yield from node.output
