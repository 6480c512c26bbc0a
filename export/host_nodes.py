"""What a host does for the graphs of a bundle, as nodes of a graph: words, noise and pixels.

All operators are in the stock packages of ONNX Runtime, the one for browsers included; three of
them are its own (domain `com.microsoft`).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from string import ascii_lowercase
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from t2i.runtime.bundle import Manifest, Noise
from t2i.runtime.noise import DIMENSIONS
from t2i.runtime.text import PADDING_ID, READ_WORDS, SPACES, Rule, Tokenizer

CONTRIBUTED, CLASSICAL = "com.microsoft", "ai.onnx.ml"
WHITE = 255
_SPACE = "".join(rf"\x{{{ord(each):x}}}" for each in SPACES)
# How each rule of `runtime/text.py` splits a caption. An empty separator parts all characters.
_SPLITS: dict[Rule, dict[str, Any]] = {
    "words": {"tokenexp": "[A-Za-z0-9_]+"},
    "whole": {"tokenexp": f"[^{_SPACE}]((?s:.)*[^{_SPACE}])?"},
    "characters": {"separators": [""]},
}


@dataclass
class Nodes:
    """A graph in the making: nodes in their order, and constants."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, value: object, dtype: npt.DTypeLike = np.int64) -> str:
        name = f"host.constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def add(self, operator: str, *inputs: str, out: str = "", domain: str = "", **how: Any) -> str:
        """Add a node with one output, whose name is returned."""
        name = out or f"host.{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], domain=domain, **how))
        return name

    def several(self, operator: str, count: int, *inputs: str, **how: Any) -> list[str]:
        """Add a node with several outputs."""
        names = [f"host.{operator.lower()}_{len(self.nodes)}_{k}" for k in range(count)]
        self.nodes.append(helper.make_node(operator, inputs, names, **how))
        return names

    def cast(self, name: str, dtype: int, out: str = "") -> str:
        return self.add("Cast", name, to=dtype, out=out)


def read(nodes: Nodes, tokenizer: Tokenizer) -> None:
    """From `caption` (B) to `tokens` (B, T), `said` (B, T), `known` and `unknown` (B).

    As `Tokenizer.read`, which stops where a caption has all the tokens that the network reads: up
    to there `known` counts the words in the vocabulary, and `unknown` the others, each as often as
    it is said. Where characters are read, these are counted, spaces not. T is the longest in the
    batch, at least 1; `said` are the words as strings.
    """
    words = _split(nodes, tokenizer)
    if tokenizer.rule != "characters":
        words = _lowered(nodes, words)
    ids = _looked_up(nodes, words, tokenizer)
    zero, one, along = nodes.constant(PADDING_ID), nodes.constant(1), nodes.constant([1])
    there = nodes.add("Not", nodes.add("Equal", ids, zero))
    strange = nodes.add("Equal", ids, nodes.constant(tokenizer.unknown_id))
    familiar = nodes.add("And", there, nodes.add("Not", strange))
    kept = familiar if tokenizer.settings.unknown == "drop" else there
    before = nodes.add("CumSum", nodes.cast(kept, TensorProto.INT64), one, exclusive=1)
    reached = nodes.add("Less", before, nodes.constant(tokenizer.settings.length))

    # What is kept moves to the front: places in ascending order, those of the rest behind.
    kept = nodes.add("And", kept, reached)
    counts = nodes.add("ReduceSum", nodes.cast(kept, TensorProto.INT64), along, keepdims=0)
    longest = nodes.add("Max", nodes.add("ReduceMax", counts, keepdims=1), along)
    width = nodes.add("Squeeze", nodes.add("Shape", ids, start=1))
    places = nodes.add("Range", zero, width, one)
    behind = nodes.add("Add", places, nodes.constant(READ_WORDS + 1))
    order = nodes.add("Where", kept, places, behind)
    _, first = nodes.several("TopK", 2, order, longest, largest=0, sorted=1)
    tokens = nodes.add("Where", kept, ids, zero)
    nodes.add("GatherElements", tokens, first, axis=1, out="tokens")
    said = nodes.add("Where", kept, words, nodes.constant("", np.object_))
    nodes.add("GatherElements", said, first, axis=1, out="said")

    counted = {"known": familiar, "unknown": strange}
    if space := tokenizer.vocabulary.get(" "):
        blank = nodes.add("Equal", ids, nodes.constant(space))
        counted["known"] = nodes.add("And", familiar, nodes.add("Not", blank))
    for name, mask in counted.items():
        seen = nodes.cast(nodes.add("And", mask, reached), TensorProto.INT64)
        nodes.add("ReduceSum", seen, along, keepdims=0, out=name)


