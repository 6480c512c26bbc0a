"""TensorRT reads and builds the graphs of every system, in both arithmetics, for any batch.

It is TensorRT-RTX, which needs no card to build. Graphs that differ in nothing but their weights,
such as those of a text encoder that several systems share, are built once.
"""

import hashlib

import onnx
import pytest
from cards import builds_engines
from systems.columns import Column

from t2i.export.engine import build
from t2i.export.limits import Limits
from t2i.export.parsable import parsable
from t2i.export.precision import SMALL, Precision, convert
from t2i.export.tensorrt import find_library, profiles_of

pytestmark = [pytest.mark.slow, builds_engines]

PRECISIONS: tuple[Precision, ...] = ("fp16-stored", "fp16")
"""Computed in float32, and in float16."""


def structure(model: onnx.ModelProto) -> str:
    """What tells graphs apart whose weights do not count."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for weight in copy.graph.initializer:
        if len(weight.raw_data) > 64:  # what is smaller may be a shape
            weight.ClearField("raw_data")
    return hashlib.sha256(copy.SerializeToString(deterministic=True)).hexdigest()


@pytest.fixture(scope="session")
def seen() -> set[str]:
    """Structures that were built."""
    return set()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_tensorrt_builds_every_graph(column: Column, precision: Precision, seen: set[str]) -> None:
    bundle = column.bundle
    for graph in bundle.manifest.graphs:
        stored = onnx.load_from_string(bundle.read(graph.file))
        model = parsable(convert(stored, precision, graph.role, SMALL[0]))
        if structure(model) not in seen:
            profiles = profiles_of(bundle, graph, Limits())
            engine, _ = build(find_library(), model.SerializeToString(), profiles, Limits())
            assert engine
            seen.add(structure(model))
