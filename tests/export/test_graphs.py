"""What is traced: text of any length, read by one node; pictures turned as the caption says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from untrained import LEFT, LENGTH, RIGHT, SIZES, write_run

from t2i.export.check import start
from t2i.export.contents import plans_of
from t2i.export.plan import BATCHES, CAPTIONS, captions
from t2i.export.trace import IR_VERSION, OPSET, trace
from t2i.export.trained import Trained, load
from t2i.models.blocks.recurrent import Cell


def text_session(trained: Trained) -> tuple[onnx.ModelProto, onnxruntime.InferenceSession]:
    model = trace(plans_of(trained)[0])
    return model, start(model)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_one_node_reads_padded_captions_as_pytorch_does(cell: Cell, tmp_path: Path) -> None:
    trained = load(write_run(tmp_path / "run", replace(SIZES, cell=cell)))
    model, session = text_session(trained)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count(cell.upper()) == 1
    assert not {"Loop", "Scan"} & set(kinds)
    for lengths in ([4, 1, 2], [1], [LENGTH] * 5, [3, 3]):
        tokens = torch.zeros(len(lengths), max(lengths), dtype=torch.int64)
        for row, length in zip(tokens, lengths, strict=True):
            row[:length] = torch.randint(1, SIZES.vocabulary, (length,))
        with torch.no_grad():
            wanted = trained.networks["text"](tokens)
        found = session.run(["sentence", "words", "mask"], {"tokens": tokens.numpy()})
        for ours, theirs in zip(found, wanted, strict=True):
            assert np.allclose(ours, theirs.numpy(), atol=1e-6)


@pytest.mark.slow
def test_a_graph_is_for_runtimes_in_use_and_names_no_file(trained: Trained) -> None:
    for plan in plans_of(trained):
        first, again = trace(plan), trace(plan)
        data = first.SerializeToString(deterministic=True)
        assert data == again.SerializeToString(deterministic=True)
        assert first.ir_version == IR_VERSION == 10
        assert [(each.domain, each.version) for each in first.opset_import] == [("", OPSET)]
        assert OPSET <= 21
        assert b".py" not in data
        letters = {
            size.dim_param
            for value in (*first.graph.input, *first.graph.output)
            for size in value.type.tensor_type.shape.dim
            if size.dim_param
        }
        assert letters == {"B", "T"}


@pytest.mark.slow
def test_facing_left_is_the_exact_mirror_of_facing_right(trained: Trained) -> None:
    _, plan = plans_of(trained)
    session = start(trace(plan))
    feeds = {name: value.numpy() for name, value in plan.examples(5, "mixed").items()}

    def drawn(facing: float) -> list[np.ndarray]:
        return session.run(None, feeds | {"facing": np.full(5, facing, np.float32)})

    assert set((feeds["noise"][:, 2] > 0).tolist()) == {True, False}
    for left, right, unsaid in zip(drawn(-1.0), drawn(1.0), drawn(0.0), strict=True):
        assert np.array_equal(left, right[..., ::-1])
        # Where neither is said, a named noise number decides.
        for row, number in enumerate(feeds["noise"][:, 2]):
            assert np.array_equal(unsaid[row], (left if number > 0 else right)[row])


def test_examples_have_all_lengths_and_all_ways_to_face(trained: Trained) -> None:
    for batch in BATCHES:
        read = {kind: captions(trained, batch, kind) for kind in CAPTIONS}
        lengths = {kind: (tokens != 0).sum(dim=1).tolist() for kind, tokens in read.items()}
        assert set(lengths["short"]) <= {1, 2}
        assert lengths["full"] == [LENGTH] * batch
        assert batch == 1 or len(set(lengths["mixed"])) > 1
        for tokens in read.values():
            assert (tokens[0] == LEFT).any()
            assert batch == 1 or (tokens[1] == RIGHT).any()
            assert tokens.max() < SIZES.vocabulary - 1, "hosts drop the unknown word"
