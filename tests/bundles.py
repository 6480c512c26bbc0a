"""A bundle small enough for every test: random weights, two graphs, 16 × 16 pixels.

It has all that the real ones have: text and generator graphs with masks, two noise inputs, a
picture of a smaller stage, an attention, a proof, a preview and a card.
"""

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from PIL import Image

from t2i.runtime import records
from t2i.runtime.bundle import Bundle, Check, File, Graph, Manifest, Noise, Tensor, Text
from t2i.runtime.errors import BundleError
from t2i.runtime.text import word_tokenizer

VOCABULARY = (
    "a the this bird is has with and small red blue grey black white yellow green brown "
    "wings belly head beak body tail left right facing"
)
WORDS = VOCABULARY.split()
E, Z, C, LENGTH, PX = 6, 8, 4, 12, 16

TOKENS = Tensor("tokens", "int64", ("B", "T"))
SENTENCE = Tensor("sentence", "float32", ("B", E))
EMBEDDED = Tensor("words", "float32", ("B", E, "T"))
MASK = Tensor("mask", "bool", ("B", "T"))
NOISE = Tensor("noise", "float32", ("B", Z))
DETAIL = Tensor("detail", "float32", ("B", C))
IMAGE = Tensor("image", "float32", ("B", 3, PX, PX), (-1.0, 1.0), "BCHW")
STAGE = Tensor("image_8", "float32", ("B", 3, 8, 8), (-1.0, 1.0), "BCHW")
ATTENTION = Tensor("attention_1", "float32", ("B", "T", 8, 8), (0.0, 1.0), "BTHW")


def write_tiny_bundle(folder: Path, name: str = "tiny") -> Path:
    """Write `folder/NAME.t2i` and return its path."""
    bundle = folder / f"{name}.t2i"
    bundle.mkdir(parents=True)
    graphs = {"text": text_graph(), "generator": generator_graph()}
    for role, graph in graphs.items():
        (bundle / f"{role}.onnx").write_bytes(graph.SerializeToString())
    (bundle / "tokenizer.json").write_bytes(word_tokenizer(WORDS))
    np.savez(bundle / "proof.npz", **proof(graphs))
    Image.new("RGB", (PX, PX), "red").save(bundle / "preview.png")
    (bundle / "card.md").write_text("# tiny\n\nRandom weights, for tests.\n", encoding="utf-8")
    save_manifest(bundle, manifest(bundle, name))
    return bundle


