"""Numbers of eight bits as TensorRT reads them: signed, and zero at zero.

On a processor a number that is rounded between layers has 255 steps between the least and the
greatest value that were seen. TensorRT knows as many on either side of zero alone, wide enough for
the farther end: what lies on one side of zero has half the steps. It reads signed weights as they
are, and biases as plain floats only.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, helper, numpy_helper

from t2i.export.nodes import refill, told
from t2i.runtime.errors import ExportError

MOST = 127
ROUND, WIDEN = "QuantizeLinear", "DequantizeLinear"

Array = npt.NDArray[Any]


def make_symmetric(model: onnx.ModelProto) -> None:
    """Change what TensorRT would refuse.

    Raises:
        ExportError: it multiplies blocks of eight bits, which TensorRT does not read.
    """
    graph = model.graph
    if any(node.op_type == "MatMulNBits" for node in graph.node):
        raise blocks()
    if not any(node.op_type == ROUND for node in graph.node):
        return
    write = _Writer({each.name: numpy_helper.to_array(each) for each in graph.initializer})
    for node in graph.node:
        if node.op_type not in (ROUND, WIDEN) or write.is_read(node):
            write.nodes.append(node)
        elif node.input[0] in write.constants:
            write.widen(node)
        else:
            write.around_zero(node)
    made = [numpy_helper.from_array(value, name) for name, value in write.made.items()]
    refill(graph, write.nodes, [*graph.initializer, *made])


def blocks() -> ExportError:
    """What --int8 makes of systems that do not draw by convolutions."""
    return ExportError(
        "TensorRT does not read the matrices of eight bits that --int8 makes of this system",
        hint="build engines with --fp16",
    )


class _Writer:
    """Nodes one by one, and the constants that are made for them."""

    def __init__(self, constants: Mapping[str, Array]) -> None:
        self.constants = constants
        self.nodes: list[NodeProto] = []
        self.made: dict[str, Array] = {}

    def is_read(self, node: NodeProto) -> bool:
        """Whether its numbers are signed, and zero at zero, already."""
        zero = self._zero(node)
        return zero.dtype == np.int8 and not zero.any()

    def widen(self, node: NodeProto) -> None:
        """A constant becomes the floats that it stands for."""
        whole, scale = (self.constants[name] for name in node.input[:2])
        zero = self._zero(node).astype(np.int64)
        if scale.size > 1:
            shape = [-1 if axis == told(node)["axis"] else 1 for axis in range(whole.ndim)]
            scale, zero = scale.reshape(shape), zero.reshape(shape if zero.size > 1 else [])
        (name,) = node.output
        self.made[name] = ((whole.astype(np.int64) - zero) * scale).astype(scale.dtype)

    def around_zero(self, node: NodeProto) -> None:
        """Steps that reach as far as the old ones.

        What those cut off is cut off as before: a layer may rely on it, such as one that lets no
        negative numbers through.
        """
        given, *how = node.input
        scale, zero = self.constants[how[0]], self._zero(node)
        limits = np.iinfo(zero.dtype)
        least, most = ((end - zero.astype(np.int64)) * scale for end in (limits.min, limits.max))
        ends = {"least": least, "most": most, "scale": np.maximum(-least, most) / MOST}
        named = {end: f"{'.'.join(how)}.{end}" for end in (*ends, "zero")}
        for end, value in ends.items():
            self.made[named[end]] = value.reshape(()).astype(scale.dtype)
        self.made[named["zero"]] = np.zeros((), np.int8)
        if node.op_type == ROUND:
            cut = f"{node.output[0]}.cut"
            clip = helper.make_node("Clip", [given, named["least"], named["most"]], [cut])
            self.nodes.append(clip)
            given = cut
        node.input[:] = [given, named["scale"], named["zero"]]
        self.nodes.append(node)

    def _zero(self, node: NodeProto) -> Array:
        """What stands for zero, in the type of the rounded numbers."""
        if len(node.input) > 2:
            return self.constants[node.input[2]]
        whole = self.constants.get(node.input[0])
        return np.zeros((), np.uint8 if whole is None else whole.dtype)
