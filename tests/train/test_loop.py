"""Properties of the loop: it resumes to the same numbers, stops in time, and keeps its folder."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_recipe
import torch
from safetensors.torch import load_file
from tiny_recipe import TOY, Specks, Tiny
from torch import nn

from t2i.runtime import runs
from t2i.runtime.errors import TrainingError
from t2i.train.batches import parts
from t2i.train.command import Order, train
from t2i.train.data.batch import Batch
from t2i.train.folder import RunFolder
from t2i.train.loop import Loop
from t2i.train.prerequisites import Plan
from t2i.train.recipe import Player, Update
from t2i.train.training import record

TESTS = Path(tiny_recipe.__file__).parent
CPU = torch.device("cpu")


def seedling(**changes: Any) -> Order:
    """A training without prerequisites."""
    given = tuple(f"{key}={value}" for key, value in changes.items())
    return Order("seedling", preset="toy", device="cpu", changes=given)


def log(run: runs.Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]


def losses(run: runs.Run) -> dict[int, dict[str, float]]:
    return {line["step"]: line["terms"] for line in log(run)}


def same_weights(one: Path, other: Path) -> bool:
    left, right = load_file(one), load_file(other)
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


class Stopped(BaseException):
    """Stands in for a kill in the middle of a step."""


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes the tiny recipe die, once, in the middle of a step: between its two players."""
    step, left = Tiny.step, []

    def dying(self: Tiny, batch: Batch) -> Iterator[Update]:
        turns = step(self, batch)
        yield next(turns)
        if left and batch.step == left[0]:
            left.clear()
            raise Stopped
        yield from turns

    monkeypatch.setattr(Tiny, "step", dying)
    return left.append


def test_a_run_leaves_what_export_needs(tiny: Path) -> None:
    run = train(seedling())
    assert run.folder == Path("runs/seedling/001-toy")
    recipe = run.recipe
    assert (recipe.system, recipe.preset, recipe.finished) == ("seedling", "toy", True)
    assert (recipe.steps, recipe.images_seen, recipe.network) == (25, 100, {"width": 8})
    assert recipe.settings["loop"]["batch_size"] == 4
    assert {key.partition(".")[0] for key in load_file(run.weights)} == {"generator"}
    assert run.tokenizer == Specks(TOY.data).tokenizer
    checkpoints = sorted(each.name for each in (run.folder / "checkpoints").iterdir())
    assert checkpoints == ["00000015", "00000020", "00000025-finished"]
    samples = sorted(each.name for each in (run.folder / "samples").iterdir())
    assert samples == ["00000010.png", "00000020.png", "00000025.png"]


def test_what_is_exported_is_the_average(tiny: Path) -> None:
    run = train(seedling())
    weights = load_file(run.weights)
    state = load_file(run.folder / "checkpoints" / "00000025-finished" / "tensors.safetensors")
    for key, value in weights.items():
        assert torch.equal(value, state[f"average.generator.{key.removeprefix('generator.')}"])
    assert not torch.equal(weights["generator.0.weight"], state["networks.generator.0.weight"])


