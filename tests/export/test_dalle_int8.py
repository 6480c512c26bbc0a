"""DALL-E in eight bits: a little off, whoever the neighbours are, and its manifest says how far."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from safetensors.torch import save_file
from telling import SIZES, networks, write_run

from t2i.export.fitting import Fitting
from t2i.export.int8 import _unfold
from t2i.export.publish import Request, export
from t2i.export.trained import load as load_run
from t2i.models import dalle
from t2i.runtime import noise, runs
from t2i.runtime.bundle import Bundle
from t2i.runtime.decode import Decoder
from t2i.runtime.draw import Painter, load
from t2i.runtime.errors import UsageError

CAPTIONS = ["a red bird", "blue", "a small bird, yellow"]
COUNT = SIZES.dvae.side**2
STREAMS = 11  # more than are told together, and no multiple of them


def streams() -> tuple[torch.Tensor, torch.Tensor]:
    """Captions that begin and end, and tokens of pictures."""
    dice = torch.Generator().manual_seed(3)
    tokens = torch.randint(1, 512, (STREAMS, 9), generator=dice)
    tokens[:, 0], tokens[:, -1], tokens[4, 3] = 512, 513, 513
    return tokens, torch.randint(0, SIZES.dvae.codes, (STREAMS, COUNT), generator=dice)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported bundle of a run that keeps streams."""
    root = tmp_path_factory.mktemp("int8")
    run = write_run(root / "run")
    tokens, codes = streams()
    save_file({"tokens": tokens, "codes": codes}, run.folder / runs.STREAMS)
    export(Request(load_run(run), "int8", root / "tiny.t2i"))
    return root / "tiny.t2i"


@pytest.mark.slow
def test_every_linear_layer_multiplies_eight_bits(path: Path) -> None:
    bundle = Bundle.load(path)
    linear = 4 * SIZES.layers + 1  # query, key and value are one; the last tells tokens
    for role in ("prefill", "step"):
        model = onnx.load_from_string(bundle.read(f"{role}.onnx"))
        kinds = [node.op_type for node in model.graph.node]
        assert kinds.count("MatMulNBits") == linear, role
        assert "Gemm" not in kinds


@pytest.mark.slow
def test_the_manifest_tells_what_it_costs_the_likelihood_of_held_out_tokens(path: Path) -> None:
    manifest = Bundle.load(path).manifest
    assert manifest.precision == "int8"
    assert 0 < manifest.check.worst <= manifest.check.tolerance
    (score,) = manifest.scores
    transformer = networks()["transformer"].eval()
    assert isinstance(transformer, dalle.Transformer)
    tokens, codes = streams()
    with torch.no_grad():
        wanted = transformer(tokens, codes)[1].log_softmax(dim=2).gather(2, codes[..., None])
    assert score.metric == "log_likelihood"
    assert score.parts["fp32"] == pytest.approx(wanted.mean().item(), abs=1e-5)
    assert score.value == score.parts["int8"]
    assert 0 < abs(score.value - score.parts["fp32"]) < 0.05
    assert (score.protocol["pictures"], score.protocol["tokens"]) == (STREAMS, COUNT)


def test_its_weights_have_no_range_to_choose(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path / "run"))
    with pytest.raises(UsageError, match="no generator that is fitted"):
        export(Request(run, "int8", tmp_path / "tiny.t2i", fitting=Fitting("reduced")))


@pytest.mark.slow
def test_neighbours_change_no_token(path: Path) -> None:
    painter = load(path, device="cpu", threads=1)

    def tokens(captions: list[str], seed: int) -> np.ndarray:
        seeds = range(seed, seed + len(captions))
        feeds = {**noise.draw(seeds, painter.manifest.noise), **painter._read(captions)}
        assert isinstance(painter._generator, Decoder)
        return painter._generator.tokens(feeds)

    together = tokens(CAPTIONS, 5)
    for place, caption in enumerate(CAPTIONS):
        assert (tokens([caption], 5 + place)[0] == together[place]).all()
    assert Painter(painter.bundle, device="cpu").selftest().ok


@pytest.mark.parametrize("turned", [True, False])
def test_a_linear_layer_of_rows_becomes_a_product_and_a_sum(turned: bool) -> None:
    dice = np.random.default_rng(0)
    weight, bias, x = (dice.normal(size=size).astype(np.float32) for size in ((4, 3), (3,), (2, 4)))
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=int(turned)),
        helper.make_node("Gemm", ["x", "w"], ["z"], transB=int(turned)),
        helper.make_node("Gemm", ["x", "w"], ["half"], alpha=0.5, transB=int(turned)),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in "yz"]
    begin = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 4])
    stored = np.ascontiguousarray(weight.T) if turned else weight
    weights = [numpy_helper.from_array(stored, "w"), numpy_helper.from_array(bias, "b")]
    graph = helper.make_graph(nodes, "g", [begin], ends, weights)
    _unfold(graph)
    assert [node.op_type for node in graph.node] == ["MatMul", "Add", "MatMul", "Gemm"]
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(model)
    found = ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_allclose(found[0], x @ weight + bias, rtol=1e-5)
    np.testing.assert_allclose(found[1], x @ weight, rtol=1e-5)
