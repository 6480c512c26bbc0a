"""A graph runs on the device that was asked for, or there is an error that says what to install."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import bundles
import numpy as np
import onnxruntime
import pytest
from cards import LOST, Build, use

from t2i.runtime import sessions
from t2i.runtime.bundle import Bundle
from t2i.runtime.draw import load
from t2i.runtime.errors import BundleError, DeviceError, UsageError
from t2i.runtime.sessions import PROVIDERS, open_session


@pytest.fixture
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


# Devices


def test_auto_takes_the_cpu_where_a_card_is_listed_but_does_not_start(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for raises in (False, True):
        build = use(monkeypatch, Build(("cpu",), raises=raises))
        assert open_session(tiny, "text").device == "cpu"
        assert build.severities[-1] == 2  # its log speaks again
    assert capfd.readouterr() == ("", "")


def test_auto_takes_the_card_where_it_starts(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    build = use(monkeypatch, Build(("cuda", "cpu")))
    assert open_session(tiny, "text").device == "cuda"
    ((name, options), (cpu, _)) = build.asked[0]
    assert (name, cpu) == (PROVIDERS["cuda"], PROVIDERS["cpu"])
    # Its tokens are of any length, so that nothing can be recorded.
    assert options == {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
@pytest.mark.parametrize("raises", [False, True])
def test_an_asked_device_is_never_replaced(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch, device: str, raises: bool
) -> None:
    use(monkeypatch, Build(("cpu",), raises=raises))
    with pytest.raises(DeviceError, match=f"{device} cannot be used here") as caught:
        open_session(tiny, "text", device=device)
    assert "--device cpu" in caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("device", "extra"), [("cuda", "gpu"), ("tensorrt", "gpu,tensorrt")])
def test_a_cpu_build_says_what_to_install(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch, device: str, extra: str
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [PROVIDERS["cpu"]])
    with pytest.raises(DeviceError, match=f"cannot run on {device}") as caught:
        open_session(tiny, "text", device=device)
    assert f"pip install 't2i[{extra}]'" in caught.value.hint


def test_without_onnx_runtime_it_says_what_to_install(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(DeviceError) as caught:
        open_session(tiny, "text")
    assert "t2i[cpu]" in caught.value.hint


def test_an_unknown_device_is_a_wrong_usage(tiny: Bundle) -> None:
    with pytest.raises(UsageError) as caught:
        open_session(tiny, "text", device="cudda")
    assert "'cuda'" in caught.value.hint


# What helps on a card


def fixed(bundle: Bundle, **changes: Any) -> Bundle:
    """Its manifest says that captions have twelve words, always: only the batch is left open."""
    sizes = {"T": bundles.LENGTH}

    def closed(tensor: bundles.Tensor) -> bundles.Tensor:
        return replace(tensor, shape=tuple(sizes.get(str(size), size) for size in tensor.shape))

    generator = bundle.graph("generator")
    inputs, outputs = (tuple(map(closed, each)) for each in (generator.inputs, generator.outputs))
    return spoil(bundle, "generator", inputs=inputs, outputs=outputs, **changes)


def feeds(batch: int, seed: int) -> dict[str, Any]:
    dice = np.random.default_rng(seed)
    return {
        "noise": dice.normal(size=(batch, bundles.Z)).astype(np.float32),
        "detail": dice.normal(size=(batch, bundles.C)).astype(np.float32),
        "sentence": dice.normal(size=(batch, bundles.E)).astype(np.float32),
        "words": dice.normal(size=(batch, bundles.E, bundles.LENGTH)).astype(np.float32),
        "mask": np.ones((batch, bundles.LENGTH), bool),
    }


def test_a_graph_of_fixed_shapes_repeats_recorded_launches(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = fixed(tiny)
    plain = open_session(tiny, "generator", device="cpu")
    build = use(monkeypatch, Build(("cuda", "cpu")))
    session = open_session(bundle, "generator", device="cuda")
    assert build.asked[0][0][1]["enable_cuda_graph"] == "1"
    for batch, seed in [(1, 0), (2, 1), (1, 2), (2, 3)]:
        given = feeds(batch, seed)
        found, wanted = (each.run(given, ["image"])["image"] for each in (session, plain))
        np.testing.assert_array_equal(found, wanted)
    assert build.sessions[0].runs == ["1", "2", "1", "2"]  # one recording for each batch size


def test_more_shapes_than_are_kept_run_without_recording(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = use(monkeypatch, Build(("cuda", "cpu")))
    session = open_session(fixed(tiny), "generator", device="cuda")
    for batch in range(1, 7):
        assert len(session.run(feeds(batch, 0), ["image"])["image"]) == batch
    assert build.sessions[0].runs == ["1", "2", "3", "4", "-1", "-1"]


def test_what_cannot_be_recorded_is_drawn_without(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = use(monkeypatch, Build(("cuda", "cpu"), records=False))
    session = open_session(fixed(tiny), "generator", device="cuda")
    for _ in range(2):
        assert len(session.run(feeds(2, 0), ["image"])["image"]) == 2
    assert build.sessions[0].runs == ["-1", "-1"]


@pytest.mark.parametrize("settings", [{"quick": True}, {"low_memory": True}], ids=str)
def test_nothing_is_recorded_for_one_run_or_in_little_memory(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch, settings: dict[str, bool]
) -> None:
    build = use(monkeypatch, Build(("cuda", "cpu")))
    open_session(fixed(tiny), "generator", device="cuda", **settings)
    assert "enable_cuda_graph" not in build.asked[0][0][1]
    assert ("arena_extend_strategy" in build.asked[0][0][1]) == ("low_memory" in settings)


def test_channels_come_last_where_half_floats_are_computed_with(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = use(monkeypatch, Build(("cuda", "cpu")))
    open_session(spoil(tiny, "generator", precision="fp16"), "generator", device="cuda")
    assert build.asked[0][0][1]["prefer_nhwc"] == "1"


def test_a_build_that_lacks_what_helps_does_without(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacks = ("enable_cuda_graph", "prefer_nhwc")
    build = use(monkeypatch, Build(("cuda", "cpu"), unknown=lacks))
    session = open_session(fixed(tiny, precision="fp16"), "generator", device="cuda")
    assert session.device == "cuda"
    assert not set(lacks) & set(build.asked[-1][0][1])
    assert len(session.run(feeds(1, 0), ["image"])["image"]) == 1


# A card that is lost


def test_a_lost_card_is_an_error_of_the_device(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = use(monkeypatch, Build(("cuda", "cpu")))
    session = open_session(tiny, "text", device="cuda")
    build.sessions[0].problem = LOST
    with pytest.raises(DeviceError, match="cuda stopped") as caught:
        session.run({"tokens": np.ones((1, 2), np.int64)}, ["sentence"])
    assert "--resume" in caught.value.hint


def test_too_little_memory_on_a_card_asks_for_smaller_batches(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = use(monkeypatch, Build(("cuda", "cpu")))
    session = open_session(tiny, "text", device="cuda")
    build.sessions[0].problem = "CUDA failure 2: out of memory ; GPU=0"
    with pytest.raises(BundleError) as caught:
        session.run({"tokens": np.ones((1, 2), np.int64)}, ["sentence"])
    assert "--batch-size 1" in caught.value.hint


# Cards: `pytest -m gpu` where `nvidia-smi` lists one, with `pip install -e ".[gpu,dev]"`, and for
# TensorRT ".[gpu,tensorrt,dev]"


@pytest.mark.gpu
@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_real_card_computes_the_proof(tiny_bundle: Path, device: str) -> None:
    if PROVIDERS[device] not in onnxruntime.get_available_providers():
        pytest.skip(f"the card is there, but this ONNX Runtime is built without {device}")
    for _ in range(2):  # TensorRT builds an engine, then loads it
        painter = load(tiny_bundle, device=device)
        assert painter.device == device
        assert painter.selftest().ok


# Options


def started_options(session: sessions.Session) -> Any:
    return session._started.get_session_options()


def test_the_options_reach_the_session(tiny: Bundle) -> None:
    session = open_session(tiny, "text", device="cpu", threads=3)
    options = started_options(session)
    assert options.intra_op_num_threads == 3
    assert options.enable_cpu_mem_arena
    assert options.get_session_config_entry("session.disable_quant_qdq") == "1"

    quick = started_options(open_session(tiny, "text", device="cpu", quick=True))
    assert quick.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    assert quick.intra_op_num_threads == sessions.usable_threads()

    low = started_options(open_session(tiny, "text", device="cpu", low_memory=True))
    assert not low.enable_cpu_mem_arena
    assert low.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


@pytest.mark.parametrize("settings", [{}, {"quick": True}, {"low_memory": True}], ids=str)
def test_an_int8_graph_keeps_its_int8_arithmetic(tiny: Bundle, settings: dict[str, bool]) -> None:
    eight = spoil(tiny, "text", precision="int8")
    options = started_options(open_session(eight, "text", device="cpu", **settings))
    with pytest.raises(RuntimeError):
        options.get_session_config_entry("session.disable_quant_qdq")
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL


PEAK = """
import pathlib, re, sys
import t2i
t2i.load("birds", device="cpu", threads=1, low_memory=sys.argv[1] == "low").draw(["a red bird"] * 6)
print(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere freed memory is not given back")
def test_low_memory_takes_half_of_it() -> None:
    def peak(how: str) -> int:
        command = [sys.executable, "-c", PEAK, how]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    assert peak("low") < 0.5 * peak("usual")


# Graphs that are not what the manifest says


def spoil(bundle: Bundle, role: str, **changes: Any) -> Bundle:
    """The same files under a manifest that describes one graph otherwise."""
    graphs = tuple(
        replace(graph, **changes) if graph.role == role else graph
        for graph in bundle.manifest.graphs
    )
    return replace(bundle, manifest=replace(bundle.manifest, graphs=graphs))


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": ()},
        {"inputs": (bundles.TOKENS, bundles.MASK)},
        {"inputs": (replace(bundles.TOKENS, name="ids"),)},
        {"inputs": (replace(bundles.TOKENS, dtype="int32"),)},
        {"inputs": (replace(bundles.TOKENS, shape=("B",)),)},
        {"outputs": (replace(bundles.SENTENCE, name="meaning"),)},
    ],
)
def test_a_graph_with_other_tensors_is_refused(tiny: Bundle, changes: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match="not as the manifest describes"):
        open_session(spoil(tiny, "text", **changes), "text", device="cpu")


