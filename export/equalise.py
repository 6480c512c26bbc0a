"""The channels of a map are brought to one reach, which changes nothing that the graph computes.

In eight bits a map has one scale, so a channel that reaches far leaves the others few levels. Here
each channel is divided by its reach where it is made and multiplied by it where it is read. Mostly
both are convolutions, whose weights, which have a scale for each channel, take it in; elsewhere a
product is inserted.

Source:
    Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
    section 4.1, with the reach of the maps in place of that of the weights.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from t2i.export.nodes import refill, told

Floats = npt.NDArray[np.float32]
Reach = Mapping[str, Floats]
"""The greatest absolute value of each channel (C) of maps (B, C, H, W)."""
LEAST = 1e-3
"""Of a map's greatest reach: so much is taken for that of its silent channels."""
CHANNELWISE = ("LeakyRelu", "Relu", "Resize")
"""Operators that a positive factor of a channel passes through."""

Channel = tuple[str, int]


def equalised(model: onnx.ModelProto, reach: Reach) -> tuple[onnx.ModelProto, Mapping[str, Floats]]:
    """A copy that computes the same, over maps whose channels reach equally far.

    Args:
        reach: of the maps that are to be rounded.

    Returns:
        The copy, and what the channels of its maps are divided by; others are as they were.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.value_info[:]
    links = Links(made.graph, reach)
    factors = links.factors()
    graph, weights = made.graph, {each.name: each for each in made.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    whole: set[str] = set()
    for node in graph.node:
        folds = convolves(node, weights)
        if folds:
            _fold(graph, node, weights, factors)
        for place, name in enumerate(node.input):
            if name in factors and not (folds or links.passes(node, name)):
                if name not in whole:
                    whole.add(name)
                    nodes.append(_product(graph, name, f"{name}.whole", factors[name]))
                node.input[place] = f"{name}.whole"
        nodes.append(node)
        for place, name in enumerate(node.output):
            if name in factors and not (folds or links.passes(node, name)):
                node.output[place] = f"{name}.made"
                nodes.append(_product(graph, f"{name}.made", name, np.reciprocal(factors[name])))
    refill(graph, nodes, graph.initializer)
    return made, factors


def convolves(node: onnx.NodeProto, weights: Mapping[str, onnx.TensorProto]) -> bool:
    """Whether it is a convolution over all channels, with constant weights."""
    return (
        node.op_type == "Conv"
        and all(name in weights for name in node.input[1:])
        and told(node).get("group", 1) == 1
    )


class Links:
    """Which channels have one factor: what a sum, a gate or a rearrangement makes, and of what."""

    def __init__(self, graph: onnx.GraphProto, reach: Reach) -> None:
        self._graph, self._reach = graph, reach
        self._made = {name: node for node in graph.node for name in node.output}
        self._readers = Counter(name for node in graph.node for name in node.input)
        self._parents: dict[Channel, Channel] = {}
        self._passed: set[tuple[str, str]] = set()
        for node in graph.node:
            made = node.output[0]
            for reader, given, first in self._given(node) if made in reach else ():
                for number in range(len(reach[given])):
                    self._parents[self._root((given, number))] = self._root((made, first + number))
                self._passed |= {(reader.name, given), (node.name, made)}

    def passes(self, node: onnx.NodeProto, name: str) -> bool:
        """Whether a factor of this map passes through this node, which makes or reads it."""
        return (node.name, name) in self._passed

    def factors(self) -> dict[str, Floats]:
        """By what to divide the channels of maps, where convolutions that read them gain by it."""
        weights = {each.name: each for each in self._graph.initializer}
        read = {node.input[0] for node in self._graph.node if convolves(node, weights)}
        ends = {each.name for each in (*self._graph.input, *self._graph.output)}
        greatest, gaining, fixed = dict[Channel, float](), set[Channel](), set[Channel]()
        for name, channels in self._reach.items():
            for number, value in enumerate(np.maximum(channels, LEAST * channels.max())):
                root = self._root((name, number))
                greatest[root] = max(greatest.get(root, 0.0), float(value))
                if name in read:
                    gaining.add(root)
                if name in ends:
                    fixed.add(root)
        gaining = {root for root in gaining - fixed if greatest[root] > 0}
        found: dict[str, Floats] = {}
        for name, channels in self._reach.items():
            roots = [self._root((name, number)) for number in range(len(channels))]
            if not gaining.isdisjoint(roots):
                values = [greatest[root] if root in gaining else 1.0 for root in roots]
                found[name] = np.array(values, np.float32)
        return found

    def _root(self, channel: Channel) -> Channel:
        """What stands for all channels that have the factor of this one."""
        while (parent := self._parents.get(channel, channel)) != channel:
            channel = parent
        return channel

    def _given(self, node: onnx.NodeProto) -> Iterator[tuple[onnx.NodeProto, str, int]]:
        """The maps whose factors come out of a node, who reads them, and as which channels on."""
        given = [name for name in node.input if name in self._reach]
        counts = [len(self._reach[name]) for name in given]
        same = len(given) == 2 and set(counts) == {len(self._reach[node.output[0]])}
        gates = [name for name in given if self._is_gate(name)]
        if node.op_type in CHANNELWISE or (node.op_type == "Add" and same):
            yield from ((node, name, 0) for name in given)
        elif node.op_type == "Mul" and same and len(gates) == 1:
            yield from ((node, name, 0) for name in given if name not in gates)
        elif node.op_type == "Concat" and len(given) == len(node.input):
            if told(node)["axis"] == 1:
                firsts = np.cumsum([0, *counts[:-1]]).tolist()
                yield from ((node, *each) for each in zip(given, firsts, strict=True))
        elif node.op_type == "DepthToSpace":
            yield from ((reader, name, 0) for reader, name in self._corners(node))

    def _is_gate(self, name: str) -> bool:
        return name in self._made and self._made[name].op_type == "Sigmoid"

    def _corners(self, node: onnx.NodeProto) -> Iterator[tuple[onnx.NodeProto, str]]:
        """The maps that are interleaved, as `rewrite.Interleave` writes it."""
        reshape = self._before(node, "Reshape")
        stack = reshape and self._before(reshape, "Concat")
        if stack is None or told(stack)["axis"] != 2:
            return
        corners = [self._before(stack, "Unsqueeze", place) for place in range(len(stack.input))]
        if all(corners) and told(node).get("mode") == b"CRD":
            yield from ((each, each.input[0]) for each in corners if each)

    def _before(self, node: onnx.NodeProto, kind: str, place: int = 0) -> onnx.NodeProto | None:
        """What makes an input of a node, where it is of this kind and nothing else reads it."""
        name = node.input[place]
        before = self._made.get(name)
        alone = self._readers[name] == 1
        return before if before is not None and before.op_type == kind and alone else None


def _fold(
    graph: onnx.GraphProto,
    node: onnx.NodeProto,
    weights: Mapping[str, onnx.TensorProto],
    factors: Mapping[str, Floats],
) -> None:
    """Let a convolution read what was divided, and divide what it makes."""
    read, made = factors.get(node.input[0]), factors.get(node.output[0])
    weight, *bias = (numpy_helper.to_array(weights[name]) for name in node.input[1:])
    if read is not None:
        weight = weight * read.reshape(1, -1, *[1] * (weight.ndim - 2))
    if made is not None:
        weight = weight / made.reshape(-1, *[1] * (weight.ndim - 1))
        bias = [each / made for each in bias]
    if read is None and made is None:
        return
    for place, values in enumerate((weight, *bias), start=1):
        name = f"{node.name}.{node.input[place]}"  # others may read the same constant
        graph.initializer.append(numpy_helper.from_array(values, name))
        node.input[place] = name


def _product(graph: onnx.GraphProto, given: str, made: str, factor: Floats) -> onnx.NodeProto:
    graph.initializer.append(numpy_helper.from_array(factor.reshape(1, -1, 1, 1), f"{made}.factor"))
    return helper.make_node("Mul", [given, f"{made}.factor"], [made], name=f"{made}.product")
