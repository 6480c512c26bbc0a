"""A world of plain colours, small enough for every test: who draws them, reads them, matches them.

A picture is one colour, its caption's words decide which, and every bundle sees a picture's mean
colour and nothing else, so that all that a metric should find can be said beforehand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from bundles import IMAGE, MASK, TOKENS, bare, file, graph, model, save_manifest
from onnx import TensorProto, helper
from PIL import Image

from t2i.runtime.bundle import Noise, Tensor, Text, Training, read_manifest
from t2i.runtime.text import word_tokenizer

PRIMARY = {"red": (1.0, -1.0, -1.0), "green": (-1.0, 1.0, -1.0), "blue": (-1.0, -1.0, 1.0)}
SHADES = {
    f"shade{n}": tuple(each)
    for n, each in enumerate(np.random.default_rng(5).uniform(-0.9, 0.9, (150, 3)).tolist())
}
COLOURS = {**PRIMARY, **SHADES, "bird": (0.0, 0.0, 0.0), "songbird": (0.0, 0.0, 0.0)}
ATTRIBUTES = {"back": ("red", "green", "blue"), "light": ("dark", "bright")}
"""What the judge reads: its logits are the mean colour, and (−brightness, brightness)."""

PICTURES = Tensor("image", "float32", ("B", 3, "H", "W"), (-1.0, 1.0), "BCHW")
FEATURES = Tensor("features", "float32", ("B", 3))
SENTENCE = Tensor("sentence", "float32", ("B", 3))
NOISE = Tensor("noise", "float32", ("B", 3))

READS = np.concatenate([np.eye(3), np.full((3, 1), -1.0), np.full((3, 1), 1.0)], axis=1)


def write_judge(
    folder: Path,
    name: str = "judge",
    attributes: Mapping[str, tuple[str, ...]] = ATTRIBUTES,
    reads: np.ndarray = READS,
    system: str = "judge",
) -> Path:
    """A bundle of features: `reads` (3, V) makes logits of the mean colour."""
    logits = Tensor("attributes", "float32", ("B", reads.shape[1]))
    nodes = [
        *mean_colour("features"),
        helper.make_node("MatMul", ["features", "reads"], ["attributes"]),
    ]
    outputs = (FEATURES, logits)
    made = model("image", nodes, {"reads": reads.astype(np.float32)}, (PICTURES,), outputs)
    bundle = begin(folder, name, {"image": made})
    save_manifest(
        bundle,
        replace(
            bare(bundle, name),
            system=system,
            pipeline="features",
            condition="none",
            text=None,
            graphs=(graph(bundle, "image", (PICTURES,), outputs),),
            attributes=dict(attributes),
        ),
    )
    return bundle


def write_parts(
    folder: Path, map_of: np.ndarray, names: tuple[str, ...], name: str = "birds-parts"
) -> Path:
    """A bundle that sees the same parts in every picture: a map (h, w) of their numbers."""
    shares = (map_of == np.arange(len(names))[:, None, None]).astype(np.float32)
    parts = Tensor("parts", "float32", ("B", *shares.shape))
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3]),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "shares"], ["parts"]),
    ]
    weights = {"zero": np.array(0, np.float32), "shares": shares[None]}
    made = model("image", nodes, weights, (PICTURES,), (parts,))
    bundle = begin(folder, name, {"image": made})
    save_manifest(
        bundle,
        replace(
            bare(bundle, name),
            pipeline="features",
            condition="none",
            text=None,
            graphs=(graph(bundle, "image", (PICTURES,), (parts,)),),
            parts=names,
        ),
    )
    return bundle


def write_matcher(folder: Path, name: str = "matcher") -> Path:
    """A bundle of scores: a picture's code is its mean colour, a sentence that of its words."""
    code = Tensor("code", "float32", ("B", 3))
    image = model("image", mean_colour("code"), {}, (PICTURES,), (code,))
    bundle = begin(folder, name, {"image": image, "text": sentence_graph()})
    save_manifest(
        bundle,
        replace(
            bare(bundle, name),
            pipeline="score",
            graphs=(
                graph(bundle, "text", (TOKENS,), (SENTENCE, MASK)),
                graph(bundle, "image", (PICTURES,), (code,)),
            ),
        ),
    )
    return bundle


