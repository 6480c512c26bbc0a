"""Graphs in the operators that TensorRT reads: the same numbers, written for it alone.

- A `Resize` that heeds all pixels which become one (`antialias`) is two products with the shares of
  old pixels in new ones, first across, then down. Of pictures in whole levels, either product is
  rounded to them, as ONNX Runtime and Pillow do.
- Pictures in whole levels become float32 where they enter: TensorRT does nothing else with them.
- Numbers of eight bits are signed, and zero at zero (`symmetric.py`).
"""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from t2i.export.nodes import kinds, told
from t2i.export.symmetric import make_symmetric

LEVELS = (0.0, 255.0)


def parsable(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that TensorRT reads.

    Raises:
        ExportError: TensorRT reads nothing like it.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    make_symmetric(copy)
    graph = copy.graph
    typed = kinds(onnx.shape_inference.infer_shapes(copy).graph)
    typed |= {weight.name: weight.data_type for weight in graph.initializer}
    write = _Writer()
    levels = {each.name for each in graph.input if typed[each.name] == TensorProto.UINT8}
    wide = {name: write("Cast", name, to=TensorProto.FLOAT) for name in sorted(levels)}
    for node in graph.node:
        kind = typed.get(node.input[0]) if node.input else None
        for place, name in enumerate(node.input):
            node.input[place] = wide.get(name, name)
        if node.op_type == "Resize" and told(node).get("antialias"):
            _write_resize(write, node, kind)
        else:
            write.nodes.append(node)
    del graph.node[:]
    graph.node.extend(write.nodes)
    graph.initializer.extend(write.constants)
    onnx.checker.check_model(copy, full_check=True)
    return copy


class _Writer:
    """Adds nodes one by one; gives the name of what each computes."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._numbers = count()

    def __call__(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"parsable_{next(self._numbers)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, value: int | float | list[int]) -> str:
        name = f"parsable_{next(self._numbers)}"
        array = np.array(value, np.float32 if isinstance(value, float) else np.int64)
        self.constants.append(numpy_helper.from_array(array, name))
        return name


def _write_resize(write: _Writer, node: NodeProto, kind: int | None) -> None:
    """One node (B, C, H, W) as products."""
    how = told(node)
    assert how["coordinate_transformation_mode"] == b"half_pixel"
    assert how["exclude_outside"] == 1
    weigh = _linear if how["mode"] == b"linear" else _cubic(how["cubic_coeff_a"])
    given, *_, sizes = node.input
    # In float16 the pixels of a large picture have no places of their own.
    planes = write("Cast", given, to=TensorProto.FLOAT) if kind == TensorProto.FLOAT16 else given
    rows, columns = (
        _shares(
            write,
            write("Squeeze", write("Shape", given, start=axis, end=axis + 1)),
            write("Squeeze", write("Slice", sizes, *map(write.constant, ([axis], [axis + 1])))),
            weigh,
        )
        for axis in (2, 3)
    )
    across = write("MatMul", planes, write("Transpose", columns, perm=[1, 0]))
    if kind == TensorProto.UINT8:
        across = _rounded(write, across)
    resized = write("MatMul", rows, across)
    if kind == TensorProto.UINT8:
        resized = _rounded(write, resized)
    last = TensorProto.FLOAT16 if kind == TensorProto.FLOAT16 else TensorProto.FLOAT
    write.nodes.append(helper.make_node("Cast", [resized], node.output, to=last))


def _rounded(write: _Writer, sums: str) -> str:
    """To whole levels."""
    up = write("Floor", write("Add", sums, write.constant(0.5)))
    return write("Clip", up, *map(write.constant, LEVELS))


Weigh = Callable[[_Writer, str], str]
"""Of how many new pixels away something lies, how much it counts."""


def _shares(write: _Writer, old: str, new: str, weigh: Weigh) -> str:
    """How much of each old pixel goes into each new one, along one side: (new, old)."""
    half, one = write.constant(0.5), write.constant(1.0)
    first, step, across = write.constant(0), write.constant(1), write.constant([1])

    def middles(size: str) -> str:
        numbers = write("Range", first, size, step)
        return write("Add", write("Cast", numbers, to=TensorProto.FLOAT), half)

    sizes = [write("Cast", size, to=TensorProto.FLOAT) for size in (old, new)]
    scale = write("Div", *sizes)
    centres = write("Unsqueeze", write("Mul", middles(new), scale), across)
    apart = write("Abs", write("Sub", middles(old), centres))
    weights = weigh(write, write("Div", apart, write("Max", scale, one)))
    return write("Div", weights, write("ReduceSum", weights, across))


def _linear(write: _Writer, far: str) -> str:
    return write("Relu", write("Sub", write.constant(1.0), far))


def _cubic(a: float) -> Weigh:
    """Source: Keys 1981, of which `a` is the slope one pixel away."""

    def polynomial(write: _Writer, far: str, factors: Sequence[float]) -> str:
        """Horner's rule, from the third power down."""
        total = write.constant(factors[0])
        for factor in factors[1:]:
            total = write("Add", write("Mul", total, far), write.constant(factor))
        return total

    def weigh(write: _Writer, far: str) -> str:
        near = polynomial(write, far, (a + 2, -(a + 3), 0.0, 1.0))
        off = polynomial(write, far, (a, -5 * a, 8 * a, -4 * a))
        is_near, is_off = (write("Less", far, write.constant(end)) for end in (1.0, 2.0))
        return write("Where", is_near, near, write("Where", is_off, off, write.constant(0.0)))

    return weigh
