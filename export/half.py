"""A graph that computes in fp16 between inputs and outputs of float32."""

from collections.abc import MutableSequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from t2i.export import beside
from t2i.export.nodes import kinds
from t2i.runtime.errors import ExportError

# Sums of exponentials and long recurrences lose too much in fp16.
KEPT = {"Exp", "GRU", "LSTM", "ReduceMean", "ReduceSum", "Softmax"}
# Inputs that are float32 in every precision, by operator and place.
ALWAYS = {("Resize", 2)}


def computed_as_fp16(model: onnx.ModelProto) -> None:
    """Turn every node to fp16 but those in `KEPT`, with casts where the two meet."""
    graph = _Half(model)
    for node in list(model.graph.node):
        graph.add(node)
    graph.close()


class _Half:
    """The nodes of a graph one by one, each with its inputs cast to what it computes in."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        typed = kinds(onnx.shape_inference.infer_shapes(model).graph)
        typed |= {weight.name: weight.data_type for weight in self.graph.initializer}
        self.floats = {name for name, kind in typed.items() if kind == TensorProto.FLOAT}
        self.half: set[str] = set()
        self.nodes: list[onnx.NodeProto] = []
        wide = {
            node.input[place]
            for node in self.graph.node
            for place in range(len(node.input))
            if self._is_wide(node, place)
        }
        for weight in self.graph.initializer:
            if weight.name in self.floats - wide:
                _narrow(weight)
                self.half.add(weight.name)

    def add(self, node: onnx.NodeProto) -> None:
        for place, name in enumerate(node.input):
            if name in self.floats:
                node.input[place] = self._cast(name, half=not self._is_wide(node, place))
        if node.op_type not in KEPT:
            self.half |= self.floats.intersection(node.output)
            for attribute in node.attribute:
                if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                    attribute.i = TensorProto.FLOAT16
                elif attribute.t.data_type == TensorProto.FLOAT:
                    _narrow(attribute.t)
        self.nodes.append(node)

    def close(self) -> None:
        """Give the outputs their names and type back, and the graph its nodes."""
        for output in self.graph.output:
            if output.name in self.half:
                inside = f"{output.name}.fp16"
                for node in self.nodes:
                    _rename(node.input, output.name, inside)
                    _rename(node.output, output.name, inside)
                self.nodes.append(
                    helper.make_node("Cast", [inside], [output.name], to=TensorProto.FLOAT)
                )
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)

    def _is_wide(self, node: onnx.NodeProto, place: int) -> bool:
        return node.op_type in KEPT or (node.op_type, place) in ALWAYS

    def _cast(self, name: str, *, half: bool) -> str:
        """The name under which a value can be had in the wanted type."""
        if (name in self.half) == half:
            return name
        other = f"{name}.as-{'fp16' if half else 'fp32'}"
        if not any(other in node.output for node in self.nodes):
            to = TensorProto.FLOAT16 if half else TensorProto.FLOAT
            self.nodes.append(helper.make_node("Cast", [name], [other], to=to))
        return other


def _narrow(tensor: onnx.TensorProto) -> None:
    values = beside.values(tensor)
    finite = values[np.isfinite(values)]
    if np.abs(finite).max(initial=0.0) > np.finfo(np.float16).max:
        raise ExportError(
            f"the weights {tensor.name!r} are too large for fp16", hint="export without --fp16"
        )
    tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))


def _rename(names: MutableSequence[str], old: str, new: str) -> None:
    for place, name in enumerate(names):
        if name == old:
            names[place] = new
