"""From a PyTorch module to an ONNX graph."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import torch

from t2i.export import beside
from t2i.export.beside import Beside
from t2i.export.nodes import IR_VERSION
from t2i.export.plan import BATCHES, Plan

OPSET = 18  # what torch itself writes, and old enough for the TensorRT of older boards
INSIDE_BYTES = 2**29
"""Weights that a graph holds itself. A file of a graph has room for four times as many, but exports
copy those inside again and again."""
MOST = {"B": 2**16, "T": 2**12, "H": 2**13, "W": 2**13}


def trace(plan: Plan, kept: Beside | None = None) -> onnx.ModelProto:
    """The rewritten module as a graph whose letters are dynamic sizes.

    Traced on the longest captions, because a size of one would be taken for a constant.

    Args:
        kept: where weights go that are too many for a graph to hold.
    """
    size = sum(each.numel() * each.element_size() for each in plan.module.parameters())
    module = plan.rewrite(plan.module).eval()
    examples = plan.examples(BATCHES[0], "full")
    sizes = {letter: torch.export.Dim(letter, min=1, max=most) for letter, most in MOST.items()}
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module,
            tuple(examples[each.name] for each in plan.inputs),
            dynamo=True,
            opset_version=OPSET,
            input_names=[each.name for each in plan.inputs],
            output_names=[each.name for each in plan.outputs],
            dynamic_shapes=tuple(
                {axis: sizes[size] for axis, size in enumerate(each.shape) if isinstance(size, str)}
                for each in plan.inputs
            ),
            verbose=False,
        )
    assert program is not None
    weights = []
    if size > INSIDE_BYTES:
        assert kept
        held = program.model.graph.initializers
        for name in list(held):
            value = held.pop(name).const_value
            assert value is not None
            weights.append(kept.tensor(value.numpy(), name))
    model = program.model_proto
    model.graph.initializer.extend(weights)
    return _tidy(model)


@contextmanager
def _quiet() -> Iterator[None]:
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


def _tidy(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what only the tracer needs, paths of source files among it."""
    model.ir_version = IR_VERSION
    model.producer_version = ""
    graph = model.graph
    del graph.value_info[:]
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    beside.check(model)
    return model
