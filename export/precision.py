"""In which precision a graph stores its weights and computes."""

from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Precision = Literal["fp16-stored", "fp32", "fp16"]

TOLERANCES: dict[Precision, float] = {"fp32": 1e-4, "fp16-stored": 1 / 127.5, "fp16": 2 / 127.5}
"""Greatest difference from PyTorch, in units of pictures in [-1, 1]: 1e-4, one level, two."""
SMALL = 256  # entries; smaller weights are not worth a node

# Sums of exponentials and long recurrences lose too much in fp16.
KEPT = ("LSTM", "GRU", "Exp", "ReduceSum", "ReduceMax", "Softmax", "Div", "Sub")


def convert(model: onnx.ModelProto, precision: Precision, *, computes: bool) -> onnx.ModelProto:
    """The same graph in another precision.

    Args:
        computes: False for graphs that stay on the CPU, as text does: with `fp16` they only
            store it.
    """
    if precision == "fp32":
        return model
    if precision == "fp16" and computes:
        return _computed_as_fp16(model)
    return _stored_as_fp16(model)


def _stored_as_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Half the bytes: weights are widened when the session starts."""
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < SMALL:
            continue
        stored = f"{weight.name}.fp16"
        values = numpy_helper.to_array(weight).astype(np.float16)
        casts.append(helper.make_node("Cast", [stored], [weight.name], to=TensorProto.FLOAT))
        weight.CopyFrom(numpy_helper.from_array(values, stored))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    return model


def _computed_as_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Computed in fp16 between inputs and outputs of float32."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    half: onnx.ModelProto = convert_float_to_float16(
        model, keep_io_types=True, op_block_list=list(KEPT), disable_shape_infer=True
    )
    return half
