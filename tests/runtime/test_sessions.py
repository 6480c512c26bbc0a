"""A graph runs on the device that was asked for, or there is an error that says what to install."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bundles
import numpy as np
import onnxruntime
import pytest

from t2i.runtime import places, sessions
from t2i.runtime.bundle import Bundle
from t2i.runtime.draw import load
from t2i.runtime.errors import BundleError, DeviceError, UsageError
from t2i.runtime.sessions import PROVIDERS, open_session


@pytest.fixture
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


class Build(SimpleNamespace):
    """An ONNX Runtime built for cards, on a machine where only some devices really start."""

    def __init__(self, starts: tuple[str, ...], *, raises: bool = False) -> None:
        super().__init__(
            SessionOptions=onnxruntime.SessionOptions,
            GraphOptimizationLevel=onnxruntime.GraphOptimizationLevel,
            severities=[],
            asked=[],
        )
        self.starts = {PROVIDERS[each] for each in starts}
        self.raises = raises

    def get_available_providers(self) -> list[str]:
        return [PROVIDERS["tensorrt"], PROVIDERS["cuda"], PROVIDERS["cpu"]]

    def set_default_logger_severity(self, level: int) -> None:
        self.severities.append(level)

    def preload_dlls(self) -> None:
        sys.stdout.write("Failed to load libcublas.so")

    def InferenceSession(  # noqa: N802
        self, data: bytes, options: Any, providers: list[Any], enable_fallback: int
    ) -> Any:
        self.asked.append(providers)
        names = [each if isinstance(each, str) else each[0] for each in providers]
        if self.raises and names[0] not in self.starts:
            raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL : CUDA failure 35\nmore")
        real = onnxruntime.InferenceSession(data, options, providers=[PROVIDERS["cpu"]])
        started = [each for each in names if each in self.starts]
        return SimpleNamespace(
            run=real.run,
            get_inputs=real.get_inputs,
            get_outputs=real.get_outputs,
            get_providers=lambda: started,
        )


def use(monkeypatch: pytest.MonkeyPatch, build: Build) -> Build:
    monkeypatch.setitem(sys.modules, "onnxruntime", build)
    return build


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
    ((name, options), _) = build.asked[0]
    assert name == PROVIDERS["cuda"]
    assert options["use_tf32"] == "0"


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


def test_tensorrt_keeps_its_engines_by_the_hash_of_the_bundle(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = use(monkeypatch, Build(("tensorrt", "cuda", "cpu")))
    assert open_session(tiny, "generator", device="tensorrt").device == "tensorrt"
    (_, options), *_ = build.asked[0]
    engines = Path(options["trt_engine_cache_path"])
    assert engines.is_relative_to(places.cache())
    assert engines.name == tiny.sha256
    assert engines.is_dir()


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


@pytest.mark.gpu
def test_a_real_card_computes_the_proof(tiny_bundle: Path) -> None:
    if PROVIDERS["cuda"] not in onnxruntime.get_available_providers():
        pytest.skip("the card is there, but this ONNX Runtime is built without CUDA")
    painter = load(tiny_bundle, device="cuda")
    assert painter.device == "cuda"
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


def test_an_int8_graph_keeps_its_int8_arithmetic(tiny: Bundle) -> None:
    text, generator = tiny.manifest.graphs
    manifest = replace(tiny.manifest, graphs=(replace(text, precision="int8"), generator))
    options = started_options(open_session(replace(tiny, manifest=manifest), "text", device="cpu"))
    with pytest.raises(RuntimeError):
        options.get_session_config_entry("session.disable_quant_qdq")


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
