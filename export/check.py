"""Every graph against PyTorch, before anyone else sees it."""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch

from t2i.export.plan import BATCHES, CAPTIONS, Arrays, Plan
from t2i.export.precision import TOLERANCES, Precision
from t2i.runtime.errors import ExportError
from t2i.runtime.proof import FP16_QUANTILE

Outputs = Mapping[str, npt.NDArray[np.generic]]


def start(model: onnx.ModelProto, threads: int = 1) -> onnxruntime.InferenceSession:
    """A session on the CPU that says nothing but errors."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def check(plan: Plan, model: onnx.ModelProto, precision: Precision) -> float:
    """Greatest difference from PyTorch over all batches and lengths of captions.

    Raises:
        ExportError: it is greater than the precision allows.
    """
    session, worst = start(model), 0.0
    for batch, kind in ((batch, kind) for batch in BATCHES for kind in CAPTIONS):
        examples = plan.examples(batch, kind)
        wanted = expected(plan, examples)
        names = list(wanted)
        found = session.run(names, {name: value.numpy() for name, value in examples.items()})
        for name, gap in differences(wanted, dict(zip(names, found, strict=True)), precision):
            if not gap <= TOLERANCES[precision]:
                raise ExportError(
                    f"the graph {plan.role!r} differs from PyTorch by {gap:.2g} in {name!r} "
                    f"(batch of {batch}, {kind} captions); {TOLERANCES[precision]:.2g} is allowed",
                    hint="nothing was written; try --fp32, and report it if that differs too",
                )
            worst = max(worst, gap)
    return worst


def expected(plan: Plan, examples: Arrays) -> Outputs:
    """What PyTorch computes, by name."""
    with torch.no_grad():
        values = plan.module(*(examples[each.name] for each in plan.inputs))
    names = (each.name for each in plan.outputs)
    return {name: value.numpy() for name, value in zip(names, values, strict=True)}


def differences(
    wanted: Outputs, found: Outputs, precision: Precision
) -> Iterator[tuple[str, float]]:
    """Greatest difference by output; a wrong shape or what is not a number differs without bound.

    Computing in fp16 lets single pixels stray: there it is the 99.9th percentile.
    """
    quantile = FP16_QUANTILE if precision == "fp16" else 1.0
    for name, value in wanted.items():
        if found[name].shape != value.shape:
            yield name, float("inf")
            continue
        gap = np.abs(found[name].astype(np.float64) - value.astype(np.float64))
        yield name, float(np.quantile(np.nan_to_num(gap, nan=np.inf), quantile, method="higher"))
