"""A bundle that describes, small enough for every test: three words, and what follows each."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from bundles import bare, graph, model, save_manifest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from t2i.runtime.bundle import Manifest, Tensor
from t2i.runtime.text import word_tokenizer

WORDS = ("red", "blue", "bird")
LENGTH, PX = 4, 8
IMAGE = Tensor("image", "float32", ("B", 3, "H", "W"), (-1.0, 1.0), "BCHW")
PICTURE = Tensor("picture", "float32", ("B", 3))
WORD = Tensor("word", "int64", ("B",))
STATE = Tensor("state", "float32", ("B", 2, 5))
NEXT = Tensor("next", "float32", ("B", 5), (0.0, 1.0))
AFTER = Tensor("state_after", "float32", ("B", 2, 5))
FOLLOWS = np.array(
    [
        # end, red, blue, bird, unknown
        [0.0, 0.0, 0.0, 0.0, 4.0],  # at first the picture decides, and the unknown word tempts
        [-1.0, 0.0, 0.5, 1.0, 9.0],
        [0.2, 0.0, -1.0, 1.0, 0.0],
        [1.0, 0.6, 0.0, 0.1, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0],
    ],
    np.float32,
)
"""Logits of each next word, row by row after the end (nothing yet), red, blue, bird, unknown."""


def write_captioner(folder: Path) -> Path:
    """Write `folder/captioner.t2i` and return its path."""
    bundle = folder / "captioner.t2i"
    bundle.mkdir(parents=True)
    graphs = {"image": image_graph(), "caption": caption_graph()}
    for role, each in graphs.items():
        (bundle / f"{role}.onnx").write_bytes(each.SerializeToString())
    (bundle / "tokenizer.json").write_bytes(word_tokenizer(WORDS))
    feeds = {
        "image": {"image": np.zeros((2, 3, PX, PX), np.float32)},
        "caption": {
            "picture": np.zeros((2, 3), np.float32),
            "word": np.array([0, 2]),
            "state": np.zeros((2, 2, 5), np.float32),
        },
    }
    arrays = {
        f"{role}.in.{key}": value for role, each in feeds.items() for key, value in each.items()
    }
    for role, each in graphs.items():
        names = [output.name for output in each.graph.output]
        found = ReferenceEvaluator(each).run(names, feeds[role])
        arrays |= {f"{role}.out.{key}": value for key, value in zip(names, found, strict=True)}
    np.savez(bundle / "proof.npz", **arrays)
    for name in ("preview.png", "card.md"):
        (bundle / name).write_text("of a captioner")
    save_manifest(bundle, manifest(bundle))
    return bundle


def manifest(bundle: Path) -> Manifest:
    """The manifest that fits the files as they are."""
    graphs = (
        graph(bundle, "image", (IMAGE,), (PICTURE,)),
        graph(bundle, "caption", (PICTURE, WORD, STATE), (NEXT, AFTER)),
    )
    plain = bare(bundle, "captioner")
    assert plain.text is not None
    text = replace(plain.text, length=LENGTH)
    return replace(plain, system="stream", pipeline="score", text=text, graphs=graphs, image_px=PX)


def image_graph() -> onnx.ModelProto:
    """The mean of each colour."""
    nodes = [helper.make_node("ReduceMean", ["image"], ["picture"], axes=[2, 3], keepdims=0)]
    return model("image", nodes, {}, (IMAGE,), (PICTURE,))


def caption_graph() -> onnx.ModelProto:
    """What follows depends on the last word, on all before it, and on the picture's colours."""
    rng = np.random.default_rng(5)
    nodes = [
        helper.make_node("Gather", ["follows", "word"], ["expected"]),
        helper.make_node("MatMul", ["picture", "colours"], ["wanted"]),
        helper.make_node("Gather", ["state", "zero"], ["before"], axis=1),
        helper.make_node("Sum", ["expected", "wanted", "before"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["next"], axis=1),
        helper.make_node("Gather", ["traces", "word"], ["trace"]),
        helper.make_node("Add", ["state", "trace"], ["state_after"]),
    ]
    weights = {
        "follows": FOLLOWS,
        "colours": np.array([[0, 6, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 6, 0, 0]], np.float32),
        "zero": np.array(0),
        "traces": rng.normal(size=(5, 2, 5), scale=0.4).astype(np.float32),
    }
    return model("caption", nodes, weights, (PICTURE, WORD, STATE), (NEXT, AFTER))