def zipped(bundle: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """The same bundle as one zip beside it."""
    path = bundle.with_name("zipped.t2i")
    with zipfile.ZipFile(path, "w", method) as archive:
        for each in sorted(bundle.iterdir()):
            archive.write(each, each.name)
    return path


def problem(attempt: Callable[..., object], *arguments: object) -> BundleError | None:
    """What was wrong with a bundle, if anything was; any other error goes on its way."""
    try:
        attempt(*arguments)
    except BundleError as error:
        return error
    return None


def refused(path: Path) -> str:
    """What is said about a bundle that must not load."""
    found = problem(Bundle.load, path)
    assert found
    assert found.hint
    return str(found)


def save_manifest(bundle: Path, manifest: Manifest) -> None:
    (bundle / "manifest.json").write_text(records.dumps(manifest), encoding="utf-8")


def manifest(bundle: Path, name: str = "tiny") -> Manifest:
    """The manifest that fits the files as they are."""
    return replace(
        bare(bundle, name),
        noise=(Noise("noise", (Z,)), Noise("detail", (C,))),
        graphs=(
            graph(bundle, "text", (TOKENS,), (SENTENCE, EMBEDDED, MASK)),
            graph(
                bundle,
                "generator",
                (NOISE, DETAIL, SENTENCE, EMBEDDED, MASK),
                (IMAGE, STAGE, ATTENTION),
            ),
        ),
    )


def bare(bundle: Path, name: str) -> Manifest:
    """A manifest without graphs."""
    return Manifest(
        schema=1,
        name=name,
        system="attngan",
        pipeline="gan",
        condition="caption",
        text=Text("tokenizer.json", file(bundle, "tokenizer.json").sha256, LENGTH, "drop"),
        classes=(),
        noise=(),
        graphs=(),
        pixels="round",
        image_px=PX,
        proof=file(bundle, "proof.npz"),
        preview=file(bundle, "preview.png"),
        card=file(bundle, "card.md"),
        check=Check("none", (2, 1, 5), 1e-4, 0.0),
        training=None,
        scores=(),
        cost=None,
        licence="Apache-2.0",
        paper="none",
        precision="fp32",
    )


def file(bundle: Path, name: str) -> File:
    data = (bundle / name).read_bytes()
    return File(name, hashlib.sha256(data).hexdigest(), len(data))


def graph(
    bundle: Path, role: str, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
) -> Graph:
    of = file(bundle, f"{role}.onnx")
    return Graph(role, of.file, of.sha256, of.bytes, 17, "fp32", inputs, outputs)


def text_graph() -> onnx.ModelProto:
    """Embedded words, zero at padding, and their mean."""
    random = np.random.default_rng(1)
    nodes = [
        helper.make_node("Equal", ["tokens", "zero"], ["padding"]),
        helper.make_node("Not", ["padding"], ["mask"]),
        helper.make_node("Cast", ["mask"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["real", "last"], ["column"]),
        helper.make_node("Gather", ["table", "tokens"], ["embedded"]),
        helper.make_node("Mul", ["embedded", "column"], ["masked"]),
        helper.make_node("Transpose", ["masked"], ["words"], perm=[0, 2, 1]),
        helper.make_node("ReduceSum", ["masked", "one"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["real", "one"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["sentence"]),
    ]
    weights = {
        "zero": np.array(0),
        "last": np.array([2]),
        "one": np.array([1]),
        "table": random.normal(size=(len(WORDS) + 2, E)).astype(np.float32),
    }
    return model("text", nodes, weights, (TOKENS,), (SENTENCE, EMBEDDED, MASK))


def generator_graph() -> onnx.ModelProto:
    """Noise and sentence make 8 × 8 queries; each looks at the words; colours come from both."""
    random = np.random.default_rng(2)
    nodes = [
        helper.make_node("Concat", ["noise", "detail", "sentence"], ["condition"], axis=1),
        helper.make_node("MatMul", ["condition", "spread"], ["flat"]),
        helper.make_node("Reshape", ["flat", "queries_shape"], ["queries"]),
        helper.make_node("Transpose", ["words"], ["keys"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["keys", "queries"], ["scores"]),
        helper.make_node("Unsqueeze", ["mask", "last"], ["shown"]),
        helper.make_node("Where", ["shown", "scores", "never"], ["masked"]),
        helper.make_node("Softmax", ["masked"], ["weights"], axis=1),
        helper.make_node("Reshape", ["weights", "attention_shape"], ["attention_1"]),
        helper.make_node("MatMul", ["words", "weights"], ["context"]),
        helper.make_node("Add", ["queries", "context"], ["hidden"]),
        helper.make_node("Reshape", ["hidden", "map_shape"], ["map"]),
        helper.make_node("Conv", ["map", "colour"], ["small"]),
        helper.make_node("Tanh", ["small"], ["image_8"]),
        helper.make_node("ConvTranspose", ["map", "grow"], ["large"], strides=[2, 2]),
        helper.make_node("Tanh", ["large"], ["image"]),
    ]
    weights = {
        "spread": random.normal(size=(Z + C + E, E * 64), scale=0.3).astype(np.float32),
        "colour": random.normal(size=(3, E, 1, 1), scale=0.4).astype(np.float32),
        "grow": random.normal(size=(E, 3, 2, 2), scale=0.4).astype(np.float32),
        "queries_shape": np.array([-1, E, 64]),
        "attention_shape": np.array([0, 0, 8, 8]),
        "map_shape": np.array([-1, E, 8, 8]),
        "last": np.array([2]),
        "never": np.array(-1e9, np.float32),
    }
    inputs = (NOISE, DETAIL, SENTENCE, EMBEDDED, MASK)
    return model("generator", nodes, weights, inputs, (IMAGE, STAGE, ATTENTION))


def add_inversion(bundle: Path, outputs: tuple[Tensor, ...] = (NOISE,)) -> Path:
    """Give the bundle a graph that tells noises of pictures, by default not their detail."""
    random = np.random.default_rng(4)
    nodes, weights = [helper.make_node("Flatten", ["image"], ["flat"])], {}
    for each in outputs:
        size = (3 * PX**2, each.shape[1])
        weights[f"see_{each.name}"] = random.normal(size=size, scale=0.05).astype(np.float32)
        nodes.append(helper.make_node("MatMul", ["flat", f"see_{each.name}"], [each.name]))
    made = model("invert", nodes, weights, (IMAGE,), outputs)
    (bundle / "invert.onnx").write_bytes(made.SerializeToString())
    about = manifest(bundle)
    graphs = (*about.graphs, graph(bundle, "invert", (IMAGE,), outputs))
    save_manifest(bundle, replace(about, graphs=graphs))
    return bundle


def add_editing(bundle: Path, image: onnx.ModelProto, edit: onnx.ModelProto) -> Path:
    """Give the bundle a graph that tells latents of pictures, and one that says where to go."""
    about = manifest(bundle)
    made = []
    for role, each in (("image", image), ("edit", edit)):
        (bundle / f"{role}.onnx").write_bytes(each.SerializeToString())
        tensors = [tuple(map(described, side)) for side in (each.graph.input, each.graph.output)]
        made.append(graph(bundle, role, *tensors))
    save_manifest(bundle, replace(about, graphs=(*about.graphs, *made)))
    return bundle


def described(value: onnx.ValueInfoProto) -> Tensor:
    """A tensor of a graph; an axis without a size is the batch."""
    axes = [axis.dim_value or "B" for axis in value.type.tensor_type.shape.dim]
    return Tensor(value.name, "float32", tuple(axes))


LATENT = Tensor("latent", "float32", ("B", E))
DRAWN = np.random.default_rng(5).normal(size=(E, 3 * PX**2), scale=0.3).astype(np.float32)
"""Pictures that a latent draws, one number a row: what is to be least is then a square form."""


def telling_graph() -> onnx.ModelProto:
    """The latent that draws most of a picture."""
    return model(
        "image",
        [
            helper.make_node("Flatten", ["image"], ["flat"]),
            helper.make_node("MatMul", ["flat", "told"], ["latent"]),
        ],
        {"told": np.linalg.pinv(DRAWN).astype(np.float32)},
        (IMAGE,),
        (LATENT,),
    )


def add_line_drawing(bundle: Path) -> Path:
    """Give the bundle a generator whose pictures are sums of those that it knows."""
    nodes = [
        helper.make_node("MatMul", ["latent", "drawn"], ["lines"]),
        helper.make_node("Reshape", ["lines", "pixels"], ["open"]),
        helper.make_node("Clip", ["open", "black", "white"], ["image"]),
        helper.make_node("Sub", ["latent", "sentence"], ["to_caption"]),
        helper.make_node("Flatten", ["picture"], ["flat"]),
        helper.make_node("Sub", ["lines", "flat"], ["to_picture"]),
        helper.make_node("ReduceSumSquare", ["to_caption"], ["far_caption"], axes=[1]),
        helper.make_node("ReduceSumSquare", ["to_picture"], ["far_picture"], axes=[1]),
        helper.make_node("Unsqueeze", ["strength", "one"], ["share"]),
        helper.make_node("Sub", ["whole", "share"], ["rest"]),
        helper.make_node("Mul", ["share", "far_caption"], ["loss_caption"]),
        helper.make_node("Mul", ["rest", "far_picture"], ["loss_picture"]),
        helper.make_node("Add", ["loss_caption", "loss_picture"], ["both"]),
        helper.make_node("Squeeze", ["both", "one"], ["loss"]),
        helper.make_node("MatMul", ["to_picture", "back"], ["pull"]),
        helper.make_node("Mul", ["share", "to_caption"], ["slope_caption"]),
        helper.make_node("Mul", ["rest", "pull"], ["slope_picture"]),
        helper.make_node("Add", ["slope_caption", "slope_picture"], ["half"]),
        helper.make_node("Add", ["half", "half"], ["slope"]),
    ]
    weights = {
        "drawn": DRAWN,
        "back": np.ascontiguousarray(DRAWN.T),
        "pixels": np.array([-1, 3, PX, PX]),
        "black": np.array(-1, np.float32),
        "white": np.array(1, np.float32),
        "one": np.array([1]),
        "whole": np.array(1, np.float32),
    }
    step = model(
        "edit",
        nodes,
        weights,
        (LATENT, SENTENCE, Tensor("strength", "float32", ("B",)), replace(IMAGE, name="picture")),
        (Tensor("loss", "float32", ("B",)), replace(LATENT, name="slope"), IMAGE),
    )
    return add_editing(bundle, telling_graph(), step)


def model(
    name: str,
    nodes: list[onnx.NodeProto],
    weights: dict[str, np.ndarray],
    inputs: tuple[Tensor, ...],
    outputs: tuple[Tensor, ...],
) -> onnx.ModelProto:
    built = helper.make_graph(
        nodes,
        name,
        [value(each) for each in inputs],
        [value(each) for each in outputs],
        [numpy_helper.from_array(array, key) for key, array in weights.items()],
    )
    made = helper.make_model(
        built, ir_version=10, opset_imports=[helper.make_opsetid("", 17)], producer_name="tests"
    )
    onnx.checker.check_model(made, full_check=True)
    return made


def value(tensor: Tensor) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    return helper.make_tensor_value_info(tensor.name, kind, tensor.shape)


def proof(graphs: dict[str, onnx.ModelProto]) -> dict[str, np.ndarray]:
    """Two captions of different lengths through ONNX's own reference implementation."""
    random = np.random.default_rng(3)
    inputs = {
        "tokens": np.array([[1, 10, 4, 0], [3, 4, 5, 11]]),
        "noise": random.normal(size=(2, Z)).astype(np.float32),
        "detail": random.normal(size=(2, C)).astype(np.float32),
    }
    arrays = {}
    for role, graph in graphs.items():
        feeds = {each.name: inputs[each.name] for each in graph.graph.input}
        names = [each.name for each in graph.graph.output]
        outputs = dict(zip(names, ReferenceEvaluator(graph).run(names, feeds), strict=True))
        arrays |= {f"{role}.in.{key}": array for key, array in feeds.items()}
        arrays |= {f"{role}.out.{key}": array for key, array in outputs.items()}
        inputs |= outputs
    return arrays
