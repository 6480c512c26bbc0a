"""What must hold within a manifest, beyond the types of its fields.

A stranger may have written it: whatever the program later relies on (a file name, a size, a tensor
that a graph will ask for) is settled here, so that nothing further in needs to doubt it.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from t2i.runtime.bundle import Graph, Manifest, Tensor

MANIFEST_BYTES = 2**20
TOKENIZER_BYTES = 2**24
FILE_BYTES = 2**27  # proof, preview, card
GRAPH_BYTES = 2**31  # the format itself allows no more
WEIGHTS_BYTES = 2**36  # of all graphs, beside them
PICTURE_PX = range(4, 4097)
TEXT_LENGTH = range(1, 1025)
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
        _text,
        _drawing,
        _matching,
        _inverting,
        _editing,
        _reading,
        _parting,
        _describing,
        _decoding,
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


def _text(manifest: "Manifest") -> Iterator[str]:
    by_words = manifest.condition in ("caption", "class")
    reads = [graph for graph in manifest.graphs if graph.role == "text"]
    if reads and not (manifest.text and by_words):
        yield "text: there is a text graph, but nothing that makes its tokens"
    if manifest.pipeline == "gan" and manifest.text and not by_words:
        yield f"text: the condition {manifest.condition!r} reads none"
    if manifest.pipeline == "gan" and by_words and not reads:
        yield f"graphs: the condition {manifest.condition!r} needs a 'text'"
    if manifest.text and manifest.text.length not in TEXT_LENGTH:
        yield f"text.length: {manifest.text.length} is out of range"
    if manifest.text and manifest.condition == "class" and manifest.text.length != 1:
        yield "text.length: the name of a class is one token"
    for graph in reads:
        if [(each.name, each.dtype, len(each.shape)) for each in graph.inputs] != [
            ("tokens", "int64", 2)
        ]:
            yield "text: its one input must be `tokens`, int64 (B, T)"


def _drawing(manifest: "Manifest") -> Iterator[str]:
    """A generator finds every input among noise and text, and draws pictures of the stated size."""
    if manifest.pipeline != "gan":
        return
    graphs = {graph.role: graph for graph in manifest.graphs}
    generator = graphs.get("generator")
    if not generator:
        return
    yield from _wiring(manifest, generator, graphs.get("text"))
    outputs = {each.name: each for each in generator.outputs}
    if "image" not in outputs or outputs["image"].shape[2:] != (manifest.image_px,) * 2:
        yield "generator: no output `image` (B, 3, image_px, image_px)"
    for name, tensor in outputs.items():
        _, *shape = tensor.shape
        picture = name.startswith("image") and shape == [3, *shape[2:] * 2]
        attention = name.startswith("attention") and len(shape) == 3
        if tensor.dtype != "float32" or not (picture or attention):
            yield f"generator: its output {name!r} is neither a picture nor an attention"


def _wiring(manifest: "Manifest", generator: "Graph", text: "Graph | None") -> Iterator[str]:
    offered = {each.name: (each.dtype, each.shape[1:]) for each in text.outputs} if text else {}
    for noise in manifest.noise:
        if noise.name in offered:
            yield f"noise: {noise.name[:40]!r} is an output of the text graph too"
        offered[noise.name] = ("float32", noise.shape)
    wanted = {each.name: each for each in generator.inputs}
    for name in sorted({noise.name for noise in manifest.noise} - set(wanted)):
        yield f"noise: the generator has no input {name[:40]!r}"
    if manifest.condition == "vector":
        sentence = wanted.pop("sentence", None)
        if not (
            sentence
            and (sentence.dtype, len(sentence.shape)) == ("float32", 2)
            and isinstance(sentence.shape[1], int)
        ):
            yield "generator: vectors need its input `sentence`, float32 (B, E)"
    for name, tensor in wanted.items():
        if name not in offered:
            yield f"generator: nothing provides its input {name!r}"
        elif offered[name] != (tensor.dtype, tensor.shape[1:]):
            yield f"generator: its input {name!r} differs from what provides it"


def _matching(manifest: "Manifest") -> Iterator[str]:
    """What compares pictures with captions makes vectors of one length of both."""
    graphs = {graph.role: graph for graph in manifest.graphs}
    if manifest.pipeline != "score" or not {"text", "image"} <= graphs.keys():
        return
    sentence = _described(graphs["text"].outputs).get("sentence", ("", ()))
    code = _described(graphs["image"].outputs).get("code")
    whole = len(sentence[1]) == 2 and isinstance(sentence[1][1], int)
    if sentence != code or sentence[0] != "float32" or not whole:
        yield "text: its `sentence` and the image graph's `code` are not both float32 (B, E)"


def _inverting(manifest: "Manifest") -> Iterator[str]:
    """From a picture of the stated size to draws of the generator's noise."""
    wanted = [("image", "float32", (3, manifest.image_px, manifest.image_px))]
    known = {each.name: ("float32", each.shape) for each in manifest.noise}
    for graph in manifest.graphs:
        if graph.role != "invert":
            continue
        if [(each.name, each.dtype, each.shape[1:]) for each in graph.inputs] != wanted:
            yield "invert: its one input must be `image`, float32 (B, 3, image_px, image_px)"
        for each in graph.outputs:
            if known.get(each.name) != (each.dtype, each.shape[1:]):
                yield f"invert: its output {each.name!r} is no noise of the generator"