def write_clip(folder: Path, name: str = "clip", scale: float | None = 10.0) -> Path:
    """As the matcher, but it takes pictures as they were read, and has learnt a scale."""
    pixels = Tensor("image", "uint8", ("B", "H", "W", 3), (0.0, 255.0), "BHWC")
    code = Tensor("code", "float32", ("B", 3))
    nodes = [
        helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["levels"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["mean", "level"], ["doubled"]),
        helper.make_node("Sub", ["doubled", "one"], ["code"]),
    ]
    weights = {"level": np.array(1 / 127.5, np.float32), "one": np.array(1, np.float32)}
    image = model("image", nodes, weights, (pixels,), (code,))
    bundle = begin(folder, name, {"image": image, "text": sentence_graph()})
    save_manifest(
        bundle,
        replace(
            bare(bundle, name),
            pipeline="score",
            graphs=(
                graph(bundle, "text", (TOKENS,), (SENTENCE, MASK)),
                graph(bundle, "image", (pixels,), (code,)),
            ),
            logit_scale=scale,
        ),
    )
    return bundle


def write_colourist(
    folder: Path, name: str = "colourist", *, birds: bool = True, noise: float = 0.05
) -> Path:
    """A bundle that draws what the words say, a little more or less of it by the noise."""
    nodes = [
        helper.make_node("Mul", ["noise", "amount"], ["little"]),
        helper.make_node("Add", ["sentence", "little"], ["colour"]),
        helper.make_node("Clip", ["colour", "low", "high"], ["inside"]),
        helper.make_node("Reshape", ["inside", "shape"], ["pixel"]),
        helper.make_node("Expand", ["pixel", "size"], ["image"]),
    ]
    weights = {
        "amount": np.array(noise, np.float32),
        "low": np.array(-1, np.float32),
        "high": np.array(1, np.float32),
        "shape": np.array([-1, 3, 1, 1]),
        "size": np.array(IMAGE.shape[1:]),
    }
    generator = model("generator", nodes, weights, (NOISE, SENTENCE), (IMAGE,))
    bundle = begin(folder, name, {"generator": generator, "text": sentence_graph()})
    settings = {"data": {"kind": "birds" if birds else "folder"}}
    training = Training("toy", "", settings, needs={}, checkpoint="0" * 64, images_seen=0)
    save_manifest(
        bundle,
        replace(
            bare(bundle, name),
            noise=(Noise("noise", (3,)),),
            graphs=(
                graph(bundle, "text", (TOKENS,), (SENTENCE, MASK)),
                graph(bundle, "generator", (NOISE, SENTENCE), (IMAGE,)),
            ),
            training=training,
        ),
    )
    return bundle


def write_sorter(folder: Path, name: str = "sorter") -> Path:
    """The same, but each of its words is a class."""
    bundle = write_colourist(folder, name)
    (bundle / "tokenizer.json").write_bytes(word_tokenizer(list(COLOURS), whole=True))
    sha256 = file(bundle, "tokenizer.json").sha256
    about = read_manifest((bundle / "manifest.json").read_bytes(), name)
    text = Text("tokenizer.json", sha256, 1, "drop")
    save_manifest(bundle, replace(about, condition="class", classes=tuple(COLOURS), text=text))
    return bundle


def mean_colour(output: str) -> list[onnx.NodeProto]:
    """(B, 3, H, W) -> (B, 3)."""
    return [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], [output]),
    ]


def sentence_graph() -> onnx.ModelProto:
    """The sum of the colours of the words."""
    nodes = [
        helper.make_node("Equal", ["tokens", "zero"], ["padding"]),
        helper.make_node("Not", ["padding"], ["mask"]),
        helper.make_node("Cast", ["mask"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["real", "last"], ["column"]),
        helper.make_node("Gather", ["table", "tokens"], ["embedded"]),
        helper.make_node("Mul", ["embedded", "column"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "one"], ["sentence"], keepdims=0),
    ]
    table = np.array([(0, 0, 0), *COLOURS.values(), (0, 0, 0)], np.float32)
    weights = {"zero": np.array(0), "last": np.array([2]), "one": np.array([1]), "table": table}
    return model("text", nodes, weights, (TOKENS,), (SENTENCE, MASK))


def begin(folder: Path, name: str, graphs: Mapping[str, onnx.ModelProto]) -> Path:
    """The files that every bundle has, and its graphs."""
    bundle = folder / f"{name}.t2i"
    bundle.mkdir(parents=True)
    for role, made in graphs.items():
        (bundle / f"{role}.onnx").write_bytes(made.SerializeToString())
    (bundle / "tokenizer.json").write_bytes(word_tokenizer(list(COLOURS)))
    np.savez(bundle / "proof.npz", none=np.zeros(1))
    Image.new("RGB", (16, 16), "red").save(bundle / "preview.png")
    (bundle / "card.md").write_text("# plain colours\n", encoding="utf-8")
    return bundle


def flat(colour: Sequence[float], px: int = 8) -> np.ndarray:
    """A picture of one colour, given in -1 … 1."""
    level = np.rint((np.array(colour) + 1) * 127.5).astype(np.uint8)
    return np.broadcast_to(level, (px, px, 3)).copy()
