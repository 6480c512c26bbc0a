"""What ONNX Runtime is asked for where TensorRT is to build engines."""

from dataclasses import replace
from pathlib import Path

import bundles
import pytest
from bundles import PX

from t2i.runtime import providers, shapes
from t2i.runtime.bundle import Bundle
from t2i.runtime.providers import PROVIDERS
from t2i.runtime.shapes import Profile


@pytest.fixture
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


def test_shapes_are_told_so_that_longer_captions_build_nothing(tiny: Bundle) -> None:
    asked = providers.tensorrt(tiny, tiny.graph("text"), None, low_memory=False)
    assert [name for name, _ in asked] == [PROVIDERS[name] for name in ("tensorrt", "cuda", "cpu")]
    assert asked[0][1] == {
        "trt_profile_min_shapes": "tokens:1x1",
        "trt_profile_opt_shapes": "tokens:4x12",
        "trt_profile_max_shapes": "tokens:16x12",
    }


def test_engines_and_timings_lie_where_it_is_said(tiny: Bundle, tmp_path: Path) -> None:
    (_, asked), *_ = providers.tensorrt(tiny, tiny.graph("text"), tmp_path, low_memory=False)
    for kind in ("engine", "timing"):
        assert asked[f"trt_{kind}_cache_enable"] == "1"
        assert asked[f"trt_{kind}_cache_path"] == str(tmp_path)


@pytest.mark.parametrize(
    ("precision", "wanted"),
    [
        ("fp16", {"trt_fp16_enable": "1"}),
        ("int8", {"trt_int8_enable": "1"}),
        ("fp32", {}),
        ("fp16-stored", {}),  # it computes in float32
    ],
)
def test_tensorrt_computes_in_the_precision_of_the_graph(
    tiny: Bundle, precision: str, wanted: dict[str, str]
) -> None:
    graph = replace(tiny.graph("generator"), precision=precision)
    (_, asked), *_ = providers.tensorrt_in_parts(graph, low_memory=False)
    assert asked == wanted


def test_where_memory_is_low_tensorrt_and_cuda_take_little(tiny: Bundle) -> None:
    (_, asked), (_, cuda), _ = providers.tensorrt_in_parts(tiny.graph("text"), low_memory=True)
    assert asked == {
        "trt_max_workspace_size": str(2**28),
        "trt_context_memory_sharing_enable": "1",
    }
    assert cuda["arena_extend_strategy"] == "kSameAsRequested"


def test_pictures_that_are_looked_at_may_have_any_size_up_to_a_bound(tiny: Bundle) -> None:
    picture = replace(bundles.IMAGE, shape=("B", 3, "H", "W"))
    graph = replace(tiny.graph("generator"), role="image", inputs=(picture,))
    (profile,) = shapes.profiles(tiny.manifest, graph).values()
    assert profile == Profile((1, 3, 16, 16), (4, 3, PX, PX), (16, 3, 1024, 1024))