def _editing(manifest: "Manifest") -> Iterator[str]:
    """A step finds all that it takes in a caption and a picture, and says which way is down."""
    graphs = {graph.role: graph for graph in manifest.graphs}
    if "edit" not in graphs:
        return
    image = ("float32", ("B", 3, manifest.image_px, manifest.image_px))
    told, read, inputs, outputs = (
        _described(each)
        for each in (
            graphs["image"].outputs if "image" in graphs else (),
            graphs["text"].outputs if "text" in graphs else (),
            graphs["edit"].inputs,
            graphs["edit"].outputs,
        )
    )
    latent = told.get("latent", ("", ()))
    if latent[0] != "float32" or len(latent[1]) != 2 or not isinstance(latent[1][1], int):
        yield "edit: no image graph tells a `latent`, float32 (B, S)"
    if read.get("sentence") != latent or not {"latent", "sentence", "strength"} <= set(inputs):
        yield "edit: it moves a `latent` to a `sentence` of the same size, with some `strength`"
    given = {**told, "sentence": latent, "start": latent, "picture": image}
    given |= {"strength": ("float32", ("B",))}
    for name, described in inputs.items():
        if given.get(name) != described:
            yield f"edit: nothing provides its input {name[:40]!r}, or it differs"
    if "image" in graphs and _described(graphs["image"].inputs) != {"image": image}:
        yield "edit: the image graph takes other pictures than `image` of the stated size"
    if outputs != {"loss": ("float32", ("B",)), "slope": latent, "image": image}:
        yield "edit: not to `loss`, its `slope` by the latent, and the `image` of that"


def _reading(manifest: "Manifest") -> Iterator[str]:
    """What is read in pictures has names, and as many logits as values."""
    if not manifest.attributes:
        return
    for name, values in manifest.attributes.items():
        if not (name and name.isprintable()):
            yield "attributes: one has a name that cannot be printed"
        elif not values or not all(value and value.isprintable() for value in values):
            yield f"attributes: {name[:40]!r} has a value that cannot be printed, or none"
        elif len(set(values)) < len(values):
            yield f"attributes: {name[:40]!r} has the same value twice"
    width = sum(map(len, manifest.attributes.values()))
    outputs = [each for graph in manifest.graphs if graph.role == "image" for each in graph.outputs]
    logits = [(each.dtype, each.shape[1:]) for each in outputs if each.name == "attributes"]
    if logits != [("float32", (width,))]:
        yield f"attributes: the image graph has no output `attributes`, float32 (B, {width})"


def _parting(manifest: "Manifest") -> Iterator[str]:
    """What a pixel may show has names, and a map each."""
    names = manifest.parts
    if not names:
        return
    if not all(name and name.isprintable() for name in names) or len(set(names)) < len(names):
        yield "parts: one has a name that cannot be printed, or the name of another"
    outputs = [each for graph in manifest.graphs if graph.role == "image" for each in graph.outputs]
    maps = [
        (each.dtype, each.shape[1:2], len(each.shape)) for each in outputs if each.name == "parts"
    ]
    if maps != [("float32", (len(names),), 4)]:
        yield f"parts: the image graph has no output `parts`, float32 (B, {len(names)}, h, w)"


