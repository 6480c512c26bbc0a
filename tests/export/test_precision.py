"""Three precisions, each within its tolerance."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from t2i.export.check import difference
from t2i.export.half import KEPT
from t2i.export.precision import SMALL, TOLERANCES, Precision, convert
from t2i.runtime.bundle import Bundle
from t2i.runtime.draw import Painter
from t2i.runtime.errors import ExportError

LEVEL = 2 / 255
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16-stored", "fp16")
Exported = Callable[[Precision], Bundle]


def graph(bundle: Bundle, role: str) -> onnx.ModelProto:
    return onnx.load_from_string(bundle.read(f"{role}.onnx"))


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_bundle_draws_what_pytorch_draws(exported: Exported, precision: Precision) -> None:
    bundle = exported(precision)
    check = bundle.manifest.check
    assert bundle.manifest.precision == precision
    assert check.worst <= check.tolerance == TOLERANCES[precision]
    found = Painter(bundle, device="cpu").selftest()
    assert found.worst_levels * LEVEL <= TOLERANCES[precision]


def test_the_tolerances_are_the_promised_ones() -> None:
    assert TOLERANCES["fp32"] == 1e-4
    assert TOLERANCES["fp16-stored"] == pytest.approx(LEVEL)
    assert TOLERANCES["fp16"] == pytest.approx(2 * LEVEL)


@pytest.mark.slow
def test_both_kinds_of_fp16_are_half_the_size(exported: Exported) -> None:
    full = exported("fp32").graph("generator").bytes
    for precision in ("fp16-stored", "fp16"):
        assert exported(precision).graph("generator").bytes < 0.6 * full


@pytest.mark.slow
def test_fp16_computes_in_fp16_between_float32_inputs_and_outputs(exported: Exported) -> None:
    model = graph(exported("fp16"), "generator")
    values = {**types(onnx.shape_inference.infer_shapes(model).graph)}
    values |= {weight.name: weight.data_type for weight in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.output):
        assert values[value.name] in (TensorProto.FLOAT, TensorProto.BOOL)
    for node in model.graph.node:
        if node.op_type in ("Conv", "Mul", "Gemm", "MatMul", "Sigmoid"):
            assert {values[name] for name in node.input} == {TensorProto.FLOAT16}
        if node.op_type in KEPT:
            assert values[node.input[0]] == TensorProto.FLOAT
    # A sentence is read on the CPU: there fp16 would only cost.
    text = graph(exported("fp16"), "text")
    assert TensorProto.FLOAT16 not in types(text.graph).values()


def types(graph: onnx.GraphProto) -> dict[str, int]:
    values = (*graph.value_info, *graph.input, *graph.output)
    return {each.name: each.type.tensor_type.elem_type for each in values}


def small_graph(weights: np.ndarray) -> onnx.ModelProto:
    """A product, whose exponential is both an output and the input of another node."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("Exp", ["product"], ["grown"]),
        helper.make_node("Mul", ["grown", "product"], ["both"]),
    ]
    shape = ["B", weights.shape[1]]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("grown", "both")
    ]
    begin = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", weights.shape[0]])
    made = helper.make_graph(nodes, "g", [begin], ends, [numpy_helper.from_array(weights, "w")])
    return helper.make_model(made, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])


@given(st.integers(0, 1000))
def test_fp16_keeps_names_types_and_values_of_a_graph(seed: int) -> None:
    random = np.random.default_rng(seed)
    weights = random.normal(size=(8, 40), scale=0.1).astype(np.float32)
    x = random.normal(size=(3, 8)).astype(np.float32)
    full = small_graph(weights)
    half = convert(full, "fp16", "generator", SMALL[0])
    for ours, wanted in zip(
        ReferenceEvaluator(half).run(None, {"x": x}),
        ReferenceEvaluator(full).run(None, {"x": x}),
        strict=True,
    ):
        assert ours.dtype == np.float32
        assert np.allclose(ours, wanted, rtol=0.01, atol=0.005)
    assert convert(full, "fp32", "generator", SMALL[0]) == full == small_graph(weights)


def test_weights_beyond_fp16_are_stored_wide_or_refused() -> None:
    large = small_graph(np.full((8, 40), 1e6, np.float32))
    assert convert(large, "fp16-stored", "generator", SMALL[0]) == large
    with pytest.raises(ExportError, match="'w' are too large"):
        convert(large, "fp16", "generator", SMALL[0])


def test_int8_is_for_graphs_that_multiply_matrices() -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    model = helper.make_model(helper.make_graph([node], "g", [], []))
    with pytest.raises(ExportError, match="'generator' multiplies no matrices"):
        convert(model, "int8", "generator", SMALL[0])


def test_int8_differs_by_the_share_of_the_worst_row() -> None:
    wanted = np.float32([[3, 4], [0, 10]])
    found = np.float32([[3, 4.5], [6, 2]])
    assert difference(wanted, found, "int8") == pytest.approx(1.0)
    assert difference(wanted[:1], found[:1], "int8") == pytest.approx(0.1)
    assert difference(wanted, np.full_like(wanted, np.nan), "int8") == np.inf


def test_what_is_no_number_or_no_picture_of_that_size_differs_without_bound() -> None:
    picture = np.zeros((1, 3, 4, 4), np.float32)
    for wrong in (np.full_like(picture, np.nan), picture[..., :2], picture.astype(np.float16)):
        assert difference(picture, wrong, "fp32") == np.inf
    one_pixel = picture.copy()
    one_pixel[0, 0, 0, 0] = 0.5
    assert difference(picture, one_pixel, "fp16-stored") == 0.5
