"""ONNX Runtime as it is built for cards, on a machine that has none.

It tells what it was asked for; what it computes, the CPU computes.
"""

import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from t2i.runtime.providers import PROVIDERS

builds_engines = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="TensorRT-RTX, which builds without a card, is not published for this machine",
)
LOST = "CUDA failure 700: an illegal memory access was encountered ; GPU=0"
GPU_BUILD = [PROVIDERS["tensorrt"], PROVIDERS["cuda"], PROVIDERS["cpu"]]


class Value(SimpleNamespace):
    """A tensor in the memory of the card."""

    @staticmethod
    def ortvalue_from_numpy(array: np.ndarray, memory: str, device: int) -> "Value":
        return Value(array=array.copy(), memory=memory)

    @staticmethod
    def ortvalue_from_shape_and_type(
        shape: Sequence[int], dtype: Any, memory: str, device: int
    ) -> "Value":
        return Value(array=np.zeros(shape, dtype), memory=memory)

    def update_inplace(self, array: np.ndarray) -> None:
        self.array[...] = array

    def numpy(self) -> np.ndarray:
        return self.array.copy()


class Bound:
    """Inputs and outputs that stay where they are."""

    def __init__(self) -> None:
        self.inputs: dict[str, Value] = {}
        self.outputs: dict[str, Value] = {}

    def bind_ortvalue_input(self, name: str, value: Value) -> None:
        self.inputs[name] = value

    def bind_ortvalue_output(self, name: str, value: Value) -> None:
        self.outputs[name] = value


class RunOptions:
    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def add_run_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value


class Started:
    """A session that says on which devices it runs, and which of its runs were recorded."""

    def __init__(
        self, real: Any, started: list[str], *, records: bool, lost_after: int | None
    ) -> None:
        self.real, self.records, self.lost_after = real, records, lost_after
        self.get_inputs, self.get_outputs = real.get_inputs, real.get_outputs
        self.get_providers = lambda: started
        self.runs: list[str | None] = []
        self.problem: str | None = None

    def run(self, names: list[str], feeds: Mapping[str, Any], options: Any = None) -> list[Any]:
        self.runs.append(options and options.entries["gpu_graph_id"])
        if self.lost_after is not None and len(self.runs) > self.lost_after:
            self.problem = LOST
        if self.problem:
            raise RuntimeError(self.problem)
        return self.real.run(names, feeds)

    def io_binding(self) -> Bound:
        return Bound()

    def run_with_iobinding(self, bound: Bound, options: RunOptions) -> None:
        if not self.records:
            raise RuntimeError("operation not permitted when stream is capturing")
        names = list(bound.outputs)
        feeds = {name: value.array for name, value in bound.inputs.items()}
        for name, array in zip(names, self.run(names, feeds, options), strict=True):
            bound.outputs[name].array[...] = array


class Build(SimpleNamespace):
    """Only some devices really start.

    Its TensorRT builds an engine where its cache has none, and loads what it finds there.
    """

    def __init__(
        self,
        starts: tuple[str, ...],
        *,
        raises: bool = False,
        unknown: tuple[str, ...] = (),
        records: bool = True,
        lost_after: int | None = None,
        version: str = "1.30.0",
    ) -> None:
        """
        Args:
            raises: what does not start says so; else the CPU takes its place without a word.
            unknown: options that are refused.
            records: whether CUDA can record the launches of a graph.
            lost_after: how often a graph runs before the card is lost.
        """
        super().__init__(
            __version__=version,
            SessionOptions=onnxruntime.SessionOptions,
            GraphOptimizationLevel=onnxruntime.GraphOptimizationLevel,
            OrtValue=Value,
            RunOptions=RunOptions,
            severities=[],
            asked=[],
            sessions=[],
            built=[],
            loaded=[],
        )
        self.starts = {PROVIDERS[each] for each in starts}
        self.raises, self.unknown, self.records = raises, set(unknown), records
        self.lost_after = lost_after

    def get_available_providers(self) -> list[str]:
        return GPU_BUILD

    def set_default_logger_severity(self, level: int) -> None:
        self.severities.append(level)

    def preload_dlls(self) -> None:
        sys.stdout.write("Failed to load libcublas.so")

    def InferenceSession(  # noqa: N802
        self, data: bytes, options: Any, providers: list[Any], enable_fallback: int
    ) -> Any:
        self.asked.append(providers)
        asked = dict(providers)
        first = next(iter(asked))
        if self.raises and first not in self.starts:
            raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL : CUDA failure 35\nmore")
        if refused := self.unknown.intersection(asked[first]):
            raise RuntimeError(f"Unknown provider option: {refused}")
        if first == PROVIDERS["tensorrt"] and "trt_engine_cache_path" in asked[first]:
            self._use_cache(Path(asked[first]["trt_engine_cache_path"]))
        real = onnxruntime.InferenceSession(data, options, providers=[PROVIDERS["cpu"]])
        started = [name for name in asked if name in self.starts]
        self.sessions.append(self._session(real, started))
        return self.sessions[-1]

    def _session(self, real: Any, started: list[str]) -> Started:
        on_card = started[:1] != [PROVIDERS["cpu"]]
        lost_after = self.lost_after if on_card else None
        return Started(real, started, records=self.records, lost_after=lost_after)

    def _use_cache(self, folder: Path) -> None:
        engine = folder / "TensorrtExecutionProvider_TRTKernel_graph_0_sm87.engine"
        if engine.exists():
            self.loaded.append(engine.read_bytes())
            if not engine.read_bytes().startswith(b"engine"):
                raise RuntimeError("TensorRT EP could not deserialize engine from cache")
            return
        self.built.append(folder)
        engine.write_bytes(b"engine %d" % len(self.built))
        (folder / "TensorrtExecutionProvider_cache_sm87.timing").write_bytes(b"timings")


def use(monkeypatch: pytest.MonkeyPatch, build: Build) -> Build:
    monkeypatch.setitem(sys.modules, "onnxruntime", build)
    return build
