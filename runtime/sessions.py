"""Graphs become sessions on a device: the one that was asked for, or an error, never another."""

import contextlib
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from t2i.runtime import card, memory, processor, providers
from t2i.runtime.archives import AGAIN, Folder
from t2i.runtime.beside import take_weights
from t2i.runtime.bundle import Bundle, Graph, Tensor
from t2i.runtime.captured import Captured
from t2i.runtime.errors import BundleError, DeviceError, T2IError, UsageError, did_you_mean
from t2i.runtime.providers import EXTRAS, PROVIDERS
from t2i.runtime.waiting import closed

Arrays = dict[str, npt.NDArray[Any]]

# TensorRT is asked for by name only: it builds an engine for minutes before the first picture.
AUTOMATIC = ("cuda", "cpu")

# What ONNX Runtime calls otherwise than NumPy.
_DTYPES = {"float": "float32", "double": "float64"}
# How errors of the card begin, and those of its memory, which smaller batches help.
_LOST = re.compile(r"(CUDA|CUBLAS|CUDNN) (failure|error)", re.IGNORECASE)
_FULL = re.compile(r"out of memory|failed to allocate", re.IGNORECASE)
_SILENT, _WARNING = 4, 2  # levels of its log, whose errors ours would repeat


class Session:
    """One graph on one device; several threads may run it at once."""

    def __init__(
        self, started: Any, graph: Graph, device: str, captured: Captured | None = None
    ) -> None:
        self.graph = graph
        self.device = device
        self._started = started
        self._captured = captured

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], outputs: Sequence[str]) -> Arrays:
        """The named outputs of the graph.

        Raises:
            BundleError: the graph fails on these inputs, or gives other than the manifest says.
            DeviceError: the card does not answer any more.
            UsageError: it is closed.
        """
        started, captured = self._started, self._captured
        if started is None:
            raise closed()
        try:
            if captured:
                arrays = captured.run(feeds, outputs)
            else:
                found = started.run(list(outputs), dict(feeds))
                arrays = dict(zip(outputs, found, strict=True))
        except Exception as error:
            raise _failed(self.graph, self.device, error) from error
        described = {each.name: each for each in self.graph.outputs}
        for name, array in arrays.items():
            if not _fits(described[name], str(array.dtype), array.shape):
                raise _differs(self.graph, name)
        return arrays

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.graph.inputs

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return self.graph.outputs

    def close(self) -> None:
        """Free its memory, once the runs that are under way are over."""
        self._started = self._captured = None

    def binding(self) -> "Binding":
        """For runs whose tensors stay where they are from one to the next.

        Raises:
            UsageError: it is closed.
        """
        if self._started is None:
            raise closed()
        return Binding(self._started, self.graph, self.device)


class Binding:
    """Inputs and outputs of one graph in the memory of its device."""

    def __init__(self, started: Any, graph: Graph, device: str) -> None:
        self._started, self._bound = started, started.io_binding()
        self._graph, self._device = graph, device
        self._memory = "cpu" if device == "cpu" else "cuda"
        self._values: dict[str, Any] = {}  # else nobody would keep them

    def give(self, name: str, array: npt.NDArray[Any]) -> int:
        """Bind an input, which is not copied where the device is the CPU; where it lies."""
        value = _onnxruntime().OrtValue.ortvalue_from_numpy(array, self._memory, 0)
        self._values[name] = value
        self._bound.bind_ortvalue_input(name, value)
        address: int = value.data_ptr()
        return address

    def take(self, name: str, array: npt.NDArray[Any]) -> None:
        """Bind an output to an array, which each run fills."""
        self._values[name] = _onnxruntime().OrtValue.ortvalue_from_numpy(array, "cpu", 0)
        self._bound.bind_ortvalue_output(name, self._values[name])

    def leave(self, name: str, shape: Sequence[int], address: int) -> None:
        """Bind an output, float32, to the memory of the device itself."""
        self._bound.bind_output(name, self._memory, 0, np.float32, list(shape), address)

    def run(self) -> None:
        """
        Raises:
            BundleError: the graph fails on these inputs, or gives other than was bound.
            DeviceError: the card does not answer any more.
        """
        try:
            self._started.run_with_iobinding(self._bound)
        except Exception as error:
            raise _failed(self._graph, self._device, error) from error


