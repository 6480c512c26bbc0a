"""A bundle as one ONNX file: captions and seeds in, pixels out, nothing left to the host.

It is made of a bundle's own graphs, so that neither PyTorch nor a run is needed; what a host does
between them is in `host_nodes.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import AttributeProto, TensorProto, compose, helper, inliner

from t2i.export import host_nodes, pages
from t2i.export.host_nodes import CLASSICAL, CONTRIBUTED, Nodes
from t2i.export.nodes import IR_VERSION
from t2i.runtime import rules, terminal
from t2i.runtime.bundle import MANIFEST, Bundle
from t2i.runtime.draw import Painter
from t2i.runtime.errors import ExportError
from t2i.runtime.pictures import write_whole
from t2i.runtime.text import Tokenizer

LEVELS = 1
"""What a picture may differ by from the bundle's, of 255."""
SEED = 7


@dataclass(frozen=True)
class Single:
    """What becomes one file.

    Its inputs are `caption`, strings (B), or where captions are byte pairs `tokens`, int64 (B, T),
    and `seed`, int64 (B). Its outputs are `image`, uint8 (B, H, W, 3), and with captions `known`
    and `unknown`, int64 (B): how many words it could read and how many not.
    """

    bundle: Bundle
    tokenizer: Tokenizer
    attention: str = ""
    """Output of the generator that it gives too, as `attention`, float32 (B, T, h, w); with
    captions `said` names the words, strings (B, T), empty behind the last one of a caption."""

    @property
    def reads(self) -> str:
        return "tokens" if self.tokenizer.pairs else "caption"


def write(bundle: Bundle, path: Path, *, attention: bool = False) -> None:
    """Join the graphs, compare with the bundle, and only then write the file.

    Raises:
        ExportError: this bundle cannot be one file, or the file would draw other pictures.
        PictureError: it cannot be written.
    """
    single = prepare(bundle, attention=attention)
    with terminal.progress(f"joining the graphs of {bundle.name}", 2) as bar:
        data = joined(single).SerializeToString(deterministic=True)
        bar.advance(note="joined")
        compare(single, data)
        bar.advance(note="compared with the bundle")
    write_whole(path, data)


def prepare(bundle: Bundle, *, attention: bool = False) -> Single:
    """
    Raises:
        ExportError: one graph cannot do what a host does for this bundle.
    """
    manifest = bundle.manifest
    if not manifest.draws:
        raise _refused(bundle, f"draws no captions: it is a {manifest.pipeline!r} bundle")
    if manifest.pipeline == "tokens":
        raise _refused(bundle, "draws token by token, in a loop that a host goes round")
    if manifest.text is None:
        raise _refused(bundle, "reads no captions: it draws vectors that are made elsewhere")
    if sum(graph.bytes for graph in manifest.graphs) >= rules.GRAPH_BYTES:
        raise _refused(bundle, "is larger than one ONNX file may be")
    outputs = [each.name for each in bundle.graph("generator").outputs]
    attentions = [name for name in outputs if name.startswith("attention")]
    if attention and not attentions:
        raise ExportError(f"{bundle.name} has no attention", hint="leave out --attention")
    tokenizer = Tokenizer.from_json(bundle.read(manifest.text.tokenizer), manifest.text)
    return Single(bundle, tokenizer, attentions[-1] if attention else "")


def _refused(bundle: Bundle, why: str) -> ExportError:
    return ExportError(
        f"{bundle.name} cannot be one file: it {why}",
        hint="run the bundle itself: docs/bundle.md says what a host does",
    )


def joined(single: Single) -> onnx.ModelProto:
    """The whole graph, from captions and seeds to pixels."""
    manifest, nodes = single.bundle.manifest, Nodes()
    if single.reads == "caption":
        host_nodes.read(nodes, single.tokenizer)
    drawn = host_nodes.draw(nodes, manifest.noise)
    provided = {
        "tokens": "tokens",
        **dict(zip([e.name for e in manifest.noise], drawn, strict=True)),
    }
    operators = {CONTRIBUTED: 1, CLASSICAL: 2}
    for role in ("text", "generator"):
        operators |= _join(nodes, role, single.bundle, provided, operators)
    known = "known" if single.reads == "caption" else None
    host_nodes.show(nodes, provided["image"], manifest, known)
    if single.attention:
        nodes.add("Identity", provided[single.attention], out="attention")
    outputs = list(_outputs(single))
    kept = _needed(nodes.nodes, [each.name for each in outputs])
    read = {name for node in kept for name in _read_by(node)}
    constants = [each for each in nodes.constants if each.name in read]
    graph = helper.make_graph(kept, single.bundle.name, _inputs(single), outputs, constants)
    return _model(single, graph, operators)