@pytest.mark.parametrize("dies_at", [3, 5, 12, 24])
def test_resuming_repeats_the_uninterrupted_run_bit_for_bit(
    dies_at: int, tiny: Path, stop_at: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("t2i.train.loop.LOG_EVERY", 1)
    whole = train(seedling())
    stop_at(dies_at)
    with pytest.raises(Stopped):
        train(seedling())
    torch.manual_seed(123)  # a new process would not know the old one's draws either
    cut = train(Order("seedling", resume=True, device="cpu"))
    assert cut.folder.name == "002-toy"
    assert losses(cut) == losses(whole)
    assert list(losses(cut)) == list(range(1, 26))
    assert same_weights(cut.weights, whole.weights)
    last = Path("checkpoints/00000025-finished/tensors.safetensors")
    assert same_weights(cut.folder / last, whole.folder / last)


def test_sampling_does_not_change_the_training(tiny: Path) -> None:
    often, never = train(seedling(sample_every=1)), train(seedling(sample_every=0))
    assert losses(often) == losses(never)
    assert same_weights(often.weights, never.weights)
    assert not (never.folder / "samples").exists()


def test_samples_of_the_same_weights_are_the_same(tiny: Path) -> None:
    run = train(seedling(sample_every=1, rate="0", average="none", steps=3))
    pictures = [each.read_bytes() for each in (run.folder / "samples").iterdir()]
    assert len(pictures) == 3
    assert b"speck 0" in pictures[0]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # where there is one core
def test_workers_give_the_same_batches(tiny: Path) -> None:
    assert losses(train(seedling(workers=2, steps=12))) == losses(train(seedling(steps=12)))


def test_an_error_in_a_worker_keeps_its_hint(tiny: Path) -> None:
    with pytest.raises(Exception, match="too few for batches of 4") as caught:
        train(seedling(workers=1, count=3))
    assert "batch_size=3" in caught.value.hint  # type: ignore[attr-defined]


class Regression:
    """A mean loss without batch statistics or draws: parts of a batch sum up to the whole."""

    def __init__(self) -> None:
        self.network = tiny_recipe.Sizes(1)
        self.line, self.critic = nn.Linear(3, 1), nn.Linear(1, 1)
        self.players = {
            name: Player(network, torch.optim.Adam(network.parameters(), lr=0.1))
            for name, network in (("line", self.line), ("critic", self.critic))
        }

    def step(self, batch: Batch) -> Iterator[Update]:
        assert batch.step < 6, "the number of the step, not of the part"
        inputs = batch.images[0].mean(dim=(2, 3)) * batch.tokens[:, :1]
        said = self.line(inputs)
        yield Update("line", {"square": said.square().mean(), "mean": said.mean()})
        yield Update("critic", {"square": (self.critic(self.line(inputs)) - 1).square().mean()})

    def exported(self, averaged: Mapping[str, nn.Module]) -> Mapping[str, nn.Module]:
        return averaged


@pytest.mark.parametrize("accumulate", [2, 4])
def test_parts_of_a_batch_learn_like_the_whole(accumulate: int, tmp_path: Path) -> None:
    trained = []
    for count in (1, accumulate):
        torch.manual_seed(0)
        recipe, specks = Regression(), Specks(TOY.data)
        settings = replace(TOY.loop, steps=6, batch_size=8, accumulate=count)
        plan = Plan("tiny", "toy", TOY, {})
        path = tmp_path / str(count)
        path.mkdir()
        run = RunFolder(path, record(plan, recipe, specks, {}))
        Loop(recipe, specks, settings, CPU, run).train()
        trained.append((recipe, losses(runs.Run(path))))
    (whole, said), (parted, said_in_parts) = trained
    for one, other in zip(whole.line.parameters(), parted.line.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)
    for step, terms in said.items():
        assert said_in_parts[step] == pytest.approx(terms, rel=1e-5)


def test_a_batch_is_cut_into_equal_parts() -> None:
    batch = Specks(TOY.data).fixed(6)
    cut = parts(batch, 3)
    assert torch.equal(torch.cat([part.images[0] for part in cut]), batch.images[0])
    assert torch.equal(torch.cat([part.tokens for part in cut]), batch.tokens)
    assert sum((part.captions for part in cut), ()) == batch.captions


def test_a_loss_that_is_no_number_stops_with_the_last_good_checkpoint(tiny: Path) -> None:
    with pytest.raises(TrainingError, match=r"generator\.fool is nan at step 13"):
        train(seedling(broken_at=13))
    run = runs.newest("seedling", finished=False)
    assert run is not None
    assert sorted(each.name for each in (run.folder / "checkpoints").iterdir())[-1] == "00000010"
    assert all(value.isfinite().all() for value in load_file(run.weights).values())
    mended = train(replace(seedling(broken_at="none"), preset=None, resume=True))
    assert mended.folder == run.folder
    assert mended.recipe.finished
    assert losses(mended) == losses(train(seedling()))


def test_asking_to_stop_writes_a_checkpoint_and_says_how_to_go_on(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = Tiny.step

    def asked(self: Tiny, batch: Batch) -> Iterator[Update]:
        if batch.step == 7:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, batch)

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(Tiny, "step", asked)
        with pytest.raises(KeyboardInterrupt):
            train(seedling())
    assert signal.getsignal(signal.SIGINT) is before
    said = capsys.readouterr().err
    assert "step 8" in said
    assert "t2i-train seedling --out runs/seedling/001-toy --resume" in said
    run = runs.Run(Path("runs/seedling/001-toy"))
    assert run.recipe.steps == 8
    assert not run.recipe.finished
    train(replace(seedling(), resume=True, preset=None))
    assert losses(run) == losses(train(seedling()))


def test_lines_after_the_checkpoint_are_dropped_on_resume(
    tiny: Path, stop_at: Callable[[int], None]
) -> None:
    stop_at(13)
    with pytest.raises(Stopped):
        train(seedling(checkpoint_every=6))
    path = Path("runs/seedling/001-toy/log.jsonl")
    path.write_bytes(
        b'{"step": 1, "kept": 1}\n{"step": 12, "kept": 1}\n{"step": 13, "kept": 0}\n{"step": 14'
    )
    run = train(replace(seedling(), resume=True, preset=None))
    lines = log(run)
    assert [line["step"] for line in lines] == [1, 12, 20, 25]
    assert all(line.get("kept", 1) for line in lines)


def test_a_run_may_be_made_longer(tiny: Path) -> None:
    short = train(seedling(steps=10))
    longer = train(replace(seedling(steps=25), preset=None, resume=True, out=short.folder))
    assert longer.recipe.steps == 25
    assert losses(longer) == losses(train(seedling()))


def test_a_kill_after_the_last_step_loses_nothing(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise Stopped

    whole, calls = train(seedling(keep=1)), []
    play = Loop.play
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "publish", lambda loop: die() if loop.finished else None)
        with pytest.raises(Stopped):
            train(seedling(keep=1))
    monkeypatch.setattr(Loop, "play", lambda *each: (calls.append(each), play(*each))[1])
    run = train(replace(seedling(), preset=None, resume=True))
    assert calls == [], "no step is done again"
    assert run.recipe.finished
    assert same_weights(run.weights, whole.weights)


def test_two_processes_cannot_train_in_one_run(tiny: Path) -> None:
    from t2i.train.lock import held

    run = train(seedling())
    with held(run.folder), pytest.raises(TrainingError, match="another process"):
        train(replace(seedling(), preset=None, resume=True, out=run.folder))


def test_a_damaged_checkpoint_falls_back_and_gives_the_same_numbers(
    tiny: Path, stop_at: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    whole = train(seedling())
    stop_at(17)
    with pytest.raises(Stopped):
        train(seedling())
    damaged = Path("runs/seedling/002-toy/checkpoints/00000015/tensors.safetensors")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    cut = train(replace(seedling(), preset=None, resume=True))
    assert "00000015 is damaged" in capsys.readouterr().err
    assert same_weights(cut.weights, whole.weights)


def test_a_checkpoint_of_other_networks_is_refused(tiny: Path) -> None:
    run = train(seedling())
    with pytest.raises(TrainingError, match="belong to other networks"):
        train(replace(seedling(width=9), preset=None, resume=True, out=run.folder))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_kill_at_a_random_moment_loses_no_number(
    seed: int, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL while checkpoints are written at every step; then the same next losses."""
    command = [sys.executable, "-c", "import sys, tiny_recipe; tiny_recipe.main(*sys.argv[1:])"]
    settings = ["--set", "steps=100000", "--set", "checkpoint_every=1", "--set", "sample_every=0"]
    training = subprocess.Popen(
        [*command, "seedling", "--preset", "toy", "--device", "cpu", *settings],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stderr=subprocess.DEVNULL,
    )
    checkpoints = Path("runs/seedling/001-toy/checkpoints")
    while not checkpoints.is_dir() or not any(checkpoints.glob("0*")):
        assert training.poll() is None, "it has not begun"
        time.sleep(0.02)
    time.sleep(random.Random(seed).uniform(0.1, 0.6))
    training.kill()
    training.wait()
    reached = max(int(folder.name) for folder in checkpoints.glob("0*"))
    steps = reached + 10
    monkeypatch.setattr("t2i.train.loop.LOG_EVERY", 1)
    order = seedling(steps=steps, checkpoint_every=1, sample_every=0)
    cut = train(replace(order, preset=None, resume=True))
    whole = train(seedling(steps=steps, checkpoint_every=1000, sample_every=0))
    after = {step: terms for step, terms in losses(cut).items() if step > reached}
    assert list(after) == list(range(reached + 1, steps + 1))
    assert after == {step: losses(whole)[step] for step in after}
    assert same_weights(cut.weights, whole.weights)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_resuming_on_a_card_repeats_the_numbers(
    precision: str, tiny: Path, stop_at: Callable[[int], None]
) -> None:
    order = replace(seedling(), device="cuda", precision=precision)
    whole = train(order)
    stop_at(12)
    with pytest.raises(Stopped):
        train(order)
    cut = train(Order("seedling", resume=True, device="cuda"))
    assert losses(cut) == losses(whole)
    assert same_weights(cut.weights, whole.weights)
