"""Channels reach equally far, and the graph computes what it computed."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from rounded import feeds, generator

from t2i.export import quantise
from t2i.export.equalise import convolves, equalised
from t2i.export.quantise import Quantiser, drawn, extremes, psnr


def reaches(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Of all maps, over some pictures."""
    whole = onnx.shape_inference.infer_shapes(model)
    values = [*whole.graph.value_info, *whole.graph.output]
    maps = [each.name for each in values if len(each.type.tensor_type.shape.dim) == 4]
    found = extremes(whole, [feeds(0), feeds(1)], maps)
    return {name: np.maximum(-low, high) for name, (low, high) in found.items()}


@pytest.mark.parametrize("seed", range(3))
def test_the_same_is_drawn(seed: int) -> None:
    model = generator(seed)
    levelled, _ = equalised(model, reaches(model))
    onnx.checker.check_model(levelled, full_check=True)
    assert levelled != model
    for given in (feeds(0), feeds(5)):
        np.testing.assert_allclose(drawn(levelled, given), drawn(model, given), atol=2e-5)


def test_channels_of_what_convolutions_read_reach_equally_far() -> None:
    model = generator()
    levelled, _ = equalised(model, reaches(model))
    weights = {each.name: each for each in levelled.graph.initializer}
    read = {node.input[0] for node in levelled.graph.node if convolves(node, weights)}
    before, after = reaches(model), reaches(levelled)
    spread = {name: before[name].max() / before[name].min() for name in read}
    assert max(spread.values()) > 10
    made = {name: node.op_type for node in levelled.graph.node for name in node.output}
    for name in read:
        # Where a sum or corners share a factor with what they are made of, only the largest is 1.
        assert after[name].max() <= 1 + 1e-5, made[name]
        assert after[name].max() / after[name].min() < spread[name], made[name]


def test_what_is_not_linear_and_what_is_given_out_stay_as_they_are() -> None:
    model = generator()
    before, after = reaches(model), reaches(equalised(model, reaches(model))[0])
    untouched = [n.input[0] for n in model.graph.node if n.op_type in ("Sigmoid", "Tanh")]
    for name in untouched:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-4)


def test_silent_channels_are_no_trouble() -> None:
    model = generator()
    silent = {name: np.zeros_like(channels) for name, channels in reaches(model).items()}
    assert drawn(equalised(model, silent)[0], feeds(0)) == pytest.approx(drawn(model, feeds(0)))


def near(model: onnx.ModelProto) -> float:
    """In dB, how near pictures in eight bits are."""
    rounded = Quantiser(model, [feeds(0), feeds(1)], "full").rounded()
    return psnr(drawn(model, feeds(9)), drawn(rounded, feeds(9)))


@pytest.mark.slow
def test_a_channel_that_reaches_far_takes_no_levels_from_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, stretched = generator(), generator()
    stretch(stretched, 100)
    assert near(stretched) == pytest.approx(near(model), abs=0.2)
    monkeypatch.setattr(quantise, "equalised", lambda model, reach: (model, {}))
    assert near(stretched) < near(model) - 3


def stretch(model: onnx.ModelProto, factor: float) -> None:
    """Let a channel between two convolutions reach further, and be read as before."""
    made = {name: node for node in model.graph.node for name in node.output}
    weights = {each.name: each for each in model.graph.initializer}
    for reader in model.graph.node:
        gate = made.get(reader.input[0])
        if reader.op_type == "Conv" and gate is not None and gate.op_type == "Mul":
            value = made[gate.input[0]]
            for name, rows in ((value.input[1], (0,)), (value.input[2], (0,))):
                multiply(weights[name], rows, factor)
            multiply(weights[reader.input[1]], (slice(None), 0), 1 / factor)


def multiply(weight: onnx.TensorProto, rows: tuple[object, ...], factor: float) -> None:
    values = numpy_helper.to_array(weight).copy()
    values[rows] *= factor
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