def _join(
    nodes: Nodes,
    role: str,
    bundle: Bundle,
    provided: dict[str, str],
    operators: Mapping[str, int],
) -> dict[str, int]:
    """Add one graph of the bundle, and what it gives to what is provided; its operator sets."""
    about = bundle.graph(role)
    model = inliner.inline_local_functions(onnx.load_from_string(bundle.read(about.file)))
    for each in model.opset_import:
        if operators.get(each.domain, each.version) != each.version:
            raise _refused(bundle, "has graphs of different operator sets; export it again")
    graph = compose.add_prefix(model, f"{role}.").graph
    for tensor in about.inputs:
        nodes.add("Identity", provided[tensor.name], out=f"{role}.{tensor.name}")
    nodes.nodes += graph.node
    nodes.constants += graph.initializer
    provided |= {each.name: f"{role}.{each.name}" for each in about.outputs}
    return {each.domain: each.version for each in model.opset_import}


def _inputs(single: Single) -> list[onnx.ValueInfoProto]:
    first = _value("caption", TensorProto.STRING, "B")
    if single.reads == "tokens":
        first = _value("tokens", TensorProto.INT64, "B", "T")
    return [first, _value("seed", TensorProto.INT64, "B")]


def _outputs(single: Single) -> Iterator[onnx.ValueInfoProto]:
    px = single.bundle.manifest.image_px
    yield _value("image", TensorProto.UINT8, "B", px, px, 3)
    if single.reads == "caption":
        yield _value("known", TensorProto.INT64, "B")
        yield _value("unknown", TensorProto.INT64, "B")
    for each in single.bundle.graph("generator").outputs:
        if each.name == single.attention:
            yield _value("attention", TensorProto.FLOAT, *each.shape)
            if single.reads == "caption":
                yield _value("said", TensorProto.STRING, "B", "T")


def _value(name: str, dtype: int, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def _needed(nodes: Sequence[onnx.NodeProto], outputs: Sequence[str]) -> list[onnx.NodeProto]:
    """Those on the way to the outputs: smaller pictures, which nobody asks for, are not drawn."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(_read_by(node))
    return kept[::-1]


def _read_by(node: onnx.NodeProto) -> Iterator[str]:
    """All that a node reads, in the graphs inside it too."""
    yield from node.input
    for attribute in node.attribute:
        inside = [attribute.g] if attribute.type == AttributeProto.GRAPH else attribute.graphs
        for graph in inside:
            for each in graph.node:
                yield from _read_by(each)
            yield from (each.name for each in graph.output)


def _model(single: Single, graph: onnx.GraphProto, operators: Mapping[str, int]) -> onnx.ModelProto:
    model = helper.make_model(
        graph,
        ir_version=IR_VERSION,
        producer_name="t2i",
        opset_imports=[helper.make_opsetid(*each) for each in sorted(operators.items())],
    )
    about = {"t2i.manifest": single.bundle.archive.read(MANIFEST, rules.MANIFEST_BYTES)}
    about["t2i.reads"] = single.reads.encode()
    if single.reads == "tokens":
        text = single.bundle.manifest.text
        assert text, "prepare() refuses such a bundle"
        about["t2i.tokenizer"] = single.bundle.read(text.tokenizer)
    helper.set_model_props(model, {key: value.decode() for key, value in about.items()})
    return model


def compare(single: Single, data: bytes) -> None:
    """Draw alone and in company what the bundle draws.

    Raises:
        ExportError: a picture differs by more than a level, or the file does not run.
    """
    captions = pages.captions(single.bundle)
    wanted = Painter(single.bundle, device="cpu", threads=1).draw(captions, seed=SEED)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        (together,) = session.run(["image"], _feeds(single, captions, SEED))
        alone = [
            session.run(["image"], _feeds(single, [caption], SEED + place))[0][0]
            for place, caption in enumerate(captions)
        ]
    except Exception as error:
        raise ExportError(
            f"the file does not run: {str(error)[:200]}",
            hint="nothing was written: please report it with the bundle's manifest.json",
        ) from error
    gaps = [np.abs(wanted.astype(int) - drawn).max() for drawn in (together, np.stack(alone))]
    if max(gaps) > LEVELS:
        raise ExportError(
            f"the file draws other pictures than {single.bundle.name}: {max(gaps)} levels apart",
            hint="nothing was written: please report it with the bundle's manifest.json",
        )


def _feeds(single: Single, captions: Sequence[str], seed: int) -> dict[str, npt.NDArray[Any]]:
    seeds = np.arange(seed, seed + len(captions))
    if single.reads == "tokens":
        return {"tokens": single.tokenizer.encode(captions), "seed": seeds}
    return {"caption": np.array(captions, np.object_), "seed": seeds}
