"""`t2i-train` from the outside: what it prints, where, and with which exit status."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_recipe import Tiny
from typer.testing import CliRunner, Result

from t2i.runtime import runs
from t2i.train.cli import app
from t2i.train.command import kind_of
from t2i.train.data.batch import Batch
from t2i.train.recipe import Update

Run = Callable[..., Result]


@pytest.fixture
def t2i_train(tiny: Path) -> Run:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--device", "cpu"], catch_exceptions=False)

    return run


def test_the_last_line_names_the_run_and_the_next_command(t2i_train: Run) -> None:
    done = t2i_train("tiny", "--preset", "toy", "--set", "steps=2")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == ["wrote runs/tiny/001-toy", "next: t2i-export tiny"]
    assert "tiny needs seedling, which is trained first" in done.stderr


def test_json_is_one_record(t2i_train: Run) -> None:
    done = t2i_train("seedling", "--preset", "toy", "--set", "steps=2", "--json")
    record = json.loads(done.stdout)
    assert record == {
        "system": "seedling",
        "preset": "toy",
        "run": "runs/seedling/001-toy",
        "steps": 2,
        "images_seen": 8,
        "finished": True,
    }


def test_a_dry_run_tells_the_chain_and_writes_nothing(t2i_train: Run, tiny: Path) -> None:
    done = t2i_train("tiny", "--preset", "toy", "--set", "steps=7", "--dry-run")
    assert done.exit_code == 0
    assert list(tiny.iterdir()) == []
    said = done.stdout
    assert "seedling, trained first: preset toy, 25 steps" in said
    assert "loop.steps = 7" in said
    assert "runs/tiny/001-toy" in said
    # Linear layers 6 -> 8 -> 48 with a batch norm of 8 between; a critic 48 -> 1.
    assert f"generator {6 * 8 + 8 + 2 * 8 + 8 * 48 + 48:,}, critic 49" in said
    record = json.loads(t2i_train("tiny", "--preset", "toy", "--dry-run", "--json").stdout)
    assert record["parameters"] == {"generator": 504, "critic": 49}
    assert record["needs"] == {"seedling": {"trained first": "toy", "steps": 25, "needs": {}}}


def test_a_dry_run_tells_what_is_found(t2i_train: Run) -> None:
    t2i_train("seedling", "--preset", "toy", "--set", "rate=0.02")
    done = t2i_train("tiny", "--preset", "toy", "--dry-run")
    assert "seedling, from runs/seedling/001-toy" in done.stdout
    assert list(Path("runs").iterdir()) == [Path("runs/seedling")]


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["tinny"], "there is no system 'tinny'", "did you mean 'tiny'"),
        (["tiny", "--preset", "toi"], "tiny has no preset 'toi'", "did you mean 'toy'"),
        (["tiny", "--preset", "toy", "--set", "stps=3"], "no setting 'stps'", "'steps'"),
        (["tiny", "--preset", "toy", "--with", "seedling"], "is no pair", "--with damsm="),
        (["tiny", "--preset", "toy", "--precision", "fp8"], "expected", "fp16"),
        (["tiny", "--preset", "toy", "--precision", "fp16"], "fp16 is not for cpu", "bf16"),
        (["tiny", "--preset", "toy", "--set", "batch_size=0"], "batch_size", "batch_size=1"),
        (["tiny", "--resume"], "no unfinished run of tiny", "--out"),
        (["tiny", "--resume", "--dry-run"], "--resume and --dry-run exclude each other", "one"),
        (["tiny", "--dry-run", "--check-data"], "--dry-run and --check-data exclude", "one"),
    ],
)
def test_wrong_usage_says_what_to_do(
    arguments: list[str], message: str, hint: str, t2i_train: Run, tiny: Path
) -> None:
    done = t2i_train(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert hint in done.stderr.partition("hint:")[2]
    assert done.stdout == ""
    assert list(tiny.iterdir()) == []


def test_an_unknown_device_is_wrong_usage(tiny: Path) -> None:
    done = CliRunner().invoke(app, ["tiny", "--device", "gpu"])
    assert done.exit_code == 2
    assert "cuda" in done.stderr


def test_a_missing_card_is_an_error_not_the_cpu(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = CliRunner().invoke(app, ["tiny", "--preset", "toy", "--device", "cuda"])
    assert done.exit_code == 1
    assert "cannot train on cuda" in done.stderr
    assert "--device cpu" in done.stderr


def test_a_folder_with_something_in_it_is_not_overwritten(t2i_train: Run) -> None:
    toy = ("seedling", "--preset", "toy", "--set", "steps=2", "--out", "mine")
    assert t2i_train(*toy).exit_code == 0
    done = t2i_train(*toy)
    assert done.exit_code == 2
    assert "mine is not empty" in done.stderr
    assert "--resume" in done.stderr
    assert t2i_train("seedling", "--out", "mine", "--resume").exit_code == 0


def test_resume_goes_on_with_its_own_run_and_preset(t2i_train: Run) -> None:
    t2i_train("seedling", "--preset", "toy", "--set", "steps=2", "--out", "mine")
    other = t2i_train("tiny", "--out", "mine", "--resume")
    assert other.exit_code == 2
    assert "mine is a run of seedling" in other.stderr
    preset = t2i_train("seedling", "--preset", "wide", "--out", "mine", "--resume")
    assert preset.exit_code == 2
    assert "has preset toy" in preset.stderr
    nothing = t2i_train("seedling", "--out", "nowhere", "--resume")
    assert nothing.exit_code == 1
    assert "nowhere is no run" in nothing.stderr


def test_training_starts_from_given_weights(t2i_train: Run, tiny: Path) -> None:
    toy = ("seedling", "--preset", "toy", "--set", "steps=1", "--set", "rate=0")
    weights = {"generator.2.bias": torch.arange(48.0)}
    save_file(weights, tiny / "start.safetensors")
    done = t2i_train(*toy, "--weights", "start.safetensors")
    assert "starting from start.safetensors: 1 of 9 tensors" in done.stderr
    (run,) = runs.numbered("seedling")
    found = load_file(run[1] / "weights.safetensors")["generator.2.bias"]
    assert torch.equal(found, weights["generator.2.bias"])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"generator.2.bios": torch.ones(48)}, "nothing that this system could start from"),
        ({"generator.2.bias": torch.ones(47)}, "generator.2.bias is (47,), expected (48,)"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    weights: dict[str, torch.Tensor], message: str, t2i_train: Run, tiny: Path
) -> None:
    save_file(weights, tiny / "start.safetensors")
    done = t2i_train("seedling", "--preset", "toy", "--weights", "start.safetensors")
    assert done.exit_code == 2
    assert message in done.stderr
    (tiny / "start.safetensors").write_bytes(b"damaged")
    damaged = t2i_train("seedling", "--preset", "toy", "--weights", "start.safetensors")
    assert damaged.exit_code == 1
    assert "cannot be read" in damaged.stderr
    assert not Path("runs").exists(), "nothing is begun that cannot go on"


def test_weights_that_are_not_there_are_named_before_anything_is_trained(t2i_train: Run) -> None:
    done = t2i_train("tiny", "--preset", "toy", "--weights", "nowhere.safetensors")
    assert done.exit_code == 1
    assert "nowhere.safetensors cannot be read" in done.stderr
    assert not Path("runs").exists(), "nor what the system needs"


def test_weights_of_one_network_are_placed_by_their_own_names(t2i_train: Run, tiny: Path) -> None:
    toy = ("seedling", "--preset", "toy", "--set", "steps=1", "--set", "rate=0")
    weights = {"2.bias": torch.arange(48.0), "aux.bias": torch.ones(3)}
    save_file(weights, tiny / "trunk.safetensors")
    done = t2i_train(*toy, "--weights", "trunk.safetensors")
    assert "1 of 9 tensors" in done.stderr
    assert "1 tensors of trunk.safetensors have no place: aux.bias" in done.stderr
    found = load_file("runs/seedling/001-toy/weights.safetensors")["generator.2.bias"]
    assert torch.equal(found, weights["2.bias"])


def test_a_run_that_began_with_weights_resumes_from_them(
    t2i_train: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(self: Tiny, batch: Batch) -> Iterator[Update]:
        raise RuntimeError("killed")

    toy = ("seedling", "--preset", "toy", "--set", "steps=1", "--set", "rate=0")
    save_file({"generator.2.bias": torch.arange(48.0)}, tiny / "start.safetensors")
    with monkeypatch.context() as patch:
        patch.setattr(Tiny, "step", die)
        with pytest.raises(RuntimeError, match="killed"):
            t2i_train(*toy, "--weights", "start.safetensors")
    (tiny / "start.safetensors").unlink()
    assert t2i_train("seedling", "--resume").exit_code == 0
    found = load_file("runs/seedling/001-toy/weights.safetensors")["generator.2.bias"]
    assert torch.equal(found, torch.arange(48.0))


def test_the_layout_of_a_data_folder_is_recognised(tiny: Path, t2i_train: Run) -> None:
    assert kind_of(tiny) == "folder"
    (tiny / "CUB_200_2011").mkdir()
    assert kind_of(tiny) == "cub"
    done = t2i_train("tiny", "--preset", "toy", "--data", "nowhere")
    assert done.exit_code == 1
    assert "there is no folder nowhere" in done.stderr


def test_data_are_checked_without_training(tiny: Path, t2i_train: Run) -> None:
    (tiny / "metadata.jsonl").write_text('{"file_name": "gone.png", "text": "a bird"}\n')
    done = t2i_train("tiny", "--preset", "toy", "--data", str(tiny), "--check-data")
    assert done.exit_code == 1
    assert "gone.png" in done.stdout
    assert "training cannot use these data" in done.stderr
    assert not Path("runs").exists()


def test_help_opens_with_examples_and_does_not_wait_for_torch() -> None:
    code = "import sys; from t2i.train.cli import app; app(sys.argv[1:], standalone_mode=False)"
    code += "; assert not {'torch', 'numpy'} & set(sys.modules)"
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert done.returncode == 0, done.stderr
    assert time.perf_counter() - begun < 5
    said = done.stdout
    assert said.index("t2i-train attngan --preset toy") < said.index("Settings to begin with")


def test_drawn_birds_are_written_out_as_a_folder_that_training_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2I_HOME", str(tmp_path / "home"))
    folder = tmp_path / "birds"
    sizes = ("--preset", "toy", "--set", "count=3")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["damsm", *arguments], catch_exceptions=False)

    written = run("--write-data", str(folder), "--split", "test", *sizes)
    assert written.exit_code == 0
    again = run("--write-data", f"{folder}-2", *sizes, "--json")
    assert json.loads(again.stdout) == {"folder": f"{folder}-2", "split": "train", "pictures": 3}
    assert f"t2i-train damsm --data {folder}" in written.stderr + written.stdout
    row = json.loads((folder / "metadata.jsonl").read_text("utf-8").splitlines()[2])
    assert (folder / row["file_name"]).is_file()
    assert (folder / row["mask"]).is_file()
    assert row["attributes"]["ground"] in ("branch", "sky", "water", "grass")
    assert run("--data", str(folder), "--check-data", "--set", "batch_size=2").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--write-data", "birds", "--split", "tset"), 2, "'test'"),
        (("--split", "test"), 2, "--write-data"),
        (("--write-data", "birds", "--preset", "cub"), 2, "drawn birds"),
    ],
)
def test_what_cannot_be_written_out_is_said(
    arguments: tuple[str, ...],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["damsm", *arguments], catch_exceptions=False)
    assert done.exit_code == code
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_network_of_nothing_is_refused(tmp_path: Path) -> None:
    orders = [
        "dvae",
        "--preset=toy",
        "--set=codes=0",
        "--set=count=16",
        f"--out={tmp_path / 'run'}",
    ]
    done = CliRunner().invoke(app, orders)
    assert done.exit_code == 2
    assert "leave nothing of a network of dvae" in done.output
    assert "hint:" in done.output
    assert not (tmp_path / "run").exists()
