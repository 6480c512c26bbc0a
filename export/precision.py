"""In which precision a graph stores its weights and computes."""

from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from t2i.export import beside
from t2i.export.beside import Beside
from t2i.export.half import computed_as_fp16
from t2i.export.int8 import computed_as_int8

Precision = Literal["fp16-stored", "fp32", "fp16", "int8"]

TOLERANCES: dict[Precision, float] = {
    "fp32": 1e-4,
    "fp16-stored": 1 / 127.5,
    "fp16": 2 / 127.5,
    "int8": 0.1,
}
"""Greatest difference from PyTorch, in units of pictures in [-1, 1]: 1e-4, one level, two. Of int8
it is a share of the length of what a caption or a picture gives."""
SMALL = (2**8, 2**16)
"""Numbers below which a weight stays float32: the second choice where the first leaves a graph too
near its tolerance. Small layers hold few of the bytes, and their rounding shows most."""
ROUNDING = ("QuantizeLinear", "DequantizeLinear")
CHOOSING = ("codes", "prefill", "step")
"""Graphs whose logits are compared with each other: a little less precision is another token."""


def stays(precision: Precision, role: str) -> bool:
    """Whether a graph keeps all its weights as they were traced."""
    return precision == "fp32" or (role in CHOOSING and precision != "int8")


def convert(
    traced: onnx.ModelProto,
    precision: Precision,
    role: str,
    small: int,
    kept: Beside | None = None,
) -> onnx.ModelProto:
    """A copy in another precision; graphs of words, which run on the CPU, and those with gradients,
    which fp16 would round to zero, only store; those that choose tokens stay as they are but in
    int8.

    Args:
        kept: where weights go that were traced beside their graph.
    """
    model = onnx.ModelProto()
    model.CopyFrom(traced)
    if stays(precision, role):
        return model
    if precision == "fp16" and role not in ("text", "caption", "edit"):
        computed_as_fp16(model)
    elif precision == "int8":
        computed_as_int8(model)
        if role not in CHOOSING:
            _stored_as_fp16(model, small)
    else:
        _stored_as_fp16(model, small)
    if beside.folder(traced):
        assert kept
        kept.take(model)
    if precision == "fp16":
        beside.check(model)
    return model


def _stored_as_fp16(model: onnx.ModelProto, small: int) -> None:
    """Half the bytes: weights are widened when a session starts."""
    casts = []
    scales = {node.input[2] for node in model.graph.node if node.op_type == "MatMulNBits"}
    scales |= {node.input[1] for node in model.graph.node if node.op_type in ROUNDING}
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < small:
            continue
        if weight.name in scales:
            continue
        values = beside.values(weight)
        if np.abs(values).max() > np.finfo(np.float16).max:
            continue
        stored = f"{weight.name}.fp16"
        casts.append(helper.make_node("Cast", [stored], [weight.name], to=TensorProto.FLOAT))
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