def _split(nodes: Nodes, tokenizer: Tokenizer) -> str:
    """`caption` as strings (B, L), those behind its end empty; L is 1 or more."""
    how = _SPLITS[tokenizer.rule]
    given: dict[str, Any] = {"mark": 0, "mincharnum": 1, "pad_value": "", **how}
    split = nodes.add("Tokenizer", "caption", domain=CONTRIBUTED, **given)
    ends = [nodes.constant([each]) for each in (0, READ_WORDS, 1)]
    split = nodes.add("Slice", split, *ends)
    rows = nodes.add("Concat", nodes.add("Shape", "caption"), nodes.constant([1]), axis=0)
    column = nodes.add("Expand", nodes.constant([""], np.object_), rows)
    return nodes.add("Concat", split, column, axis=1)


def _lowered(nodes: Nodes, words: str) -> str:
    """The same in lower case. Words, not captions: in browsers letters beyond ASCII change too,
    and some become letters of ASCII."""
    # The operator takes one row. Its default locale is not installed everywhere.
    row = nodes.add("Reshape", words, nodes.constant([-1]))
    row = nodes.add(
        "StringNormalizer", row, case_change_action="LOWER", is_case_sensitive=1, locale="C"
    )
    return nodes.add("Reshape", row, nodes.add("Shape", words))


def _looked_up(nodes: Nodes, words: str, tokenizer: Tokenizer) -> str:
    ids = {**tokenizer.vocabulary, "": PADDING_ID}
    if tokenizer.rule == "characters":
        ids |= {each.upper(): ids[each] for each in ascii_lowercase if each in ids}
    return nodes.add(
        "LabelEncoder",
        words,
        domain=CLASSICAL,
        keys_strings=list(ids),
        values_int64s=list(ids.values()),
        default_int64=tokenizer.unknown_id,
    )


def draw(nodes: Nodes, inputs: Sequence[Noise]) -> Iterator[str]:
    """From `seed` (B) to the noises of a picture, (B, *shape) each: as `runtime/noise.py`."""
    column = nodes.add("Unsqueeze", "seed", nodes.constant([1]))
    starts = nodes.add("Mul", column, nodes.constant(DIMENSIONS))
    first = 0
    for noise in inputs:
        size = math.prod(noise.shape)
        ends = (nodes.constant(first), nodes.constant(first + size), nodes.constant(1))
        counters = nodes.add("Add", starts, nodes.add("Range", *ends))
        values = _values(nodes, counters, noise)
        flat = nodes.cast(values, TensorProto.FLOAT)
        yield nodes.add("Reshape", flat, nodes.constant([-1, *noise.shape]))
        first += size


def _values(nodes: Nodes, counters: str, noise: Noise) -> str:
    one, two = _unit(nodes, counters, 0), nodes.constant(2.0, np.float64)
    if noise.distribution == "uniform":
        doubled = nodes.add("Mul", one, two)
        return nodes.add("Sub", doubled, nodes.constant(1.0, np.float64))
    logarithm = nodes.add("Mul", nodes.add("Log", one), nodes.constant(-2.0, np.float64))
    turn = nodes.constant(2.0 * math.pi, np.float64)
    angle = nodes.add("Mul", _unit(nodes, counters, 1), turn)
    return nodes.add("Mul", nodes.add("Sqrt", logarithm), nodes.add("Cos", angle))


def _unit(nodes: Nodes, counters: str, seed: int) -> str:
    hashes = nodes.add("MurmurHash3", counters, domain=CONTRIBUTED, positive=1, seed=seed)
    half = nodes.constant(0.5, np.float64)
    shifted = nodes.add("Add", nodes.cast(hashes, TensorProto.DOUBLE), half)
    return nodes.add("Mul", shifted, nodes.constant(2.0**-32, np.float64))


def show(nodes: Nodes, image: str, manifest: Manifest, known: str | None) -> None:
    """From a picture (B, 3, H, W) in [-1, 1] to `image` (B, H, W, 3): as `pictures.to_pixels`.

    A picture of a caption of which nothing is `known` is white, because it would be none.
    """
    levels = nodes.add("Add", image, nodes.constant(1.0, np.float32))
    levels = nodes.add("Mul", levels, nodes.constant(127.5, np.float32))
    ends = (nodes.constant(0.0, np.float32), nodes.constant(255.0, np.float32))
    levels = nodes.add("Clip", levels, *ends)
    if manifest.pixels == "round":
        levels = nodes.add("Round", levels)
    if known:
        shape = nodes.constant([-1, 1, 1, 1])
        some = nodes.add("Reshape", nodes.add("Greater", known, nodes.constant(0)), shape)
        levels = nodes.add("Where", some, levels, nodes.constant(WHITE, np.float32))
    levels = nodes.cast(levels, TensorProto.UINT8)
    nodes.add("Transpose", levels, perm=[0, 2, 3, 1], out="image")
