"""TensorRT's builder and its engines, as far as they are needed here."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from t2i.export.limits import Limits
from t2i.runtime.bundle import Graph
from t2i.runtime.errors import DeviceError, ExportError
from t2i.runtime.sessions import Arrays
from t2i.runtime.shapes import Profile


def build(
    library: Any,
    data: bytes,
    profiles: Sequence[Mapping[str, Profile]],
    limits: Limits,
    timings: bytes = b"",
) -> tuple[bytes, bytes]:
    """An engine of an ONNX graph, and the timings that make the next one quicker.

    It computes in the types that the graph says. Only for the accelerator, which knows no float32,
    TensorRT before 11 chooses them itself.

    Args:
        library: TensorRT or TensorRT-RTX.
        timings: as an earlier call gave them.

    Raises:
        ExportError: the graph cannot be built.
        DeviceError: there is no card, or no such accelerator.
    """
    log = _log(library)
    try:
        builder = library.Builder(log)
    except TypeError as error:  # what its binding makes of a builder that does not start
        raise DeviceError(
            f"TensorRT does not start here: {_last(log) or 'it finds no card'}",
            hint="build on the machine that is to draw; tensorrt-rtx builds without a card",
        ) from error
    typed = 1 << int(library.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    chooses = limits.dla is not None and hasattr(library.BuilderFlag, "FP16")
    network = builder.create_network(0 if chooses else typed)
    parser = library.OnnxParser(network, log)
    if not parser.parse(data):
        raise _cannot(parser.get_error(0).desc())
    config = builder.create_builder_config()
    if limits.memory_mb is not None:
        config.set_memory_pool_limit(library.MemoryPoolType.WORKSPACE, limits.memory_mb << 20)
    if limits.dla is not None:
        _use_dla(library, builder, config, limits.dla)
    config.clear_flag(library.BuilderFlag.TF32)  # it rounds to 10 bits
    _tell_shapes(builder, config, profiles)
    learnt = None
    if library.__name__ != "tensorrt_rtx":  # which measures nothing, and warns of timings
        learnt = config.create_timing_cache(timings)
        config.set_timing_cache(learnt, ignore_mismatch=False)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise _cannot(_last(log))
    return bytes(engine), bytes(learnt.serialize()) if learnt else b""


def run(library: Any, engine: bytes, graph: Graph, feeds: Arrays, profile: int) -> Arrays:
    """All outputs of an engine, computed by the card.

    Args:
        profile: number of the one that the shapes of the feeds belong to.

    Raises:
        DeviceError: the card does not run it.
    """
    log = _log(library)
    loaded = library.Runtime(log).deserialize_cuda_engine(engine)
    context = loaded and loaded.create_execution_context()
    if not context:
        raise _does_not_run(log)
    stream = torch.cuda.Stream()
    context.set_optimization_profile_async(profile, stream.cuda_stream)
    held = {name: torch.from_numpy(array).cuda() for name, array in feeds.items()}
    for name, tensor in held.items():
        context.set_input_shape(name, tuple(tensor.shape))
    for each in graph.outputs:
        shape = tuple(context.get_tensor_shape(each.name))
        held[each.name] = torch.empty(shape, dtype=getattr(torch, each.dtype), device="cuda")
    for name, tensor in held.items():
        context.set_tensor_address(name, tensor.data_ptr())
    torch.cuda.synchronize()
    if not context.execute_async_v3(stream.cuda_stream):
        raise _does_not_run(log)
    stream.synchronize()
    return {each.name: held[each.name].cpu().numpy() for each in graph.outputs}


def _tell_shapes(builder: Any, config: Any, profiles: Sequence[Mapping[str, Profile]]) -> None:
    """Nothing where no input has a letter."""
    for each in filter(None, profiles):
        profile = builder.create_optimization_profile()
        for name, shapes in each.items():
            profile.set_shape(name, shapes.least, shapes.usual, shapes.most)
        config.add_optimization_profile(profile)


def _use_dla(library: Any, builder: Any, config: Any, core: int) -> None:
    if not core < builder.num_DLA_cores:
        raise DeviceError(
            f"there is no deep learning accelerator {core} here",
            hint=f"this machine has {builder.num_DLA_cores}; leave out --dla to use the card",
        )
    config.default_device_type = library.DeviceType.DLA
    config.DLA_core = core
    config.set_flag(library.BuilderFlag.GPU_FALLBACK)
    if hasattr(library.BuilderFlag, "FP16"):
        config.set_flag(library.BuilderFlag.FP16)


def _log(library: Any) -> Any:
    """Keeps what goes wrong, and says nothing."""

    class Log(library.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            library.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity <= library.ILogger.Severity.ERROR:
                self.errors.append(message)

    return Log()


def _last(log: Any) -> str:
    return str(log.errors[-1])[:300] if log.errors else ""


def _cannot(reason: str) -> ExportError:
    return ExportError(
        f"TensorRT cannot build it: {reason[:300]}",
        hint="use the bundle as it is: `t2i-run --device cuda`",
    )


def _does_not_run(log: Any) -> DeviceError:
    return DeviceError(
        f"the card does not run its engine: {_last(log)}",
        hint="see whether `nvidia-smi` lists a card with memory free",
    )
