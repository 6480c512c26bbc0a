"""What is written otherwise for TensorRT computes the same."""

from itertools import product
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper

from t2i.export.check import start
from t2i.export.parsable import parsable

SIZES = [(8, 8), (5, 9), (31, 17), (64, 100)]


def resize(kind: int, mode: str, new: tuple[int, int]) -> onnx.ModelProto:
    """A picture (B, 3, H, W) of another size."""
    sizes = numpy_helper.from_array(np.array(new, np.int64), "new")
    nodes = [
        helper.make_node("Shape", ["image"], ["kept"], start=0, end=2),
        helper.make_node("Concat", ["kept", "new"], ["sizes"], axis=0),
        helper.make_node(
            "Resize",
            ["image", "", "", "sizes"],
            ["resized"],
            mode=mode,
            antialias=1,
            exclude_outside=1,
            cubic_coeff_a=-0.5,
            coordinate_transformation_mode="half_pixel",
        ),
        helper.make_node("Cast", ["resized"], ["out"], to=TensorProto.FLOAT),
    ]
    image = helper.make_tensor_value_info("image", kind, ["B", 3, "H", "W"])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["B", 3, *new])
    graph = helper.make_graph(nodes, "resize", [image], [out], [sizes])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def run(model: onnx.ModelProto, image: np.ndarray) -> Any:
    return start(model, threads=1).run(["out"], {"image": image})[0]


def is_read(model: onnx.ModelProto) -> bool:
    """Whether nothing is left that TensorRT does not read."""
    kinds = {node.op_type for node in model.graph.node}
    readers = [node.op_type for node in model.graph.node if "image" in node.input]
    of_levels = model.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8
    return "Resize" not in kinds and (not of_levels or readers == ["Cast"])


@pytest.mark.parametrize(("old", "new"), list(product(SIZES, SIZES)), ids=str)
def test_bilinear_resizing_gives_what_pytorch_gives(
    old: tuple[int, int], new: tuple[int, int]
) -> None:
    image = np.random.default_rng(0).uniform(-1, 1, (2, 3, *old)).astype(np.float32)
    model = parsable(resize(TensorProto.FLOAT, "linear", new))
    assert is_read(model)
    wanted = F.interpolate(torch.from_numpy(image), new, mode="bilinear", antialias=True)
    np.testing.assert_allclose(run(model, image), wanted, atol=1e-5)


@pytest.mark.parametrize(("old", "new"), list(product(SIZES, SIZES)), ids=str)
def test_levels_are_resized_to_levels(old: tuple[int, int], new: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (2, 3, *old), np.uint8)
    plain = resize(TensorProto.UINT8, "cubic", new)
    model = parsable(plain)
    assert is_read(model)
    found = run(model, image)
    assert (found == found.round()).all()
    assert np.abs(found - run(plain, image)).max() <= 1  # where sums lie between two levels


def test_half_floats_stay_half_floats() -> None:
    image = np.random.default_rng(0).uniform(-1, 1, (2, 3, 31, 17)).astype(np.float16)
    plain = resize(TensorProto.FLOAT16, "linear", (8, 9))
    found = run(parsable(plain), image)
    wanted = run(parsable(resize(TensorProto.FLOAT, "linear", (8, 9))), image.astype(np.float32))
    np.testing.assert_allclose(found, wanted, atol=2e-3)
    assert (found == found.astype(np.float16)).all()


def test_the_graph_that_is_given_stays_as_it_is() -> None:
    plain = resize(TensorProto.UINT8, "cubic", (8, 8))
    before = plain.SerializeToString(deterministic=True)
    parsable(plain)
    assert plain.SerializeToString(deterministic=True) == before
