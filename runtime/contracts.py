"""What the graphs of a bundle take and give: each finds its inputs, and all fit the manifest.

As in `rules.py`, nothing is taken for granted that a stranger may have written.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from t2i.runtime.bundle import Graph, Manifest, Tensor

TEXT_LENGTH = range(1, 1025)

Described = tuple[str, tuple[int | str, ...]]
"""Type and shape of a tensor."""
Graphs = Mapping[str, "Graph"]
"""By their roles."""
NOTHING: Described = ("", ())


def problems(manifest: "Manifest") -> Iterator[str]:
    """What is wrong with the graphs, each of which is described soundly."""
    contracts: tuple[Callable[[Manifest, Graphs], Iterator[str]], ...] = (
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
    graphs = {graph.role: graph for graph in manifest.graphs}
    for contract in contracts:
        yield from contract(manifest, graphs)


def _text(manifest: "Manifest", graphs: Graphs) -> Iterator[str]:
    by_words = manifest.condition in ("caption", "class")
    reads = graphs.get("text")
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
    if reads and [(each.name, each.dtype, len(each.shape)) for each in reads.inputs] != [
        ("tokens", "int64", 2)
    ]:
        yield "text: its one input must be `tokens`, int64 (B, T)"


def _drawing(manifest: "Manifest", graphs: Graphs) -> Iterator[str]:
    """A generator finds every input among noise and text, and draws pictures of the stated size."""
    if manifest.pipeline != "gan" or "generator" not in graphs:
        return
    yield from _wiring(manifest, graphs)
    outputs = _outputs(graphs, "generator")
    if outputs.get("image", NOTHING)[1][2:] != (manifest.image_px,) * 2:
        yield "generator: no output `image` (B, 3, image_px, image_px)"
    for name, (dtype, (_, *shape)) in outputs.items():
        picture = name.startswith("image") and shape == [3, *shape[2:] * 2]
        attention = name.startswith("attention") and len(shape) == 3
        if dtype != "float32" or not (picture or attention):
            yield f"generator: its output {name!r} is neither a picture nor an attention"


def _wiring(manifest: "Manifest", graphs: Graphs) -> Iterator[str]:
    offered = _of_one(graphs["text"].outputs) if "text" in graphs else {}
    for noise in manifest.noise:
        if noise.name in offered:
            yield f"noise: {noise.name[:40]!r} is an output of the text graph too"
        offered[noise.name] = ("float32", noise.shape)
    generator = graphs["generator"]
    wanted = _of_one(generator.inputs)
    for name in sorted({noise.name for noise in manifest.noise} - set(wanted)):
        yield f"noise: the generator has no input {name[:40]!r}"
    if manifest.condition == "vector":
        wanted.pop("sentence", None)
        if not _is_vector(_described(generator.inputs).get("sentence")):
            yield "generator: vectors need its input `sentence`, float32 (B, E)"
    for name, described in wanted.items():
        if name not in offered:
            yield f"generator: nothing provides its input {name!r}"
        elif offered[name] != described:
            yield f"generator: its input {name!r} differs from what provides it"


def _matching(manifest: "Manifest", graphs: Graphs) -> Iterator[str]:
    """What compares pictures with captions makes vectors of one length of both."""
    if manifest.pipeline != "score" or not {"text", "image"} <= graphs.keys():
        return
    sentence = _outputs(graphs, "text").get("sentence")
    if sentence != _outputs(graphs, "image").get("code") or not _is_vector(sentence):
        yield "text: its `sentence` and the image graph's `code` are not both float32 (B, E)"


def _inverting(manifest: "Manifest", graphs: Graphs) -> Iterator[str]:
    """From a picture of the stated size to draws of the generator's noise."""
    if "invert" not in graphs:
        return
    image = ("float32", (3, manifest.image_px, manifest.image_px))
    if _of_one(graphs["invert"].inputs) != {"image": image}:
        yield "invert: its one input must be `image`, float32 (B, 3, image_px, image_px)"
    known = {each.name: ("float32", each.shape) for each in manifest.noise}
    for name, described in _of_one(graphs["invert"].outputs).items():
        if known.get(name) != described:
            yield f"invert: its output {name!r} is no noise of the generator"


