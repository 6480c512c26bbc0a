"""Engines of TensorRT, as far as they can be made without a card: TensorRT-RTX builds there too."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import onnx
import pytest
from cards import builds_engines
from onnx import TensorProto, helper

from t2i.export import tensorrt
from t2i.export.engine import build
from t2i.export.limits import Limits
from t2i.export.precision import Precision
from t2i.export.tensorrt import Built, find_library, profiles_of
from t2i.runtime.bundle import Bundle
from t2i.runtime.engines import RECORD
from t2i.runtime.errors import DeviceError, ExportError
from t2i.runtime.shapes import BATCHES

Exported = Callable[[Precision], Bundle]


@pytest.fixture(scope="session")
def built(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> list[Built]:
    """Engines of a tiny AttnGAN."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("T2I_HOME", str(tmp_path_factory.mktemp("engines")))
        return list(tensorrt.build(exported("fp16"), find_library(), Limits(memory_mb=64)))


# Engines


@pytest.mark.slow
@builds_engines
def test_each_graph_becomes_an_engine_beside_its_key(
    exported: Exported, built: list[Built]
) -> None:
    bundle = exported("fp16")
    assert [each.role for each in built] == ["text", "generator"]
    for each in built:
        assert each.file.stat().st_size == each.bytes > 0
        record = json.loads((each.file.parent / RECORD).read_text())
        assert list(record["files"]) == [each.file.name]
        key = record["key"]
        assert (key["bundle"], key["precision"]) == (bundle.sha256, "fp16")
        assert key["graph"] == bundle.graph(each.role).sha256
        assert key["limits"] == {"dla": None, "memory_mb": 64}
        assert [few[next(iter(few))]["most"][0] for few in key["shapes"]] == list(BATCHES)


@pytest.mark.slow
@builds_engines
def test_what_no_card_could_run_is_not_called_checked(built: list[Built]) -> None:
    assert {each.worst for each in built} == {None}


@pytest.mark.slow
@builds_engines
def test_a_graph_written_wrongly_is_refused(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    def louder(model: onnx.ModelProto) -> onnx.ModelProto:
        (output, *_) = model.graph.output
        for node in model.graph.node:
            for place, name in enumerate(node.output):
                if name == output.name:
                    node.output[place] = "quiet"
        model.graph.node.append(helper.make_node("Add", ["quiet", "quiet"], [output.name]))
        return model

    monkeypatch.setattr(tensorrt, "parsable", louder)
    with pytest.raises(ExportError, match="differs from PyTorch"):
        next(tensorrt.build(exported("fp16"), find_library(), Limits()))


@pytest.mark.slow
def test_an_engine_covers_every_batch_up_to_the_greatest(exported: Exported) -> None:
    bundle = exported("fp16")
    few = [each["noise"] for each in profiles_of(bundle, bundle.graph("generator"), Limits())]
    covered = [n for each in few for n in range(each.least[0], each.most[0] + 1)]
    assert covered == list(range(1, BATCHES[-1] + 1))


@builds_engines
def test_a_graph_of_strings_is_not_read() -> None:
    given, out = (
        helper.make_tensor_value_info(name, TensorProto.STRING, ["B"]) for name in ("given", "out")
    )
    lower = helper.make_node("StringNormalizer", ["given"], ["out"], case_change_action="LOWER")
    model = helper.make_model(helper.make_graph([lower], "lower", [given], [out]), ir_version=10)
    with pytest.raises(ExportError, match="TensorRT cannot build it"):
        build(find_library(), model.SerializeToString(), [{}], Limits())


# Where TensorRT is, and where it is not


def test_tensorrt_is_taken_before_tensorrt_rtx(monkeypatch: pytest.MonkeyPatch) -> None:
    real, rtx = SimpleNamespace(__version__="10.9.0"), SimpleNamespace(__version__="1.2.0")
    monkeypatch.setitem(sys.modules, "tensorrt", real)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", rtx)
    assert find_library() is real
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert find_library() is rtx
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(ExportError) as caught:
        find_library()
    assert "t2i[tensorrt]" in caught.value.hint


def test_an_old_tensorrt_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(__version__="8.6.2"))
    with pytest.raises(ExportError, match=r"8\.6\.2 is too old"):
        find_library()


def library(*, accelerators: int = 0) -> Any:
    """What a builder is told can be asked of it."""
    found = MagicMock(__name__="tensorrt")
    found.ILogger = type("ILogger", (), {"Severity": SimpleNamespace(ERROR=1)})
    found.NetworkDefinitionCreationFlag.STRONGLY_TYPED = 3
    builder = found.Builder.return_value
    builder.num_DLA_cores = accelerators
    builder.build_serialized_network.return_value = b"engine"
    config = builder.create_builder_config.return_value
    config.create_timing_cache.return_value.serialize.return_value = b"timings"
    return found


def test_a_network_computes_in_the_types_of_its_graph() -> None:
    found = library()
    assert build(found, b"", [{}], Limits(memory_mb=3), b"before") == (b"engine", b"timings")
    builder = found.Builder.return_value
    builder.create_network.assert_called_once_with(1 << 3)
    config = builder.create_builder_config.return_value
    config.create_timing_cache.assert_called_once_with(b"before")
    pool = found.MemoryPoolType.WORKSPACE
    config.set_memory_pool_limit.assert_called_once_with(pool, 3 * 2**20)


@pytest.mark.parametrize("version", [10, 11])
def test_the_accelerator_of_a_jetson_is_asked_for_by_its_number(version: int) -> None:
    found = library(accelerators=2)
    if version == 11:  # which builds in the types of the graph there too
        del found.BuilderFlag.FP16
    build(found, b"", [{}], Limits(dla=1))
    builder = found.Builder.return_value
    builder.create_network.assert_called_once_with(0 if version == 10 else 1 << 3)
    config = builder.create_builder_config.return_value
    assert (config.default_device_type, config.DLA_core) == (found.DeviceType.DLA, 1)
    asked = {each.args[0] for each in config.set_flag.call_args_list}
    chosen = {found.BuilderFlag.FP16} if version == 10 else set()
    assert asked == {found.BuilderFlag.GPU_FALLBACK, *chosen}


def test_an_accelerator_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DeviceError, match="no deep learning accelerator 0"):
        build(library(), b"", [{}], Limits(dla=0))


@pytest.mark.slow
def test_the_accelerator_knows_one_shape(exported: Exported) -> None:
    bundle = exported("fp16")
    (few,) = profiles_of(bundle, bundle.graph("generator"), Limits(dla=0))
    for each in few.values():
        assert each.least == each.usual == each.most
        assert each.most[0] == 1


def test_tensorrt_without_a_card_says_so() -> None:
    found = library()
    found.Builder.side_effect = TypeError("factory function returned nullptr")
    with pytest.raises(DeviceError) as caught:
        build(found, b"", [{}], Limits())
    assert "tensorrt-rtx" in caught.value.hint


# On a card: `pytest -m gpu tests/export`, with `pip install -e ".[gpu,tensorrt,dev]"`


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_real_card_computes_what_pytorch_computes(
    exported: Exported, precision: Precision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2I_HOME", str(tmp_path))
    bundle = exported(precision)
    for each in tensorrt.build(bundle, find_library(), Limits()):
        assert each.worst is not None
        assert each.worst <= bundle.manifest.check.tolerance
