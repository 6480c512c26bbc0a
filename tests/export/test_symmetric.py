"""Numbers of eight bits mean the same once TensorRT can read them, to half a step."""

from typing import Any

import numpy as np
import onnx
import pytest
from cards import builds_engines
from onnx import TensorProto, helper, numpy_helper

from t2i.export.check import start
from t2i.export.engine import build
from t2i.export.limits import Limits
from t2i.export.parsable import parsable
from t2i.export.tensorrt import find_library
from t2i.runtime.errors import ExportError
from t2i.runtime.shapes import Profile

SHAPE = (3, 8, 8)
BATCHES = (1, 2, 4)
MOST = 127

Constants = dict[str, np.ndarray]


def model(nodes: list[onnx.NodeProto], constants: Constants) -> onnx.ModelProto:
    """From pictures `given` to `out` of the same size."""
    given, out = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", *SHAPE])
        for name in ("given", "out")
    )
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    graph = helper.make_graph(nodes, "eight", [given], [out], weights)
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def rounded(name: str, zero: int, kind: type[np.integer[Any]], scale: float) -> Constants:
    return {f"{name}.s": np.float32([scale]).reshape(()), f"{name}.z": np.array(zero, kind)}


def both(given: str, name: str, out: str) -> list[onnx.NodeProto]:
    """Round, and widen."""
    how = [f"{name}.s", f"{name}.z"]
    return [
        helper.make_node("QuantizeLinear", [given, *how], [f"{name}.q"]),
        helper.make_node("DequantizeLinear", [f"{name}.q", *how], [out]),
    ]


def run(made: onnx.ModelProto, given: np.ndarray) -> np.ndarray:
    return np.asarray(start(made, threads=1).run(["out"], {"given": given})[0])


@pytest.mark.parametrize(
    ("zero", "kind", "least", "most"),
    [
        (0, np.uint8, 0, 255),
        (255, np.uint8, -255, 0),
        (100, np.uint8, -100, 155),
        (-28, np.int8, -100, 155),
        (0, np.int8, -128, 127),
    ],
)
def test_a_number_is_rounded_to_half_a_step_and_cut_off_where_it_was(
    zero: int, kind: type[np.integer[Any]], least: int, most: int
) -> None:
    scale = 0.25
    plain = model(both("given", "a", "out"), rounded("a", zero, kind, scale))
    dice = np.random.default_rng(0)
    given = dice.uniform(-100, 100, (2, *SHAPE)).astype(np.float32)
    step = max(-least, most) * scale / MOST
    wanted = np.clip(given, least * scale, most * scale)
    for made, half in ((plain, scale / 2), (parsable(plain), step / 2)):
        assert np.abs(run(made, given) - wanted).max() <= half + 1e-4


def convolution() -> onnx.ModelProto:
    """Rounded numbers, weights with a scale a channel, and a bias of whole numbers."""
    dice = np.random.default_rng(1)
    constants = {
        "w": dice.integers(-127, 128, (3, 3, 3, 3)).astype(np.int8),
        "w.s": np.float32([0.001, 0.002, 0.003]),
        "w.z": np.zeros(3, np.int8),
        "b": np.array([100, -200, 300], np.int32),
        "b.s": np.float32([0.01, 0.02, 0.03]),
        **rounded("a", 128, np.uint8, 0.01),
        **rounded("c", 0, np.uint8, 0.01),
    }
    nodes = [
        *both("given", "a", "a"),
        helper.make_node("DequantizeLinear", ["w", "w.s", "w.z"], ["weight"], axis=0),
        helper.make_node("DequantizeLinear", ["b", "b.s"], ["bias"], axis=0),
        helper.make_node("Conv", ["a", "weight", "bias"], ["sum"], pads=[1, 1, 1, 1]),
        *both("sum", "c", "out"),
    ]
    return model(nodes, constants)


def test_signed_weights_stay_and_biases_become_floats() -> None:
    made = parsable(convolution())
    held = {each.name: numpy_helper.to_array(each) for each in made.graph.initializer}
    assert held["w"].dtype == np.int8
    np.testing.assert_allclose(held["bias"], [1, -4, 9], rtol=1e-6)
    kinds = {value.dtype for value in held.values()}
    assert not kinds & {np.dtype(np.uint8), np.dtype(np.int32)}


def test_a_layer_that_relies_on_what_is_cut_off_gives_what_it_gave() -> None:
    """Here a least number of zero stands for a rectifier."""
    given = np.random.default_rng(2).uniform(-1, 1, (2, *SHAPE)).astype(np.float32)
    wanted, found = run(convolution(), given), run(parsable(convolution()), given)
    assert wanted.min() == found.min() == 0
    # Half a step of the input through 27 weights at most, and half a step of the output.
    bound = 0.01 * 128 / MOST / 2 * 27 * 0.003 * MOST + 0.01 * 255 / MOST
    assert np.abs(wanted - found).max() < bound
    assert np.abs(wanted - found).mean() < 0.01


@pytest.mark.slow
@builds_engines
def test_tensorrt_builds_it_and_not_what_it_was() -> None:
    shapes = {"given": Profile(*((batch, *SHAPE) for batch in BATCHES))}
    plain = convolution()
    with pytest.raises(ExportError, match="cannot build"):
        build(find_library(), plain.SerializeToString(), [shapes], Limits())
    engine, _ = build(find_library(), parsable(plain).SerializeToString(), [shapes], Limits())
    assert engine


def test_blocks_of_eight_bits_are_refused() -> None:
    blocks = helper.make_node(
        "MatMulNBits", ["given", "w", "s"], ["out"], domain="com.microsoft", K=8, N=8, block_size=8
    )
    with pytest.raises(ExportError) as refused:
        parsable(model([blocks], {}))
    assert "--fp16" in refused.value.hint