def _editing(manifest: "Manifest", graphs: Graphs) -> Iterator[str]:
    """A step finds all that it takes in a caption and a picture, and says which way is down."""
    if "edit" not in graphs:
        return
    image = ("float32", ("B", 3, manifest.image_px, manifest.image_px))
    told, inputs = _outputs(graphs, "image"), _described(graphs["edit"].inputs)
    latent = told.get("latent", NOTHING)
    if not _is_vector(latent):
        yield "edit: no image graph tells a `latent`, float32 (B, S)"
    sentence = _outputs(graphs, "text").get("sentence")
    if sentence != latent or not {"latent", "sentence", "strength"} <= set(inputs):
        yield "edit: it moves a `latent` to a `sentence` of the same size, with some `strength`"
    given = {**told, "sentence": latent, "start": latent, "picture": image}
    given |= {"strength": ("float32", ("B",))}
    for name, described in inputs.items():
        if given.get(name) != described:
            yield f"edit: nothing provides its input {name[:40]!r}, or it differs"
    if "image" in graphs and _described(graphs["image"].inputs) != {"image": image}:
        yield "edit: the image graph takes other pictures than `image` of the stated size"
    moved = {"loss": ("float32", ("B",)), "slope": latent, "image": image}
    if _outputs(graphs, "edit") != moved:
        yield "edit: not to `loss`, its `slope` by the latent, and the `image` of that"


def _reading(manifest: "Manifest", graphs: Graphs) -> Iterator[str]:
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
    dtype, shape = _outputs(graphs, "image").get("attributes", NOTHING)
    if (dtype, shape[1:]) != ("float32", (width,)):
        yield f"attributes: the image graph has no output `attributes`, float32 (B, {width})"


def _parting(manifest: "Manifest", graphs: Graphs) -> Iterator[str]:
    """What a pixel may show has names, and a map each."""
    names = manifest.parts
    if not names:
        return
    if not all(name and name.isprintable() for name in names) or len(set(names)) < len(names):
        yield "parts: one has a name that cannot be printed, or the name of another"
    dtype, shape = _outputs(graphs, "image").get("parts", NOTHING)
    if (dtype, shape[1:2], len(shape)) != ("float32", (len(names),), 4):
        yield f"parts: the image graph has no output `parts`, float32 (B, {len(names)}, h, w)"


def _describing(manifest: "Manifest", graphs: Graphs) -> Iterator[str]:
    """What says words is given what the image graph reads, the last word, and its own state."""
    if "caption" not in graphs:
        return
    if not manifest.text:
        yield "text: there is a caption graph, but nothing that names its words"
    seen = _of_one(graphs["image"].outputs) if "image" in graphs else {}
    inputs, outputs = map(_of_one, (graphs["caption"].inputs, graphs["caption"].outputs))
    wanted = {"picture": seen.get("picture"), "word": ("int64", ()), "state": inputs.get("state")}
    dtype, shape = outputs.get("next", NOTHING)
    if (
        inputs != wanted
        or inputs["state"] != outputs.get("state_after")
        or (dtype, len(shape)) != ("float32", 1)
        or not all(isinstance(size, int) for size in (*inputs["state"][1], *shape))
    ):
        yield "caption: not from the image graph's `picture`, `word`, `state` to `next` and a state"


def _decoding(manifest: "Manifest", graphs: Graphs) -> Iterator[str]:
    """Tokens become a picture of the stated size; what foretells them reads what goes before."""
    if manifest.pipeline != "tokens":
        return
    image = ("float32", ("B", 3, manifest.image_px, manifest.image_px))
    count = _count(graphs.get("pixels"), image)
    if not count:
        yield "pixels: not from `tokens`, int64 (B, side²), to `image` of the stated size"
        return
    side = math.isqrt(count)
    if codes := graphs.get("codes"):
        inputs, outputs = _described(codes.inputs), _described(codes.outputs)
        dtype, shape = outputs.pop("logits", NOTHING)
        if inputs != {"image": image} or outputs or (dtype, shape[2:]) != ("float32", (side, side)):
            yield "codes: not from `image` to `logits`, float32 (B, K, side, side)"
    if ("prefill" in graphs) != ("step" in graphs):
        yield "graphs: a 'prefill' and a 'step' need each other"
    elif "step" in graphs:
        yield from _stepping(manifest, graphs["prefill"], graphs["step"], count)


def _count(pixels: "Graph | None", image: Described) -> int:
    """How many tokens make a picture; 0 where the graph is none of tokens."""
    if not pixels or _described(pixels.outputs) != {"image": image}:
        return 0
    dtype, shape = _described(pixels.inputs).get("tokens", NOTHING)
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
    logits = read.pop("logits", NOTHING)
    row = outputs.get("key", NOTHING)
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


def _described(tensors: "Iterable[Tensor]") -> dict[str, Described]:
    return {each.name: (each.dtype, each.shape) for each in tensors}


def _of_one(tensors: "Iterable[Tensor]") -> dict[str, Described]:
    """The same without the first axis, that of the batch, whatever it is called."""
    return {each.name: (each.dtype, each.shape[1:]) for each in tensors}


def _outputs(graphs: Graphs, role: str) -> dict[str, Described]:
    """Of a graph that may not be there."""
    return _described(graphs[role].outputs) if role in graphs else {}


def _is_vector(described: Described | None) -> bool:
    """Whether it is float32 (B, E), and E is known."""
    dtype, shape = described or NOTHING
    return (dtype, len(shape)) == ("float32", 2) and isinstance(shape[1], int)
