"""Matrices of eight bits, multiplied as whole numbers."""

import onnx

from t2i.runtime.errors import ExportError

BLOCK = 128
"""Weights of a column that share a scale."""
COMPUTED_AS_INT8 = 4
"""Of ONNX Runtime's `accuracy_level`: what is multiplied is rounded too, block by block of each
row, so that neighbours in a batch do not change each other."""


def computed_as_int8(model: onnx.ModelProto, role: str) -> None:
    """Turn every product with a constant matrix into one with its rounded weights.

    What else a graph holds, convolutions and tables of words among it, stays as it is.

    Raises:
        ExportError: there is no such product.
    """
    # It loads PyTorch, which takes seconds.
    from onnxruntime.quantization import matmul_nbits_quantizer as library

    settings = library.DefaultWeightOnlyQuantConfig(
        block_size=BLOCK, is_symmetric=True, accuracy_level=COMPUTED_AS_INT8, bits=8
    )
    quantizer = library.MatMulNBitsQuantizer(model, algo_config=settings)
    quantizer.process()
    if all(node.op_type != "MatMulNBits" for node in model.graph.node):
        raise ExportError(
            f"the graph {role!r} multiplies no matrices: int8 would change nothing",
            hint="export without --int8, which is for transformers",
        )
