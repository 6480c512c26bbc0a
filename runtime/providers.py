"""What ONNX Runtime is asked for on each device: its providers and their options."""

from collections.abc import Mapping
from pathlib import Path

from t2i.runtime import shapes
from t2i.runtime.bundle import Bundle, Graph

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
EXTRAS = {"cpu": "cpu", "cuda": "gpu", "tensorrt": "gpu,tensorrt"}

WORKSPACE_BYTES = 2**28  # for TensorRT to build and run in, where memory is low

Options = dict[str, str]
Asked = list[tuple[str, Options]]


def cpu() -> Asked:
    return [(PROVIDERS["cpu"], {})]


def cuda(graph: Graph, *, low_memory: bool, captured: bool) -> tuple[Asked, ...]:
    """What to try, the best first: not every build and graph can do all of it.

    Args:
        low_memory: take no more memory than is needed.
        captured: whether launches are to be recorded, and repeated at once.
    """
    extras: Options = {}
    if graph.precision == "fp16":
        # Tensor cores read channels last; in float32 that would only cost transpositions.
        extras["prefer_nhwc"] = "1"
    if captured:
        extras["enable_cuda_graph"] = "1"
    plain = _cuda(low_memory=low_memory)
    tried = [[(PROVIDERS["cuda"], plain | extras), *cpu()]] if extras else []
    return (*tried, [(PROVIDERS["cuda"], plain), *cpu()])


def _cuda(*, low_memory: bool) -> Options:
    # TF32 rounds to 10 bits: pictures would differ from the CPU's. The heuristic search always
    # takes the same kernel, the exhaustive one whichever was faster that time.
    options = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
    if low_memory:
        options["arena_extend_strategy"] = "kSameAsRequested"
    return options


def is_fixed(graph: Graph) -> bool:
    """Whether a batch of one size always has the same shapes, in the same places of memory.

    What a `step` writes goes to another place each time.
    """
    letters = {size for each in graph.inputs for size in each.shape if isinstance(size, str)}
    return letters <= {"B"} and graph.role != "step"


def tensorrt(bundle: Bundle, graph: Graph, folder: Path | None, *, low_memory: bool) -> Asked:
    """TensorRT with the files of its cache in a folder, if there is one to build in.

    Shapes are told beforehand: an engine is then built when a session starts, and never again
    because a caption is longer than those before it.
    """
    options: Options = {}
    if folder:
        options |= {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(folder),
        }
    if profiles := shapes.profiles(bundle.manifest, graph):
        options |= {
            "trt_profile_min_shapes": _listed({k: each.least for k, each in profiles.items()}),
            "trt_profile_opt_shapes": _listed({k: each.usual for k, each in profiles.items()}),
            "trt_profile_max_shapes": _listed({k: each.most for k, each in profiles.items()}),
        }
    (name, plain), *others = tensorrt_in_parts(graph, low_memory=low_memory)
    return [(name, plain | options), *others]


def tensorrt_in_parts(graph: Graph, *, low_memory: bool) -> Asked:
    """TensorRT for what it can read, CUDA for the rest."""
    options: Options = {}
    if graph.precision in ("fp16", "int8"):
        options[f"trt_{graph.precision}_enable"] = "1"
    if low_memory:
        options |= {
            "trt_max_workspace_size": str(WORKSPACE_BYTES),
            "trt_context_memory_sharing_enable": "1",
        }
    return [
        (PROVIDERS["tensorrt"], options),
        (PROVIDERS["cuda"], _cuda(low_memory=low_memory)),
        *cpu(),
    ]


def _listed(named: Mapping[str, shapes.Shape]) -> str:
    """As ONNX Runtime reads them: `words:1x32x18,mask:1x18`."""
    return ",".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in named.items())
