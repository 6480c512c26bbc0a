"""From a PyTorch module to an ONNX graph."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnx
import torch

from t2i.export.plan import BATCHES, Plan

OPSET = 21
IR_VERSION = 10  # newer ones are refused by runtimes in use


def trace(plan: Plan, module: torch.nn.Module) -> onnx.ModelProto:
    """Trace a module on the plan's examples: a batch of two or more, sizes by letter dynamic."""
    examples = plan.examples(BATCHES[0], "full")
    letters: dict[str, Any] = {
        "B": torch.export.Dim("B", min=1, max=2**16),
        "T": torch.export.Dim("T", min=1, max=2**12),
    }
    dynamic = tuple(
        {axis: letters[size] for axis, size in enumerate(each.shape) if isinstance(size, str)}
        for each in plan.inputs
    )
    with quiet_exporter(), torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            tuple(examples[each.name] for each in plan.inputs),
            dynamo=True,
            opset_version=OPSET,
            input_names=[each.name for each in plan.inputs],
            output_names=[each.name for each in plan.outputs],
            dynamic_shapes=dynamic,
            verbose=False,
        )
    assert program is not None
    return tidy(program.model_proto)


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Keep back what the exporter says of itself: deprecations, packages it could use."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def tidy(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what only the tracer needs: places in the source, and shapes it only guessed."""
    model.ir_version = IR_VERSION
    model.producer_version = ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    return model