@pytest.mark.parametrize(
    "sentence",
    [
        replace(bundles.SENTENCE, shape=("B", bundles.E + 1)),
        replace(bundles.SENTENCE, shape=("B",)),
        replace(bundles.SENTENCE, dtype="float16"),
    ],
)
def test_an_output_other_than_described_is_refused(tiny: Bundle, sentence: bundles.Tensor) -> None:
    session = open_session(spoil(tiny, "text", outputs=(sentence,)), "text", device="cpu")
    with pytest.raises(BundleError, match="not as the manifest describes"):
        session.run({"tokens": np.ones((1, 2), np.int64)}, ["sentence"])


def test_a_failing_run_is_one_quiet_error(tiny: Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    session = open_session(tiny, "text", device="cpu")
    with pytest.raises(BundleError, match="failed on cpu") as caught:
        session.run({"tokens": np.full((1, 2), 10**6)}, ["sentence"])
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_graph_that_does_not_load_is_one_quiet_error(
    own_bundle: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = bundles.text_graph()
    model.graph.node[0].op_type = "Frobnicate"
    (own_bundle / "text.onnx").write_bytes(model.SerializeToString())
    bundles.save_manifest(own_bundle, bundles.manifest(own_bundle))
    with pytest.raises(BundleError, match="cannot be loaded"):
        open_session(Bundle.load(own_bundle), "text", device="cpu")
    assert capfd.readouterr() == ("", "")


def test_a_name_that_is_no_text_is_an_error(own_bundle: Path) -> None:
    data = bundles.text_graph().SerializeToString()
    (own_bundle / "text.onnx").write_bytes(data.replace(b"\x12\x01T", b"\x12\x01\xff"))
    bundles.save_manifest(own_bundle, bundles.manifest(own_bundle))
    with pytest.raises(BundleError, match="no text"):
        open_session(Bundle.load(own_bundle), "text", device="cpu")
