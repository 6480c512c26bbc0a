"""`t2i-export` as people type it."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from bundles import write_tiny_bundle
from cards import builds_engines
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result
from untrained import write_run

from t2i.export.cli import app
from t2i.runtime import runs
from t2i.runtime.cli.run import app as run_app


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where people work, with bundles of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("T2I_HOME", str(tmp_path / "home"))
    return tmp_path


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def refused(*arguments: str, status: int = 1) -> str:
    """What is said of a command that must fail."""
    done = typed(*arguments)
    assert done.exit_code == status, done.output
    assert " hint: " in done.stderr
    assert not done.stdout
    return done.stderr


@pytest.mark.slow
def test_the_newest_run_becomes_a_bundle_that_draws_by_its_name(here: Path) -> None:
    write_run(here / "runs" / "attngan" / "001-toy")
    done = typed("attngan", "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert record["name"] == "attngan-toy"
    assert record["worst"] <= record["tolerance"]
    drawn = ["a red bird", "--model", "attngan-toy", "--out", "bird.png"]
    assert CliRunner().invoke(run_app, drawn).exit_code == 0
    assert (here / "bird.png").is_file()
    again = typed("attngan")  # its own earlier export is replaced
    assert again.stdout.startswith(f"wrote {record['path']} (")
    assert 'next: t2i-run --model attngan-toy "a red bird"' in again.stdout


def test_an_unknown_system_is_wrong_usage() -> None:
    said = refused("atngan", status=2)
    assert "there is no system 'atngan'" in said
    assert "did you mean 'attngan'?" in said


@pytest.mark.parametrize("other", ["--fp32", "--int8"])
def test_two_precisions_at_once_are_wrong_usage(other: str) -> None:
    assert "exclude each other" in refused("attngan", other, "--fp16", status=2)


def test_a_folder_that_is_no_run_is_named(here: Path) -> None:
    assert "recipe.json" in refused("attngan", f"--run={here}")


def test_a_run_of_another_system_is_wrong_usage(run: runs.Run) -> None:
    said = refused("damsm", f"--run={run.folder}", status=2)
    assert "is a run of attngan" in said
    assert "t2i-export attngan" in said


def test_where_there_is_no_run_it_says_how_to_get_one(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "shipped", lambda system: None)
    assert "t2i-train attngan" in refused("attngan")
    run = write_run(here / "runs" / "attngan" / "001-toy")
    recipe = run.folder / runs.RECIPE
    recipe.write_text(recipe.read_text().replace('"finished": true', '"finished": false'))
    said = refused("attngan")
    assert "not finished" in said
    assert "--run" in said


def test_a_run_without_weights_is_named(run: runs.Run) -> None:
    run.weights.unlink()
    assert "weights.safetensors" in refused("attngan", f"--run={run.folder}")


def test_damaged_weights_are_refused(run: runs.Run) -> None:
    run.weights.write_bytes(run.weights.read_bytes()[:-100])
    assert "cannot be exported" in refused("attngan", f"--run={run.folder}")


def test_weights_that_do_not_fit_are_refused(run: runs.Run) -> None:
    weights = load_file(run.weights)
    del weights["generator.condition.project.0.bias"]
    save_file(weights, run.weights)
    assert "condition.project.0.bias" in refused("attngan", f"--run={run.folder}")


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"text_size": -8}, "no network of these sizes"),
        ({"first_px": 0}, "0 px cannot be drawn"),
        ({"residuals": 10**6}, "larger than its weights"),
        ({"condition_size": 10**30}, "larger than its weights"),
        ({"condition_size": 4000}, "do not fit"),
    ],
)
def test_sizes_that_are_none_are_refused(run: runs.Run, sizes: Any, said: str) -> None:
    """Before room is made for anything."""
    recipe = run.folder / runs.RECIPE
    told = json.loads(recipe.read_text())
    recipe.write_text(json.dumps({**told, "network": {**told["network"], **sizes}}))
    assert said in refused("attngan", f"--run={run.folder}")


def test_a_vocabulary_of_another_run_is_refused(run: runs.Run) -> None:
    tokenizer = run.folder / runs.TOKENIZER
    file = json.loads(tokenizer.read_text())
    words = [*list(file["model"]["vocab"])[:-1], "emu", "<unk>"]
    file["model"]["vocab"] = {word: index for index, word in enumerate(words)}
    tokenizer.write_text(json.dumps(file))
    assert "words in tokenizer.json" in refused("attngan", f"--run={run.folder}")


@pytest.mark.slow
@builds_engines
def test_engines_are_told_with_what_became_of_them(here: Path) -> None:
    write_run(here / "runs" / "attngan" / "001-toy")
    done = typed("attngan", "--tensorrt")
    assert done.exit_code == 0, done.output
    bundle, text, generator, following = done.stdout.splitlines()
    assert bundle.startswith("wrote ")
    for line, role in ((text, "text"), (generator, "generator")):
        assert f"{role}.engine (" in line
        assert ("built, not run: no card" in line) != torch.cuda.is_available()
        assert Path(line.split()[1]).is_file()
    assert following.startswith("next: t2i-run")


@pytest.mark.parametrize("limit", ["--dla=0", "--memory-mb=64"])
def test_limits_of_engines_are_wrong_usage_without_engines(limit: str) -> None:
    assert "--tensorrt" in refused("attngan", limit, status=2)


@pytest.mark.slow
@builds_engines
def test_engines_of_matrices_of_eight_bits_are_refused_before_anything_is_exported() -> None:
    assert "--fp16" in refused("damsm", "--int8", "--tensorrt")


def test_without_tensorrt_nothing_is_exported_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "t2i[tensorrt]" in refused("attngan", "--tensorrt")


@pytest.mark.slow
@builds_engines
def test_a_bundle_that_is_there_gets_engines(here: Path) -> None:
    bundle = write_tiny_bundle(here)
    done = typed(f"--bundle={bundle}", "--tensorrt", "--json")
    assert done.exit_code == 0, done.output
    roles = [each["role"] for each in json.loads(done.stdout)["engines"]]
    assert roles == ["text", "generator"]
    assert "--single-file, or --tensorrt" in refused(f"--bundle={bundle}", status=2)


def test_eight_bits_are_fitted_to_a_range_and_enough_captions(here: Path) -> None:
    said = refused("attngan", "--int8", "--set", "range=half", status=2)
    assert "there is no range 'half'" in said
    assert "add --int8" in refused("attngan", "--set", "range=full", status=2)
    (here / "few.txt").write_text("a red bird\n" * 95)
    said = refused("attngan", "--int8", "--captions", "few.txt")
    assert "few.txt has 95 captions, and 96 are needed" in said
