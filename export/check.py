"""Every graph against PyTorch, before anyone else sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy.typing as npt
import onnx
import onnxruntime
import torch

from t2i.export import beside
from t2i.export.plan import BATCHES, CAPTIONS, Captions, Plan, Tensors
from t2i.export.precision import TOLERANCES, Precision
from t2i.runtime.beside import take_weights
from t2i.runtime.errors import ExportError
from t2i.runtime.proof import batch_axis, gap

Arrays = Mapping[str, npt.NDArray[Any]]
Graphs = Mapping[str, onnx.ModelProto]
"""By role."""


@dataclass(frozen=True)
class Difference:
    """How far a graph is from PyTorch, and where."""

    gap: float
    role: str
    output: str
    batch: int
    captions: Captions


def compare(plans: Sequence[Plan], graphs: Graphs, precision: Precision) -> Difference:
    """The greatest difference from PyTorch, over all graphs, batches and lengths of captions.

    The graphs work as a host runs them: one that reads what another gives is fed with that, so
    that their differences add up as they do in a picture.
    """
    sessions = {plan.role: start(graphs[plan.role]) for plan in plans}
    found = []
    for batch, kind in product(BATCHES, CAPTIONS):
        given: dict[str, npt.NDArray[Any]] = {}
        for plan in plans:
            if plan.reads_words or kind == CAPTIONS[0]:
                examples = plan.examples(batch, kind)
                outputs = _run(sessions[plan.role], plan, {**arrays(examples), **given})
                given |= outputs
                wanted = expected(plan, examples)
                for each in plan.outputs:
                    ours, theirs = outputs[each.name], wanted[each.name]
                    gap = difference(theirs, ours, precision, batch_axis(each))
                    found.append(Difference(gap, plan.role, each.name, batch, kind))
    return max(found, key=lambda each: each.gap)


def refuse(found: Difference, precision: Precision) -> None:
    """
    Raises:
        ExportError: the difference is greater than the precision allows.
    """
    allowed = TOLERANCES[precision]
    if found.gap <= allowed:
        return
    raise ExportError(
        f"the graph {found.role!r} differs from PyTorch by {found.gap:.2g} in {found.output!r} "
        f"(batch of {found.batch}, {found.captions} captions), and {allowed:.2g} is allowed",
        hint=(
            "nothing was written: please report it with the run's recipe.json"
            if precision == "fp32"
            else "nothing was written: these networks need more precision, try --fp32"
        ),
    )


def arrays(tensors: Tensors) -> Arrays:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def expected(plan: Plan, examples: Tensors) -> Arrays:
    """What PyTorch computes, by name."""
    with torch.no_grad():
        values = plan.module(*(examples[each.name] for each in plan.inputs))
    return arrays(dict(zip((each.name for each in plan.outputs), values, strict=True)))


def difference(
    wanted: npt.NDArray[Any], found: npt.NDArray[Any], precision: Precision, axis: int = 0
) -> float:
    """As `proof.gap`; a wrong shape differs without bound."""
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return float("inf")
    return gap(wanted, found, precision, axis)


def start(model: onnx.ModelProto, threads: int = 0) -> onnxruntime.InferenceSession:
    """A session on the CPU that says nothing but errors; 0 threads are all there are."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    if folder := beside.folder(model):
        rounded = any(node.op_type == "MatMulNBits" for node in model.graph.node)
        take_weights(options, beside.FILE, folder, packed=rounded)
    return onnxruntime.InferenceSession(
        beside.plain(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _run(session: onnxruntime.InferenceSession, plan: Plan, feeds: Arrays) -> Arrays:
    names = [each.name for each in plan.outputs]
    found = session.run(names, {each.name: feeds[each.name] for each in plan.inputs})
    return dict(zip(names, found, strict=True))
