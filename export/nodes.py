"""Graphs of ONNX, node by node."""

from collections.abc import Collection, Iterable
from typing import Any

import onnx
from onnx import helper

IR_VERSION = 10  # newer ones are refused by runtimes in use


def told(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes of a node, by name."""
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def kinds(graph: onnx.GraphProto) -> dict[str, int]:
    """Of what type each value is, where shapes were inferred."""
    values = (*graph.value_info, *graph.input, *graph.output)
    return {each.name: each.type.tensor_type.elem_type for each in values}


def refill(
    graph: onnx.GraphProto,
    nodes: Collection[onnx.NodeProto],
    constants: Iterable[onnx.TensorProto],
) -> None:
    """Put nodes in the place of those that are there, and of the constants those that they read."""
    read = {name for node in nodes for name in node.input}
    kept = [each for each in constants if each.name in read]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