def _describing(manifest: "Manifest") -> Iterator[str]:
    """What says words is given what the image graph reads, the last word, and its own state."""
    graphs = {graph.role: graph for graph in manifest.graphs}
    if "caption" not in graphs:
        return
    if not manifest.text:
        yield "text: there is a caption graph, but nothing that names its words"
    image = graphs["image"].outputs if "image" in graphs else ()
    seen = {each.name: (each.dtype, each.shape[1:]) for each in image}
    inputs, outputs = (
        {each.name: (each.dtype, each.shape[1:]) for each in tensors}
        for tensors in (graphs["caption"].inputs, graphs["caption"].outputs)
    )
    wanted = {"picture": seen.get("picture"), "word": ("int64", ()), "state": inputs.get("state")}
    dtype, shape = outputs.get("next", ("", ()))
    if (
        inputs != wanted
        or inputs["state"] != outputs.get("state_after")
        or (dtype, len(shape)) != ("float32", 1)
        or not all(isinstance(size, int) for size in (*inputs["state"][1], *shape))
    ):
        yield "caption: not from the image graph's `picture`, `word`, `state` to `next` and a state"


def _decoding(manifest: "Manifest") -> Iterator[str]:
    """Tokens become a picture of the stated size; what foretells them reads what goes before."""
    if manifest.pipeline != "tokens":
        return
    graphs = {graph.role: graph for graph in manifest.graphs}
    image = ("float32", ("B", 3, manifest.image_px, manifest.image_px))
    count = _count(graphs.get("pixels"), image)
    if not count:
        yield "pixels: not from `tokens`, int64 (B, side²), to `image` of the stated size"
        return
    side = math.isqrt(count)
    if codes := graphs.get("codes"):
        inputs, outputs = _described(codes.inputs), _described(codes.outputs)
        dtype, shape = outputs.pop("logits", ("", ()))
        if inputs != {"image": image} or outputs or (dtype, shape[2:]) != ("float32", (side, side)):
            yield "codes: not from `image` to `logits`, float32 (B, K, side, side)"
    if ("prefill" in graphs) != ("step" in graphs):
        yield "graphs: a 'prefill' and a 'step' need each other"
    elif "step" in graphs:
        yield from _stepping(manifest, graphs["prefill"], graphs["step"], count)


def _count(pixels: "Graph | None", image: tuple[str, tuple[int | str, ...]]) -> int:
    """How many tokens make a picture; 0 where the graph is none of tokens."""
    if not pixels or _described(pixels.outputs) != {"image": image}:
        return 0
    dtype, shape = _described(pixels.inputs).get("tokens", ("", ()))
    count = shape[-1] if len(pixels.inputs) == 1 and len(shape) == 2 else 0
    good = dtype == "int64" and isinstance(count, int) and math.isqrt(count) ** 2 == count
    return int(count) if good else 0


def _stepping(manifest: "Manifest", prefill: "Graph", step: "Graph", count: int) -> Iterator[str]:
    drawn = [(each.name, each.shape, each.distribution) for each in manifest.noise]
    if drawn != [("noise", (count,), "uniform")]:
        yield "noise: it takes `noise`, one uniform draw for each token"
    if not manifest.text or manifest.condition != "caption":
        yield "text: there is a prefill graph, but nothing that makes its tokens"
    if _described(prefill.inputs) != {"tokens": ("int64", ("B", "T"))}:
        yield "prefill: its one input must be `tokens`, int64 (B, T)"
    read, inputs, outputs = map(_described, (prefill.outputs, step.inputs, step.outputs))
    logits = read.pop("logits", ("", ()))
    row = outputs.get("key", ("", ()))
    cache = ("float32", (count, *row[1]))
    wanted = {**read, "token": ("int64", ("B",)), "place": ("int64", (1,))}
    wanted |= {"keys": cache, "values": cache}
    whole = [size for _, shape in (*read.values(), row, logits) for size in shape if size != "B"]
    if (
        inputs != wanted
        or outputs != {"logits": logits, "key": row, "value": row}
        or not all(isinstance(size, int) for size in whole)
        or (row[0], row[1].count("B"), len(logits[1])) != ("float32", 1, 2)
        or any(dtype != "float32" or shape[0] != "B" for dtype, shape in (*read.values(), logits))
    ):
        yield "step: not from `token`, `place`, `keys`, `values` and what prefill gives to the next"


def _described(tensors: "tuple[Tensor, ...]") -> dict[str, tuple[str, tuple[int | str, ...]]]:
    return {each.name: (each.dtype, each.shape) for each in tensors}
