"""A graph is loaded only if all its weights lie in its own file."""

from pathlib import Path

import bundles
import onnx
import onnxruntime
import pytest
from bundles import refused, save_manifest
from onnx import TensorProto, helper

from t2i.runtime.bundle import Bundle
from t2i.runtime.draw import Painter
from t2i.runtime.errors import BundleError
from t2i.runtime.graph_files import refuse_other_files


def external(name: str = "outside") -> onnx.TensorProto:
    """Weights that a loader would read from any file of this machine."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return tensor


def hidden(place: str) -> onnx.ModelProto:
    """A graph with such weights in one of the places where weights can be."""
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    constant = helper.make_node("Constant", [], ["y"], value=external())
    match place:
        case "initializer":
            nodes = [helper.make_node("Identity", ["outside"], ["y"])]
            built = helper.make_graph(nodes, "g", [], [output], [external()])
        case "sparse initializer":
            sparse = onnx.SparseTensorProto(values=external(), dims=[4])
            nodes = [helper.make_node("Identity", ["outside"], ["y"])]
            built = helper.make_graph(nodes, "g", [], [output], sparse_initializer=[sparse])
        case "attribute":
            built = helper.make_graph([constant], "g", [], [output])
        case "list attribute":
            node = helper.make_node("Odd", [], ["y"], domain="odd", values=[external()])
            built = helper.make_graph([node], "g", [], [output])
        case "branch":
            inner = helper.make_graph([constant], "inner", [], [output])
            condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
            node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
            built = helper.make_graph([node], "g", [condition], [output])
        case _:
            built = helper.make_graph(
                [helper.make_node("Odd", [], ["y"], domain="odd")], "g", [], [output]
            )
    model = helper.make_model(built, ir_version=10, opset_imports=[helper.make_opsetid("", 17)])
    if place == "function":
        opsets = [helper.make_opsetid("", 17)]
        model.functions.append(helper.make_function("odd", "Odd", [], ["y"], [constant], opsets))
    elif place == "training":
        model.training_info.add().algorithm.CopyFrom(hidden("attribute").graph)
    return model


PLACES = [
    "initializer", "sparse initializer", "attribute", "list attribute", "branch", "function",
    "training",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_weights_in_another_file_are_refused_before_anything_loads_them(
    own_bundle: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a session was made")

    monkeypatch.setattr(onnxruntime, "InferenceSession", never)
    (own_bundle / "generator.onnx").write_bytes(hidden(place).SerializeToString())
    save_manifest(own_bundle, bundles.manifest(own_bundle))
    assert "from another file" in refused(own_bundle)


def test_weights_that_say_they_are_inside_are_accepted() -> None:
    model = hidden("initializer")
    del model.graph.initializer[0].external_data[:]
    model.graph.initializer[0].data_location = TensorProto.DEFAULT
    refuse_other_files(model.SerializeToString(), "g.onnx")


def test_an_engine_in_another_file_is_refused() -> None:
    node = helper.make_node("EPContext", [], ["y"], domain="com.microsoft", ep_cache_context="/x")
    built = helper.make_graph([node], "g", [], [helper.make_tensor_value_info("y", 1, [4])])
    with pytest.raises(BundleError, match="engine"):
        refuse_other_files(helper.make_model(built).SerializeToString(), "g.onnx")


@pytest.mark.parametrize("role", ["text", "generator"])
def test_a_truncated_graph_with_a_fitting_hash_is_refused(own_bundle: Path, role: str) -> None:
    file = own_bundle / f"{role}.onnx"
    data = file.read_bytes()
    for end in range(1, len(data), max(1, len(data) // 150)):
        file.write_bytes(data[:end])
        save_manifest(own_bundle, bundles.manifest(own_bundle))
        with pytest.raises(BundleError) as caught:
            Painter(Bundle.load(own_bundle), device="cpu", threads=1)
        assert caught.value.hint


@pytest.mark.parametrize(
    "data", [b"\xff" * 20, b"\x07", b"\x3a\xff\xff\xff\xff\x7f", b"\x3b", b"<html></html>"]
)
def test_what_is_no_graph_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match="no whole ONNX"):
        refuse_other_files(data, "g.onnx")
