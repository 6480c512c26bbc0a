"""char-CNN-RNN encoders among what Torch7 wrote, told by the graph of their modules.

A graph names no layer, so each is told by its place: convolutions by their order, and the layers of
the recurrence by what they read (the caption or the last state) and what reads them (a gate or the
next state).

Source: `HybridCNN`, `HybridCNNLong`, `FixedRNN` and `FixedGRU` of reedscot/cvpr2016 and icml2016.
"""

from collections.abc import Iterator
from typing import Any

from t2i.export.official.natures import Damaged
from t2i.export.official.pickles import StandIn
from t2i.export.official.stored import Stored

CONVOLUTIONS = 3
DEEPEST = 16


def encoders(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Stored]]]:
    """Each encoder and the names that lead to it; its layers are named as in its PyTorch port."""
    if isinstance(value, StandIn):
        if _kind(value) == "gModule" and (layers := dict(_layers(value))):
            yield path, layers
    elif isinstance(value, dict) and path.count(".") < DEEPEST:
        for name, each in value.items():
            if isinstance(name, str):
                yield from encoders(each, f"{path}.{name}" if path else name)


def _layers(graph: StandIn) -> Iterator[tuple[str, Stored]]:
    """Nothing where it is another graph."""
    _, *within = _within(graph)
    convolutions = [each for each in within if _kind(each) == "TemporalConvolution"]
    recurrences = [each for each in within if _kind(each) == "gModule"]
    projections = [each for each in _listed(graph.state, "modules") if _kind(each) == "Linear"]
    if (len(convolutions), len(recurrences), len(projections)) != (CONVOLUTIONS, 1, 1):
        return
    named = {f"conv{place + 1}": each for place, each in enumerate(convolutions)}
    named |= {"emb_proj": projections[0], **_recurrence(recurrences[0])}
    for name, layer in named.items():
        for part in ("weight", "bias"):
            tensor = _state(layer).get(part)
            if not isinstance(tensor, Stored):
                raise Damaged(f"its layer {name} has no {part}")
            yield f"{name}.{part}", tensor


def _recurrence(graph: StandIn) -> dict[str, StandIn]:
    """Layers of all steps share their weights, so that one of each will do."""
    nodes = list(_listed(graph.state, "forwardnodes"))
    read = {
        id(child)
        for node in nodes
        if _kind(_module(node)) == "Identity"
        for child in _listed(node.state, "children")
    }
    found: dict[str, StandIn] = {}
    for node in nodes:
        linear = next((each for each in _within(_module(node)) if _kind(each) == "Linear"), None)
        if linear is not None:
            side = "i2h" if id(node) in read else "h2h"
            found.setdefault(f"rnn.{side}{_gate(node)}", linear)
    return found


def _gate(node: StandIn) -> str:
    """What a layer's outcome, added to another's, decides."""
    for added in _listed(node.state, "children"):
        readers = [added, *_listed(added.state, "children")]
        for reader in readers:
            if _kind(_module(reader)) == "Sigmoid":
                # What is not updated is kept: 1 - u.
                kinds = {_kind(_module(each)) for each in _listed(reader.state, "children")}
                return "_update" if "MulConstant" in kinds else "_reset"
    return ""


def _within(module: Any, depth: int = 0) -> Iterator[StandIn]:
    """A module and those in it, in their order; graphs in it are given whole."""
    if isinstance(module, StandIn) and depth < DEEPEST:
        yield module
        if depth == 0 or _kind(module) != "gModule":
            for each in _listed(module.state, "modules"):
                yield from _within(each, depth + 1)


def _listed(state: Any, name: str) -> Iterator[StandIn]:
    """The objects of a list, which Lua counts from 1."""
    table = state.get(name) if isinstance(state, dict) else None
    if isinstance(table, dict):
        for place in range(1, len(table) + 1):
            if isinstance(each := table.get(place), StandIn):
                yield each


def _module(node: StandIn) -> Any:
    data = _state(node).get("data")
    return data.get("module") if isinstance(data, dict) else None


def _state(value: StandIn) -> dict[Any, Any]:
    return value.state if isinstance(value.state, dict) else {}


def _kind(value: Any) -> str:
    return type(value).__name__ if isinstance(value, StandIn) else ""
