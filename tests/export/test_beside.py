"""Weights that a file of a graph cannot hold lie beside the graphs, once, and compute the same."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from bundles import zipped
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from telling import SIZES, write_run

from t2i.export import beside, trace
from t2i.export.beside import Beside
from t2i.export.check import start
from t2i.export.limits import Limits
from t2i.export.precision import SMALL, Precision, convert
from t2i.export.publish import Request, export
from t2i.export.rewrite import rewrite
from t2i.export.tensorrt import build
from t2i.export.trained import load as load_run
from t2i.runtime import noise, runs
from t2i.runtime.beside import take_weights
from t2i.runtime.bundle import Bundle
from t2i.runtime.decode import Decoder
from t2i.runtime.draw import load
from t2i.runtime.errors import DeviceError, ExportError
from t2i.runtime.sessions import open_session

CAPTIONS = ["a red bird", "blue"]
LEAST_BYTES = 2**14  # of a weight beside a graph, here


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of eight bits, none of whose graphs may hold its weights, but for small ones."""
    root = tmp_path_factory.mktemp("beside")
    run = write_run(root / "run")
    dice = torch.Generator().manual_seed(3)
    tokens = torch.randint(1, 512, (3, 9), generator=dice)
    tokens[:, 0], tokens[:, -1] = 512, 513
    codes = torch.randint(0, SIZES.dvae.codes, (3, SIZES.dvae.side**2), generator=dice)
    save_file({"tokens": tokens, "codes": codes}, run.folder / runs.STREAMS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "INSIDE_BYTES", 0)
        patch.setattr(beside, "LEAST_BYTES", LEAST_BYTES)
        export(Request(load_run(run), "int8", root / "tiny.t2i"))
    return root / "tiny.t2i"


def graph(bundle: Path, role: str) -> onnx.ModelProto:
    return onnx.load(bundle / f"{role}.onnx", load_external_data=False)


def outside(bundle: Path, role: str) -> set[tuple[int, int]]:
    """Place and bytes of the weights of a graph that lie beside it; the others are small."""
    found = set()
    for each in graph(bundle, role).graph.initializer:
        told = {entry.key: entry.value for entry in each.external_data}
        if told:
            assert told.pop("location") == "weights.data"
            found.add((int(told["offset"]), int(told["length"])))
        else:
            assert len(each.raw_data) < LEAST_BYTES
    return found


def tokens(path: Path) -> np.ndarray:
    painter = load(path, device="cpu", threads=1)
    assert isinstance(painter._generator, Decoder)
    feeds = {**noise.draw(range(5, 7), painter.manifest.noise), **painter._read(CAPTIONS)}
    return painter._generator.tokens(feeds)


@pytest.mark.slow
def test_two_graphs_find_what_both_read_in_one_place(path: Path) -> None:
    prefill, step = outside(path, "prefill"), outside(path, "step")
    assert len(prefill & step) >= 4 * SIZES.layers, "four matrices of each layer"
    roles = ("prefill", "step", "pixels", "codes")
    places = set[tuple[int, int]]().union(*(outside(path, role) for role in roles))
    written = sum(length for _, length in places)
    size = (path / "weights.data").stat().st_size
    assert written <= size < written + beside.ALIGNED * len(places), "and nothing else lies there"
    assert {each.name for each in path.parent.iterdir()} == {"run", "tiny.t2i"}


@pytest.mark.slow
def test_a_bundle_of_weights_beside_its_graphs_is_like_any_other(path: Path) -> None:
    manifest = Bundle.load(path).manifest
    assert 0 < manifest.check.worst <= manifest.check.tolerance
    (score,) = manifest.scores
    assert 0 < abs(score.parts["int8"] - score.parts["fp32"]) < 0.05
    kinds = [node.op_type for node in graph(path, "step").graph.node]
    assert kinds.count("MatMulNBits") == 4 * SIZES.layers + 1
    halves = {
        each.data_type for each in graph(path, "pixels").graph.initializer if each.external_data
    }
    assert halves == {TensorProto.FLOAT16}
    assert load(path, device="cpu").selftest().ok