def open_session(
    bundle: Bundle,
    role: str,
    *,
    device: str = "auto",
    threads: int | None = None,
    low_memory: bool = False,
    quick: bool = False,
) -> Session:
    """Start one graph of a bundle.

    Args:
        device: `auto` takes the best on which the graph really starts.
        threads: None for as many as this process may use.
        low_memory: give memory back after each run, and keep weights as small as they are stored.
        quick: for one picture: starts sooner, then runs slower.

    Raises:
        DeviceError: the asked device cannot be used here.
        BundleError: the graph cannot be loaded, or is not what the manifest says.
        UsageError: there is no such device.
    """
    if device not in ("auto", *PROVIDERS):
        raise UsageError(
            f"there is no device {device!r}", hint=did_you_mean(device, ["auto", *PROVIDERS])
        )
    graph = bundle.graph(role)
    options = _options(graph, threads, low_memory, quick)
    data = bundle.read(graph.file)
    weights = bundle.manifest.weights
    if weights and weights.file.encode() in data:
        packed, place = graph.precision == "int8", bundle.archive
        held = None if isinstance(place, Folder) else bundle.read(weights.file)
        take_weights(options, weights.file, held or place.path, packed=packed)
    start = _Start(bundle, graph, data, options, low_memory, quick)
    for each in AUTOMATIC[:-1] if device == "auto" else ():
        with contextlib.suppress(DeviceError):
            return start.on(each)
    return start.on(AUTOMATIC[-1] if device == "auto" else device)


def _options(graph: Graph, threads: int | None, low_memory: bool, quick: bool) -> Any:
    runtime = _onnxruntime()
    options = runtime.SessionOptions()
    options.log_severity_level = _SILENT
    options.intra_op_num_threads = threads or usable_threads()
    options.enable_cpu_mem_arena = not (low_memory or quick)
    if low_memory:
        memory.return_what_is_freed()
    # Else weights that are stored as fp16 are widened once, when the session starts. What runs once
    # a token is worth the memory, and eight bits are only computed with where they are optimised.
    if (quick or (low_memory and graph.role != "step")) and graph.precision != "int8":
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if graph.precision != "int8":
        # Weights that are merely stored as int8 are unfolded once, not on every run.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    return options


def usable_threads() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise DeviceError(
            f"ONNX Runtime, which runs the graphs, cannot be imported: {error}",
            hint="pip install 't2i[cpu]', or 't2i[gpu]' for an NVIDIA card",
        ) from error
    return onnxruntime


@dataclass(frozen=True)
class _Start:
    """A graph that is about to become a session."""

    bundle: Bundle
    graph: Graph
    data: bytes
    options: Any
    low_memory: bool
    quick: bool

    def on(self, device: str) -> Session:
        """
        Raises:
            DeviceError: this device cannot be used.
            BundleError: the graph cannot be loaded on the CPU, or is not what the manifest says.
        """
        if PROVIDERS[device] not in _onnxruntime().get_available_providers():
            raise DeviceError(
                f"this ONNX Runtime cannot run on {device}",
                hint=f"pip install 't2i[{EXTRAS[device]}]', or use --device cpu",
            )
        if device == "tensorrt" and self.bundle.manifest.weights:
            raise DeviceError(
                f"tensorrt does not run {self.bundle.name}, whose weights lie beside its graphs",
                hint="use --device cuda",
            )
        captured = None
        with _prepared(_onnxruntime(), device):
            if device == "cpu":
                processor.refuse_overflow(self.bundle.manifest.rounding)
                started = self._started(providers.cpu(), device)
            elif device == "cuda":
                started, captured = self._on_cuda()
            else:
                started = self._on_tensorrt()
        _refuse_other_tensors(started, self.graph)
        return Session(started, self.graph, device, captured)

    def _on_cuda(self) -> tuple[Any, Captured | None]:
        """With all that helps, else with what every build and graph can do."""
        captures = providers.is_fixed(self.graph) and not (self.quick or self.low_memory)
        best, *plain = providers.cuda(self.graph, low_memory=self.low_memory, captured=captures)
        try:
            started = self._started(best, "cuda")
        except _Failed:
            if not plain:
                raise
            return self._started(plain[0], "cuda"), None
        return started, Captured(_onnxruntime(), started, self.graph) if captures else None

    def _on_tensorrt(self) -> Any:
        """With the engine that is kept; where that fails, with one that is built anew.

        Some graphs TensorRT reads in parts only. How large the tensors between them are, nobody can
        tell beforehand: such parts are built as they are needed, and not kept.
        """
        from t2i.runtime import engines  # other devices start sooner without it

        version, low = _onnxruntime().__version__, self.low_memory
        shelves = engines.shelves(self.bundle, self.graph, version, low_memory=low)
        for _ in range(2):
            with contextlib.suppress(_Failed), engines.workplace(*shelves) as folder:
                asked = providers.tensorrt(self.bundle, self.graph, folder, low_memory=low)
                started = self._started(asked, "tensorrt")
                if folder:
                    engines.keep(folder, *shelves)
                return started
            if not engines.discard(*shelves):
                break
        return self._started(providers.tensorrt_in_parts(self.graph, low_memory=low), "tensorrt")

    def _started(self, asked: providers.Asked, device: str) -> Any:
        try:
            started = _onnxruntime().InferenceSession(
                self.data, self.options, providers=asked, enable_fallback=0
            )
        except Exception as error:
            if device == "cpu":
                raise BundleError(
                    f"{self.graph.file} cannot be loaded: {_reason(error)}", hint=AGAIN
                ) from error
            raise _Failed(device, _reason(error)) from error
        if started.get_providers()[0] != PROVIDERS[device]:  # it falls back without a word
            raise _unusable(device, "no card, or its driver or libraries are missing")
        return started


