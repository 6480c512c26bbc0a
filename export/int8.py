"""Matrices of eight bits, multiplied as whole numbers."""

import logging
from collections.abc import Iterable

import onnx

from t2i.runtime.errors import ExportError

BLOCK = 128
"""Weights of a column that share a scale."""
COMPUTED_AS_INT8 = 4
"""Of ONNX Runtime's `accuracy_level`: what is multiplied is rounded too, block by block of each
row, so that neighbours in a batch do not change each other."""


def computed_as_int8(model: onnx.ModelProto) -> None:
    """Turn every product with a constant matrix into one with its rounded weights.

    What else a graph holds, convolutions and tables of words among it, stays as it is.
    """
    # It loads PyTorch, which takes seconds.
    from onnxruntime.quantization import matmul_nbits_quantizer as library

    library.logger.setLevel(logging.WARNING)  # it tells of every node
    settings = library.DefaultWeightOnlyQuantConfig(
        block_size=BLOCK, is_symmetric=True, accuracy_level=COMPUTED_AS_INT8, bits=8
    )
    quantizer = library.MatMulNBitsQuantizer(model, algo_config=settings)
    quantizer.process()


def require_some(graphs: Iterable[onnx.ModelProto]) -> None:
    """Raises ExportError where none of the graphs of a bundle has such a product."""
    if any(node.op_type == "MatMulNBits" for model in graphs for node in model.graph.node):
        return
    raise ExportError(
        "no graph of this system multiplies matrices: int8 would change nothing",
        hint="export without --int8, which is for transformers",
    )
