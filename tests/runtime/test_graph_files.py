"""A graph is loaded only if all its weights lie in its own file."""

from dataclasses import replace
from pathlib import Path

import bundles
import numpy as np
import onnx
import onnxruntime
import pytest
from bundles import refused, save_manifest, zipped
from onnx import TensorProto, helper

from t2i.runtime.bundle import Bundle
from t2i.runtime.draw import Painter, load
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


def beside(bundle: Path, *told: tuple[str, str]) -> Bundle:
    """The bundle, its generator's first weight in a file of the bundle; this is said of it."""
    model = onnx.load(bundle / "generator.onnx")
    weight = next(each for each in model.graph.initializer if each.raw_data)
    (bundle / "weights.data").write_bytes(bytes(64) + weight.raw_data)
    size = str(len(weight.raw_data))
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in told:
        weight.external_data.add(key=key, value=value.replace("SIZE", size))
    (bundle / "generator.onnx").write_bytes(model.SerializeToString())
    manifest = replace(bundles.manifest(bundle), weights=bundles.file(bundle, "weights.data"))
    save_manifest(bundle, manifest)
    return Bundle.load(bundle)


LOCATION, OFFSET, LENGTH = ("location", "weights.data"), ("offset", "64"), ("length", "SIZE")


def test_weights_in_the_bundles_own_file_are_read(own_bundle: Path, tiny_bundle: Path) -> None:
    bundle = beside(own_bundle, LOCATION, OFFSET, LENGTH)
    wanted = load(tiny_bundle, device="cpu", threads=1).draw(["red"], seed=3)
    for each in (bundle, bundle.carried(), Bundle.load(zipped(own_bundle))):
        found = Painter(each, device="cpu", threads=1).draw(["red"], seed=3)
        assert np.abs(found.astype(int) - wanted).max() <= 1
    weights = bundle.manifest.weights
    assert weights
    (own_bundle / "weights.data").write_bytes(bytes(weights.bytes))
    assert "weights.data of own.t2i is not the file" in refused(own_bundle)
    (own_bundle / "weights.data").unlink()
    assert "has no weights.data" in refused(own_bundle)


@pytest.mark.parametrize(
    "told",
    [
        [],
        [LOCATION],
        [LOCATION, OFFSET],
        [LOCATION, LENGTH],
        [OFFSET, LENGTH],
        [LOCATION, OFFSET, LENGTH, ("checksum", "0")],
        [LOCATION, OFFSET, LENGTH, LENGTH],
        [LOCATION, LOCATION, OFFSET],
        [("location", "./weights.data"), OFFSET, LENGTH],
        [("location", "proof.npz"), OFFSET, LENGTH],
        [("location", "../own.t2i/weights.data"), OFFSET, LENGTH],
        [("location", "/etc/passwd"), ("offset", "0"), ("length", "1")],
        [("location", ""), OFFSET, LENGTH],
        [LOCATION, ("offset", "128"), LENGTH],
        [LOCATION, ("offset", "63"), LENGTH],
        [LOCATION, ("offset", "-64"), LENGTH],
        [LOCATION, ("offset", ""), LENGTH],
        [LOCATION, ("offset", " 64"), LENGTH],
        [LOCATION, ("offset", "0x40"), LENGTH],
        [LOCATION, OFFSET, ("length", "9" * 5000)],
        [LOCATION, OFFSET, ("length", "99999999")],
    ],
)
def test_any_other_place_is_refused(own_bundle: Path, told: list[tuple[str, str]]) -> None:
    with pytest.raises(BundleError, match="takes its weights from another file"):
        beside(own_bundle, *told)


def test_no_bundle_has_more_weights_than_may_be(own_bundle: Path) -> None:
    file = replace(bundles.file(own_bundle, "card.md"), file="weights.data", bytes=2**36 + 1)
    save_manifest(own_bundle, replace(bundles.manifest(own_bundle), weights=file))
    assert "out of range" in refused(own_bundle)


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