def _refuse_other_tensors(started: Any, graph: Graph) -> None:
    """Inputs must be those of the manifest; outputs are compared when they are computed."""
    try:
        found = {each.name: (each.type, each.shape) for each in started.get_inputs()}
        given = {each.name for each in started.get_outputs()}
    except UnicodeDecodeError as error:
        raise BundleError(f"{graph.file} has names that are no text", hint=AGAIN) from error
    wanted = {each.name: each for each in graph.inputs}
    for name in sorted(set(wanted) ^ set(found) | {each.name for each in graph.outputs} - given):
        raise _differs(graph, name)
    for name, (kind, shape) in found.items():
        plain = kind.removeprefix("tensor(").removesuffix(")")
        if not _fits(wanted[name], _DTYPES.get(plain, plain), shape):
            raise _differs(graph, name)


@contextlib.contextmanager
def _prepared(runtime: Any, device: str) -> Iterator[None]:
    """Find the libraries that pip installed for a card, and keep failures off the terminal."""
    if device == "cpu":
        yield
        return
    runtime.set_default_logger_severity(_SILENT)
    try:
        if device == "tensorrt":
            card.tensorrt()
        if hasattr(runtime, "preload_dlls"):
            with contextlib.redirect_stdout(io.StringIO()):
                runtime.preload_dlls()
        yield
    finally:
        runtime.set_default_logger_severity(_WARNING)


def _fits(tensor: Tensor, dtype: str, shape: Sequence[Any]) -> bool:
    """Whether an array is what the manifest describes; sizes are compared where both know them."""
    pairs = zip(tensor.shape, shape, strict=False)
    return (
        dtype == tensor.dtype
        and len(shape) == len(tensor.shape)
        and all(a == b for a, b in pairs if isinstance(a, int) and isinstance(b, int))
    )


def not_a_number(name: str, work: str) -> BundleError:
    """What `name` computed is of no use; `work` is what it was to do."""
    return BundleError(
        f"{name} computed something that is not a number",
        hint=f"export it with --fp32, or {work} on another --device",
    )


def _differs(graph: Graph, name: str) -> BundleError:
    return BundleError(
        f"{graph.file} is not as the manifest describes it: see its tensor {name[:40]!r}",
        hint=AGAIN,
    )


def _failed(graph: Graph, device: str, error: Exception) -> T2IError:
    if device != "cpu" and _LOST.search(str(error)) and not _FULL.search(str(error)):
        return DeviceError(
            f"{device} stopped while it ran {graph.file}: {_reason(error)}",
            hint="look at `nvidia-smi`; then go on with --resume, or draw with --device cpu",
        )
    return BundleError(
        f"{graph.file} failed on {device}: {_reason(error)}",
        hint=f"draw fewer pictures at once (--batch-size 1); if that fails too, {AGAIN}",
    )


def _unusable(device: str, reason: str) -> DeviceError:
    return DeviceError(
        f"{device} cannot be used here: {reason}",
        hint="see whether `nvidia-smi` lists a card, or use --device cpu",
    )


class _Failed(DeviceError):
    """A device that says why it does not start, so that it may with other options."""

    def __init__(self, device: str, reason: str) -> None:
        refused = _unusable(device, reason)
        super().__init__(str(refused), hint=refused.hint)


def _reason(error: Exception) -> str:
    """The first line of what ONNX Runtime says, without its prefix."""
    return str(error).partition("\n")[0].removeprefix("[ONNXRuntimeError] : ")[:200]
