"""Eight bits between constant scales: near, alike in any company, and as many as can be."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from rounded import feeds, generator

from t2i.export import quantise
from t2i.export.fitting import Range
from t2i.export.quantise import Quantised, drawn, psnr, quantised, units
from t2i.runtime.errors import ExportError

FITTED = [feeds(0), feeds(1), feeds(2)]


def brought(weights: Range = "full") -> Quantised:
    return quantised(generator(), FITTED, feeds(3), weights)


@pytest.fixture(scope="module")
def made() -> Quantised:
    return brought()


def constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}


def test_pictures_are_near_and_all_convolutions_multiply_whole_numbers(
    made: Quantised, tmp_path: Path
) -> None:
    onnx.checker.check_model(made.model, full_check=True)
    assert psnr(drawn(generator(), feeds(9)), drawn(made.model, feeds(9))) > quantise.FLOOR_DB
    assert made.kept == ()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "as-it-runs.onnx")
    onnxruntime.InferenceSession(made.model.SerializeToString(), options, ["CPUExecutionProvider"])
    run = Counter(node.op_type for node in onnx.load(tmp_path / "as-it-runs.onnx").graph.node)
    before = Counter(node.op_type for node in generator().graph.node)
    assert run["QLinearConv"] == before["Conv"]
    assert run["Conv"] + run["FusedConv"] == 0
    assert run["QLinearSigmoid"] == before["Sigmoid"]
    assert run["QLinearMul"] == before["Mul"]


def test_scales_are_constants_of_maps_unsigned_and_of_weights_signed_by_channel(
    made: Quantised,
) -> None:
    model = made.model
    held, kinds = constants(model), Counter[str]()
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            assert held[node.input[1]].shape == ()
            assert held[node.input[2]].dtype == np.uint8
        if node.op_type == "DequantizeLinear" and node.input[0] in held:
            values, scales = held[node.input[0]], held[node.input[1]]
            kinds[str(values.dtype)] += 1
            if values.dtype == np.int8:
                assert scales.shape == values.shape[:1]
                assert not held[node.input[2]].any()
    convolutions = sum(node.op_type == "Conv" for node in model.graph.node)
    assert kinds == {"int8": convolutions, "int32": convolutions}  # weights and biases


def test_neighbours_change_no_picture(made: Quantised) -> None:
    model, given = made.model, feeds(5)
    together = drawn(model, given)
    for place in range(len(together)):
        alone = drawn(model, {"noise": given["noise"][place : place + 1]})
        np.testing.assert_allclose(alone[0], together[place], atol=1e-6)


@pytest.mark.parametrize(("weights", "most"), [("full", 127), ("reduced", 64)])
def test_a_reduced_range_has_one_bit_less(weights: Range, most: int) -> None:
    whole = [v for v in constants(brought(weights).model).values() if v.dtype == np.int8 and v.ndim]
    assert max(np.abs(each.astype(int)).max() for each in whole) == most


def test_the_same_is_made_twice(made: Quantised) -> None:
    assert brought().model == made.model


@pytest.mark.slow
def test_layers_return_to_float32_until_pictures_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = psnr(drawn(generator(), feeds(3)), drawn(brought().model, feeds(3)))
    monkeypatch.setattr(quantise, "AIM_DB", whole + 2)
    made = brought()
    found = psnr(drawn(generator(), feeds(3)), drawn(made.model, feeds(3)))
    assert found >= whole + 2
    weights = {node.input[1] for node in generator().graph.node if node.op_type == "Conv"}
    assert set() < set(made.kept) < weights


@pytest.mark.slow
def test_what_cannot_be_near_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantise, "AIM_DB", 200.0)
    with pytest.raises(ExportError, match="no layer of this generator can be in eight bits"):
        brought()


def test_without_convolutions_there_is_nothing_to_do() -> None:
    model = generator()
    for node in model.graph.node:
        if node.op_type == "Conv":
            node.op_type = "Other"
    with pytest.raises(ExportError, match="int8 would change nothing"):
        quantised(model, FITTED, feeds(3), "full")


def test_units_are_the_readers_of_one_map_and_what_it_is_made_of() -> None:
    graph = onnx.shape_inference.infer_shapes(generator()).graph
    found = units(graph)
    convolutions = [node.name for node in graph.node if node.op_type == "Conv"]
    held = [name for unit in found for name in unit.nodes if name in convolutions]
    assert sorted(held) == sorted(convolutions)  # each once
    corners = next(unit for unit in found if len(convolutions_of(unit.nodes, convolutions)) == 8)
    assert corners.work == 8 * 6 * 12 * 9 * 8 * 8  # outputs, inputs, 3 × 3, places


def convolutions_of(nodes: tuple[str, ...], convolutions: list[str]) -> list[str]:
    return [name for name in nodes if name in convolutions]


def test_psnr_is_of_numbers_between_minus_one_and_one() -> None:
    wanted = np.zeros((1, 3, 4, 4), np.float32)
    assert psnr(wanted, wanted) == float("inf")
    assert psnr(wanted, wanted + 2) == pytest.approx(0)  # as far as black is from white
    assert psnr(wanted, wanted + 0.02) == pytest.approx(40)
