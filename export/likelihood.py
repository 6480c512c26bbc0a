"""What eight bits cost a bundle that tells pictures in tokens: how probable held-out ones stay."""

from collections.abc import Iterator, Sequence

import numpy as np
from safetensors.numpy import load_file

from t2i.export.check import Graphs, start
from t2i.export.plan import Plan
from t2i.export.trace import OPSET
from t2i.export.trained import Trained
from t2i.runtime import runs
from t2i.runtime.bundle import Graph, Score
from t2i.runtime.decode import Steps, Tokens
from t2i.runtime.sessions import Session

METRIC = "log_likelihood"
TOGETHER = 8
"""Pictures told at once."""


def scores(
    trained: Trained, plans: Sequence[Plan], traced: Graphs, rounded: Graphs
) -> Iterator[Score]:
    """Mean log-probability of a token of the streams that the run keeps, in nats, where it does.

    Args:
        traced, rounded: the graphs in float32 and in eight bits.
    """
    path = trained.run.folder / runs.STREAMS
    if "step" not in traced or not path.is_file():
        return
    streams = load_file(path)
    tokens, codes = streams["tokens"], streams["codes"]
    full, ours = (mean(plans, graphs, tokens, codes) for graphs in (traced, rounded))
    protocol = {
        "pictures": len(codes),
        "tokens": codes.shape[1],
        "extractor": f"its own graphs; {full:.4f} in float32",
        "reference": "pictures that were not trained on, and their captions",
    }
    yield Score(METRIC, ours, None, protocol, parts={"fp32": full, "int8": ours})


def mean(plans: Sequence[Plan], graphs: Graphs, tokens: Tokens, codes: Tokens) -> float:
    """Mean log-probability of codes (B, count), each after its caption (B, T) and those before."""
    prefill, step = (
        Session(start(graphs[plan.role]), _described(plan), "cpu")
        for role in ("prefill", "step")
        for plan in plans
        if plan.role == role
    )
    total = 0.0
    for first in range(0, len(codes), TOGETHER):
        part = slice(first, first + TOGETHER)
        total += _told(prefill, step, tokens[part], codes[part])
    return total / codes.size


def _told(prefill: Session, step: Session, tokens: Tokens, codes: Tokens) -> float:
    """Log-probability of all codes together."""
    caption = prefill.run({"tokens": tokens}, [each.name for each in prefill.outputs])
    logits, total = caption.pop("logits"), 0.0
    steps = Steps(step, caption, len(codes))
    for place in range(codes.shape[1]):
        scores = logits.astype(np.float64)
        scores -= scores.max(axis=1, keepdims=True)
        scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
        total += float(np.take_along_axis(scores, codes[:, place, None], axis=1).sum())
        if place + 1 < codes.shape[1]:
            logits = steps.go_on(np.ascontiguousarray(codes[:, place]), place)
    return total


def _described(plan: Plan) -> Graph:
    return Graph(plan.role, f"{plan.role}.onnx", "", 0, OPSET, "", plan.inputs, plan.outputs)
