"""What must hold within a manifest, beyond the types of its fields.

A stranger may have written it: whatever the program later relies on (a file name, a size, a tensor
that a graph will ask for) is settled here, so that nothing further in needs to doubt it. What its
graphs take and give stands in `contracts.py`.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from t2i.runtime import contracts

if TYPE_CHECKING:
    from t2i.runtime.bundle import Manifest, Tensor

MANIFEST_BYTES = 2**20
TOKENIZER_BYTES = 2**24
FILE_BYTES = 2**27  # proof, preview, card
GRAPH_BYTES = 2**31  # the format itself allows no more
WEIGHTS_BYTES = 2**36  # of all graphs, beside them
PICTURE_PX = range(4, 4097)
NOISE_DIMENSIONS = 2**24  # so many counters belong to one picture

DTYPES = ("float32", "float16", "int64", "int32", "uint8", "bool", "string")
# The graphs that a pipeline cannot do without, and all that it may have.
ROLES: dict[str, tuple[set[str], set[str]]] = {
    "gan": ({"generator"}, {"text", "image", "caption", "invert", "edit"}),
    "tokens": ({"pixels"}, {"codes", "prefill", "step"}),
    "latent": ({"generator"}, {"mapping", "text", "image", "invert", "edit"}),
    "score": ({"image"}, {"text", "caption"}),
    "features": ({"image"}, set()),
}

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TENSOR = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def problems(manifest: "Manifest") -> Iterator[str]:
    """Everything that is wrong, most basic first: what comes later assumes what came before."""
    rules: tuple[Callable[[Manifest], Iterator[str]], ...] = (
        _names,
        _files,
        _numbers,
        _graphs,
        contracts.problems,
    )
    for rule in rules:
        yield from rule(manifest)


def is_name(text: str) -> bool:
    """Whether a bundle may be called so."""
    return bool(_NAME.fullmatch(text))


def _names(manifest: "Manifest") -> Iterator[str]:
    for field in ("name", "system"):
        if not is_name(getattr(manifest, field)):
            yield f"{field}: letters, digits, '.', '_' and '-' make a name"
    for field in ("licence", "paper"):
        if not getattr(manifest, field).isprintable():
            yield f"{field}: has characters that cannot be printed"
    if len(set(manifest.classes)) < len(manifest.classes):
        yield "classes: the same class twice"
    if manifest.condition == "class" and not manifest.classes:
        yield "classes: empty, though the condition is a class"


def _files(manifest: "Manifest") -> Iterator[str]:
    listed = [(each.file, each.sha256, each.bytes, GRAPH_BYTES) for each in manifest.graphs]
    for file in (manifest.proof, manifest.preview, manifest.card):
        if file:
            listed.append((file.file, file.sha256, file.bytes, FILE_BYTES))
    if weights := manifest.weights:
        listed.append((weights.file, weights.sha256, weights.bytes, WEIGHTS_BYTES))
    if manifest.text:
        listed.append((manifest.text.tokenizer, manifest.text.sha256, 1, TOKENIZER_BYTES))
    for name, sha256, size, limit in listed:
        if not _FILE.fullmatch(name):
            yield f"{name[:100]!r} is not the plain name of a file"
        elif not _SHA256.fullmatch(sha256):
            yield f"{name}: its sha256 is not 64 hexadecimal digits"
        elif not 0 < size <= limit:
            yield f"{name}: {size} bytes is out of range, at most {limit}"
    if manifest.training and not _SHA256.fullmatch(manifest.training.checkpoint):
        yield "training.checkpoint: its sha256 is not 64 hexadecimal digits"
    names = [name.lower() for name, *_ in listed]
    if len({*names, "manifest.json"}) <= len(names):
        yield "one file is named for two things"


def _numbers(manifest: "Manifest") -> Iterator[str]:
    if manifest.schema < 1:
        yield f"schema: {manifest.schema} is out of range"
    if manifest.image_px not in PICTURE_PX:
        yield f"image_px: {manifest.image_px} is out of range"
    batches = manifest.check.batches
    if not batches or min(batches) < 1:
        yield "check.batches: not a list of positive numbers"
    if manifest.check.tolerance <= 0 or manifest.check.worst < 0:
        yield "check: a difference cannot be negative"
    sizes = [size for noise in manifest.noise for size in noise.shape]
    if manifest.logit_scale is not None and manifest.logit_scale <= 0:
        yield "logit_scale: not a positive number"
    if any(not 0 < size <= NOISE_DIMENSIONS for size in sizes) or len(sizes) > 100:
        yield "noise: a shape is out of range"
        return
    total = sum(math.prod(noise.shape) for noise in manifest.noise)
    if total > NOISE_DIMENSIONS:
        yield f"noise: {total} dimensions, at most {NOISE_DIMENSIONS} can be drawn"
    if len({noise.name for noise in manifest.noise}) < len(manifest.noise):
        yield "noise: the same name twice"


def _graphs(manifest: "Manifest") -> Iterator[str]:
    roles = [graph.role for graph in manifest.graphs]
    if len(set(roles)) < len(roles):
        yield "graphs: the same role twice"
    needed, further = ROLES[manifest.pipeline]
    for role in sorted(needed - set(roles)):
        yield f"graphs: the pipeline {manifest.pipeline!r} needs a {role!r}"
    for role in sorted(set(roles) - needed - further):
        yield f"graphs: the pipeline {manifest.pipeline!r} has no use for a {role[:40]!r}"
    for graph in manifest.graphs:
        if graph.file != f"{graph.role}.onnx":
            yield f"graphs: the file of {graph.role!r} is not called {graph.role}.onnx"
        for tensors in (graph.inputs, graph.outputs):
            if len({each.name for each in tensors}) < len(tensors):
                yield f"{graph.role}: two tensors of the same name"
            for tensor in tensors:
                if not _is_sound(tensor):
                    yield f"{graph.role}: the tensor {tensor.name[:40]!r} is not described soundly"


def _is_sound(tensor: "Tensor") -> bool:
    low, high = tensor.range or (0.0, 0.0)
    return (
        bool(_TENSOR.fullmatch(tensor.name))
        and tensor.dtype in DTYPES
        and 1 <= len(tensor.shape) <= 8
        and all(
            each.isidentifier() if isinstance(each, str) else 0 < each < 2**31
            for each in tensor.shape
        )
        and low <= high
    )
