"""A char-CNN-RNN encoder among what Torch7 wrote, told by the graph of its modules.

A graph names no layer, so each is told by its place: convolutions by their order, and the layers of
the recurrence by what they read (the caption or the last state) and what reads them (a gate or the
next state).

Source: `HybridCNN`, `HybridCNNLong`, `FixedRNN` and `FixedGRU` of reedscot/cvpr2016 and icml2016.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from t2i.export.official.pickles import StandIn
from t2i.export.official.stored import Stored
from t2i.export.official.torch7 import kind_of, listed, state_of, weights_of

CONVOLUTIONS = 3
DEEPEST, MOST = 16, 1000
"""Levels of modules in each other, and modules that are looked at: an encoder has some dozens."""


def layers(graph: StandIn) -> Iterator[tuple[str, Stored]]:
    """Its tensors, named as in its PyTorch port; nothing where it is another network."""
    if kind_of(graph) != "gModule":
        return
    within = list(islice(_within(graph), 1, MOST))
    convolutions = [each for each in within if kind_of(each) == "TemporalConvolution"]
    recurrences = [each for each in within if kind_of(each) == "gModule"]
    projections = [each for each in listed(graph, "modules") if kind_of(each) == "Linear"]
    if (len(convolutions), len(recurrences), len(projections)) != (CONVOLUTIONS, 1, 1):
        return
    named = {f"conv{place + 1}": each for place, each in enumerate(convolutions)}
    named |= {"emb_proj": projections[0], **_recurrence(recurrences[0])}
    for name, layer in named.items():
        yield from weights_of(layer, name, ("weight", "bias"))


def _recurrence(graph: StandIn) -> dict[str, StandIn]:
    """Layers of all steps share their weights, so that one of each will do."""
    nodes = list(listed(graph, "forwardnodes"))
    read = {
        id(child)
        for node in nodes
        if kind_of(_module(node)) == "Identity"
        for child in listed(node, "children")
    }
    found: dict[str, StandIn] = {}
    for node in nodes:
        within = islice(_within(_module(node)), MOST)
        linear = next((each for each in within if kind_of(each) == "Linear"), None)
        if linear is not None:
            side = "i2h" if id(node) in read else "h2h"
            found.setdefault(f"rnn.{side}{_gate(node)}", linear)
    return found


def _gate(node: StandIn) -> str:
    """What a layer's outcome, added to another's, decides."""
    for added in listed(node, "children"):
        readers = [added, *listed(added, "children")]
        for reader in readers:
            if kind_of(_module(reader)) == "Sigmoid":
                # What is not updated is kept: 1 - u.
                kinds = {kind_of(_module(each)) for each in listed(reader, "children")}
                return "_update" if "MulConstant" in kinds else "_reset"
    return ""


def _within(module: Any, depth: int = 0) -> Iterator[StandIn]:
    """A module and those in it, in their order; graphs in it are given whole."""
    if isinstance(module, StandIn) and depth < DEEPEST:
        yield module
        if depth == 0 or kind_of(module) != "gModule":
            for each in listed(module, "modules"):
                yield from _within(each, depth + 1)


def _module(node: StandIn) -> Any:
    data = state_of(node).get("data")
    return data.get("module") if isinstance(data, dict) else None
