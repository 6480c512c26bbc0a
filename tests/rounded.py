"""A small generator as a graph: gates, a residual, corners that are interleaved, and attention."""

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

C, PX = 6, 8
SEEDS = 12
Feeds = dict[str, npt.NDArray[np.float32]]


class Layers:
    """Nodes and weights, one after the other. Channels of all maps reach unlike far."""

    def __init__(self, seed: int = 0) -> None:
        self.dice = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, *given: str, **attributes: object) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(given), [name], f"n_{name}", **attributes))
        return name

    def constant(self, values: npt.ArrayLike) -> str:
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def conv(self, given: str, inputs: int, outputs: int, gain: float = 0.5) -> str:
        reach = gain * np.exp(self.dice.normal(size=(outputs, 1, 1, 1)))
        weight = reach * self.dice.normal(size=(outputs, inputs, 3, 3)) / (9 * inputs) ** 0.5
        bias = gain * self.dice.normal(size=outputs) / 4
        held = (self.constant(each.astype(np.float32)) for each in (weight, bias))
        return self.add("Conv", given, *held, pads=[1] * 4)

    def gated(self, given: str, inputs: int, outputs: int) -> str:
        value, gate = (self.conv(given, inputs, outputs) for _ in range(2))
        return self.add("Mul", value, self.add("Sigmoid", gate))


def generator(seed: int = 0) -> onnx.ModelProto:
    """From `noise` (B, SEEDS) to `image` (B, 3, 2 PX, 2 PX)."""
    layers = Layers(seed)
    matrix = layers.dice.normal(size=(SEEDS, C * PX * PX)) / SEEDS**0.5
    flat = layers.add("MatMul", "noise", layers.constant(matrix.astype(np.float32)))
    first = layers.gated(layers.add("Reshape", flat, layers.constant([-1, C, PX, PX])), C, C)
    # What is no convolution reads it too, and gives something whose channels lie beside it.
    places = layers.add("Reshape", first, layers.constant([-1, C, PX * PX]))
    looked = layers.add("Softmax", places, axis=2)
    beside = layers.add("Reshape", looked, layers.constant([-1, C, PX, PX]))
    both = layers.add("Concat", first, beside, axis=1)
    inner = layers.conv(layers.gated(both, 2 * C, C), C, 2 * C)
    summed = layers.add("Add", both, inner)
    corners = [layers.gated(summed, 2 * C, C) for _ in range(4)]
    axis = layers.constant([2])
    stacked = layers.add("Concat", *(layers.add("Unsqueeze", c, axis) for c in corners), axis=2)
    four = layers.add("Reshape", stacked, layers.constant([-1, 4 * C, PX, PX]))
    large = layers.add("DepthToSpace", four, blocksize=2, mode="CRD")
    leaky = layers.add("LeakyRelu", layers.conv(large, C, C), alpha=0.2)
    layers.nodes.append(
        helper.make_node("Tanh", [layers.conv(leaky, C, 3, gain=1)], ["image"], "n_image")
    )
    ends = (("noise", ["B", SEEDS]), ("image", ["B", 3, 2 * PX, 2 * PX]))
    begin, end = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in ends)
    graph = helper.make_graph(layers.nodes, "generator", [begin], [end], layers.weights)
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(model, full_check=True)
    return model


def feeds(seed: int, count: int = 8) -> Feeds:
    noise = np.random.default_rng(seed).normal(size=(count, SEEDS))
    return {"noise": noise.astype(np.float32)}
