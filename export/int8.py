"""Matrices of eight bits, multiplied as whole numbers."""

import logging
from collections.abc import Iterable

import numpy as np
import onnx
from onnx import helper, numpy_helper

from t2i.export import beside
from t2i.export.nodes import refill, told
from t2i.runtime.errors import ExportError

BLOCK = 128
"""Weights of a column that share a scale."""
COMPUTED_AS_INT8 = 4
"""Of ONNX Runtime's `accuracy_level`: what is multiplied is rounded too, block by block of each
row, so that neighbours in a batch do not change each other."""


def computed_as_int8(model: onnx.ModelProto) -> None:
    """Turn every product with a constant matrix into one with its rounded weights.

    What else a graph holds, convolutions and tables of words among it, stays as it is. Matrices are
    rounded one by one: together they may be more than the memory holds.
    """
    graph = model.graph
    _unfold(graph)
    weights = {each.name: each for each in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        weight = weights.get(node.input[1]) if node.op_type == "MatMul" else None
        if weight is None:
            nodes.append(node)
            continue
        alone = _rounded(node, numpy_helper.from_array(beside.values(weight), weight.name))
        nodes.extend(alone.node)
        weights |= {each.name: each for each in alone.initializer}
    refill(graph, nodes, weights.values())
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def _rounded(product: onnx.NodeProto, weight: onnx.TensorProto) -> onnx.GraphProto:
    """What stands in the place of a product with this matrix, and what that reads."""
    # It loads PyTorch, which takes seconds.
    from onnxruntime.quantization import matmul_nbits_quantizer as library

    library.logger.setLevel(logging.WARNING)  # it tells of every node
    settings = library.DefaultWeightOnlyQuantConfig(
        block_size=BLOCK, is_symmetric=True, accuracy_level=COMPUTED_AS_INT8, bits=8
    )
    model = helper.make_model(helper.make_graph([product], "product", [], [], [weight]))
    library.MatMulNBitsQuantizer(model, algo_config=settings).process()
    return model.graph


def _unfold(graph: onnx.GraphProto) -> None:
    """Linear layers of rows, which are one node, become a product and a sum: the library sees
    products alone."""
    weights = {each.name: each for each in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        how, weight = told(node), weights.get(node.input[1]) if node.op_type == "Gemm" else None
        scaled = {how.get("alpha", 1), how.get("beta", 1)} != {1}
        if weight is None or how.get("transA") or scaled:
            nodes.append(node)
            continue
        given, name, *bias = node.input
        if how.get("transB"):
            name = f"{name}.turned"
            if name not in weights:
                turned = np.ascontiguousarray(beside.values(weight).T)
                weights[name] = numpy_helper.from_array(turned, name)
        (made,) = node.output
        product = f"{made}.product" if bias else made
        nodes.append(helper.make_node("MatMul", [given, name], [product]))
        if bias:
            nodes.append(helper.make_node("Add", [product, *bias], [made]))
    refill(graph, nodes, weights.values())


def require_some(graphs: Iterable[onnx.ModelProto]) -> None:
    """Raises ExportError where none of the graphs of a bundle has such a product."""
    if any(node.op_type == "MatMulNBits" for model in graphs for node in model.graph.node):
        return
    raise ExportError(
        "no graph of this system multiplies matrices: int8 would change nothing",
        hint="export without --int8, which is for transformers",
    )