@pytest.mark.slow
def test_a_folder_and_its_zip_draw_the_same_tokens(path: Path, tmp_path: Path) -> None:
    found = tokens(path)
    assert len(np.unique(found)) > 2, "tokens differ, or this shows nothing"
    folder = shutil.copytree(path, tmp_path / "tiny.t2i")
    np.testing.assert_array_equal(tokens(zipped(folder)), found)


@pytest.mark.slow
def test_engines_are_not_made_of_them(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Bundle.load(path)
    with pytest.raises(ExportError, match="beside its graphs"):
        next(build(bundle, None, Limits()))
    monkeypatch.setattr(
        "onnxruntime.get_available_providers", lambda: ["TensorrtExecutionProvider"]
    )
    with pytest.raises(DeviceError, match="beside its graphs") as caught:
        open_session(bundle, "step", device="tensorrt")
    assert "cuda" in caught.value.hint


def test_an_older_onnx_runtime_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="takes no weights that lie beside") as caught:
        take_weights(object(), "weights.data", tmp_path, packed=True)
    assert "--upgrade" in caught.value.hint


# The file itself


def product(kept: Beside, weight: np.ndarray) -> onnx.ModelProto:
    """x · weight, which lies beside it."""
    ends = [
        helper.make_tensor_value_info(name, 1, ["B", size])
        for name, size in zip("xy", weight.shape, strict=True)
    ]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [kept.tensor(weight, "w")])
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])
    beside.check(model)
    return model


def test_equal_values_lie_there_once_and_pages_begin_with_others(tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    first, second = (dice.normal(size=(300, 301)).astype(np.float32) for _ in range(2))
    kept = Beside(tmp_path)
    assert kept.file() is None
    tensors = [kept.tensor(each, "w") for each in (first, second, first.copy(), first.T)]
    places = [int(each.external_data[1].value) for each in tensors]
    assert places[0] == places[2] == 0
    assert len(set(places)) == 3
    assert all(place % 4096 == 0 for place in places)
    for tensor, array in zip(tensors, (first, second, first, first.T), strict=True):
        np.testing.assert_array_equal(beside.values(tensor), array)
    file = kept.file()
    assert file
    assert file.bytes == places[3] + first.nbytes == (tmp_path / "weights.data").stat().st_size


def test_small_weights_stay_in_their_graph(tmp_path: Path) -> None:
    few = np.arange(5, dtype=np.int64)
    tensor = Beside(tmp_path).tensor(few, "few")
    assert tensor == numpy_helper.from_array(few, "few")
    np.testing.assert_array_equal(beside.values(tensor), few)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("precision", "gap"), [("fp16-stored", 1e-3), ("fp16", 1e-2), ("int8", 2e-2)]
)
def test_every_precision_computes_with_them(
    precision: Precision, gap: float, tmp_path: Path
) -> None:
    dice = np.random.default_rng(0)
    weight = dice.normal(size=(600, 512)).astype(np.float32)
    x = dice.normal(size=(2, 600)).astype(np.float32)
    folders = [tmp_path / name for name in ("traced", "kept")]
    for each in folders:
        each.mkdir()
    traced, kept = map(Beside, folders)
    model = convert(product(traced, weight), precision, "generator", SMALL[0], kept)
    assert beside.folder(model) == kept.path.parent
    assert kept.path.stat().st_size < 0.6 * weight.nbytes
    (found,) = start(model).run(None, {"x": x})
    assert np.abs(found - x @ weight).max() < gap * np.abs(x @ weight).max()


def test_a_rewritten_network_keeps_the_weights_that_it_does_not_change() -> None:
    network = torch.nn.Sequential(
        torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2)
    )
    network.eval()
    weights = [each.clone() for each in network.parameters()]
    faster = rewrite(network)
    assert isinstance(faster, torch.nn.Sequential)
    assert faster[1].weight is network[2].weight
    assert faster is not network
    for before, after in zip(weights, network.parameters(), strict=True):
        assert torch.equal(before, after)
