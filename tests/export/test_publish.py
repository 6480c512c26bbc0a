"""A bundle appears whole and right, or not at all."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from typer.testing import CliRunner

from t2i.export import attngan as exporter
from t2i.export import check, publish, trained
from t2i.export.cli import app
from t2i.export.plan import BATCHES, CAPTIONS
from t2i.export.precision import TOLERANCES, Precision
from t2i.export.rewrite import rewrite
from t2i.export.trace import IR_VERSION, OPSET, trace
from t2i.runtime import runs
from t2i.runtime.bundle import Bundle
from t2i.runtime.draw import load
from t2i.runtime.errors import ExportError, UsageError

PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16-stored", "fp16")


def exported(run: runs.Run, out: Path, precision: Precision = "fp16-stored") -> Bundle:
    publish.export(publish.Request(trained.load(run), precision, out))
    return Bundle.load(out)


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_bundle_draws_what_pytorch_draws(
    run: runs.Run, tmp_path: Path, precision: Precision
) -> None:
    bundle = exported(run, tmp_path / "tiny.t2i", precision)
    assert bundle.manifest.precision == precision
    assert bundle.manifest.check.worst <= TOLERANCES[precision]
    assert load(tmp_path / "tiny.t2i", device="cpu").selftest().ok
    for graph in bundle.manifest.graphs:
        model = onnx.load_from_string(bundle.read(graph.file))
        assert model.ir_version == IR_VERSION
        assert {each.domain: each.version for each in model.opset_import}[""] <= OPSET


@pytest.mark.slow
def test_facing_left_is_the_exact_mirror_of_facing_right(run: runs.Run) -> None:
    _, plan = exporter.system(trained.load(run)).plans
    session = check.start(trace(plan, rewrite(plan.module)))
    feeds = {name: value.numpy() for name, value in plan.examples(3, "mixed").items()}

    def drawn(facing: float) -> list[np.ndarray]:
        return session.run(None, feeds | {"facing": np.full(3, facing, np.float32)})

    for left, right in zip(drawn(-1.0), drawn(1.0), strict=True):
        assert np.array_equal(left, right[..., ::-1])
    # Where neither is said, a named noise number decides.
    for unsaid, left, right in zip(drawn(0.0), drawn(-1.0), drawn(1.0), strict=True):
        for row, number in enumerate(feeds["noise"][:, 2]):
            assert np.array_equal(unsaid[row], (left if number > 0 else right)[row])


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_recurrent_node_reads_padded_captions_as_pytorch_does(
    cell: str, request: pytest.FixtureRequest
) -> None:
    run: runs.Run = request.getfixturevalue("run" if cell == "lstm" else "gru_run")
    plan, _ = exporter.system(trained.load(run)).plans
    model = trace(plan, rewrite(plan.module))
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count(cell.upper()) == 1
    session = check.start(model)
    tokens = torch.tensor([[1, 2, 3, 4], [5, 0, 0, 0], [6, 7, 0, 0]])
    wanted = plan.module(tokens)
    found = session.run(None, {"tokens": tokens.numpy()})
    for ours, theirs in zip(found, wanted, strict=True):
        assert np.allclose(ours, theirs.detach().numpy(), atol=1e-6)


@pytest.mark.slow
def test_a_graph_that_differs_leaves_nothing_behind(
    run: runs.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(module: torch.nn.Module) -> torch.nn.Module:
        wrong = rewrite(module)
        with torch.no_grad():
            next(wrong.parameters()).add_(0.5)
        return wrong

    monkeypatch.setattr(publish, "rewrite", spoilt)
    with pytest.raises(ExportError, match="differs from PyTorch") as caught:
        exported(run, tmp_path / "out" / "tiny.t2i")
    assert caught.value.hint
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
def test_fp16_stored_is_half_the_size(wide_run: runs.Run, tmp_path: Path) -> None:
    full = exported(wide_run, tmp_path / "full.t2i", "fp32").graph("generator")
    half = exported(wide_run, tmp_path / "half.t2i").graph("generator")
    assert half.bytes < 0.6 * full.bytes


@pytest.mark.slow
def test_the_command_names_the_bundle_and_what_to_do_next(run: runs.Run, tmp_path: Path) -> None:
    out = tmp_path / "birds.t2i"
    done = CliRunner().invoke(app, ["attngan", f"--run={run.folder}", f"--out={out}"])
    assert done.exit_code == 0, done.output
    assert f"wrote {out}" in done.stdout
    assert "t2i-run --model" in done.output
    again = CliRunner().invoke(app, ["attngan", f"--run={run.folder}", f"--out={out}"])
    assert again.exit_code == 0, again.output  # its own earlier export is replaced


@pytest.mark.slow
def test_a_bundle_of_another_run_is_not_replaced(run: runs.Run, tmp_path: Path) -> None:
    out = tmp_path / "birds.t2i"
    exported(run, out)
    recipe = run.folder / runs.RECIPE
    recipe.write_text(recipe.read_text().replace('"steps": 1\n', '"steps": 2\n'))
    other = runs.Run(run.folder)
    with pytest.raises(ExportError, match="from another run"):
        exported(other, out)
    publish.export(publish.Request(trained.load(other), out=out, force=True))


def test_unknown_systems_and_missing_runs_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        trained.find_run("atngan", None)
    assert "attngan" in caught.value.hint
    with pytest.raises(Exception, match=r"recipe\.json"):
        _ = trained.find_run("attngan", tmp_path)


def test_weights_that_do_not_fit_are_refused(run: runs.Run) -> None:
    run.weights.write_bytes(run.weights.read_bytes()[:-100])
    with pytest.raises(ExportError) as caught:
        trained.load(run)
    assert caught.value.hint


def test_two_precisions_at_once_are_wrong_usage() -> None:
    done = CliRunner().invoke(app, ["attngan", "--fp32", "--fp16"])
    assert done.exit_code == 2
    assert "exclude" in done.output


def test_examples_cover_one_word_and_the_longest_caption() -> None:
    from t2i.export.plan import tokens

    for batch in BATCHES:
        lengths = {kind: (tokens(batch, kind, 7, 9) != 0).sum(dim=1) for kind in CAPTIONS}
        assert lengths["short"].min() == 1
        assert (lengths["full"] == 7).all()
        assert lengths["mixed"].min() >= 1
