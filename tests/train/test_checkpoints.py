"""A checkpoint is whole or absent, whenever the program is stopped."""

import itertools
import os
import resource
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from t2i.runtime.errors import TrainingError
from t2i.train.checkpoints import STATE, TENSORS, Checkpoints, State, read
from t2i.train.files import write_tensors


def state(step: int) -> State:
    tensors = {"weight": torch.full((3, 2), float(step)), "moment": torch.tensor(step)}
    return State(
        step,
        finished=False,
        seconds=1.5 * step,
        processor_seconds=2.5 * step,
        scales={"one": {}},
        tensors=tensors,
    )


class Killed(BaseException):
    """Stands in for the end of the process."""


@dataclass
class Disk:
    """Lets a number of operations pass; then the process is dead."""

    left: int
    done: int = 0

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("fsync", "rename", "replace", "unlink", "rmdir", "mkdir"):
            patch.setattr(os, name, self.counted(getattr(os, name)))

    def counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def one(*arguments: Any, **named: Any) -> Any:
            if self.done == self.left:
                raise Killed
            self.done += 1
            return call(*arguments, **named)

        return one


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=3)
    assert checkpoints.newest() is None
    checkpoints.write(state(4))
    found = checkpoints.newest()
    assert found is not None
    assert (found.step, found.seconds, found.processor_seconds) == (4, 6.0, 10.0)
    assert not found.finished
    assert torch.equal(found.tensors["weight"], state(4).tensors["weight"])
    assert found.tensors["moment"].shape == ()


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (9, 10, 100):
        checkpoints.write(state(step))
    assert [folder.name for folder in checkpoints.folders()] == ["00000010", "00000100"]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("taken", [False, True])
def test_a_kill_at_any_operation_of_the_disk_leaves_a_whole_checkpoint(
    taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `taken`, there is a checkpoint of that step already, which is replaced."""
    for at in itertools.count():
        checkpoints = Checkpoints(tmp_path / str(at), keep=2)
        checkpoints.write(state(1))
        if taken:
            checkpoints.write(state(2))
        disk = Disk(left=at)
        with monkeypatch.context() as patch, suppress(Killed):
            disk.watch(patch)
            checkpoints.write(state(2))
        found = checkpoints.newest()
        assert found is not None
        assert found.step in (1, 2)
        assert torch.equal(found.tensors["weight"], state(found.step).tensors["weight"])
        checkpoints.write(state(3))
        assert not list(checkpoints.folder.glob(".*")), "what was left behind is cleared away"
        if disk.done < at:  # it was not killed any more
            break
    assert at > 5


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: flip(folder / TENSORS),
        lambda folder: (folder / TENSORS).write_bytes(b"no tensors"),
        lambda folder: (folder / TENSORS).unlink(),
        lambda folder: (folder / STATE).unlink(),
        lambda folder: (folder / STATE).write_text("{"),
        lambda folder: (folder / STATE).write_text("[]"),
        lambda folder: flip(folder / STATE),
    ],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_taken(
    damage: Callable[[Path], Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = Checkpoints(tmp_path, keep=3)
    checkpoints.write(state(1))
    damage(checkpoints.write(state(2)))
    with pytest.raises(TrainingError, match="00000002 is damaged"):
        read(tmp_path / "00000002")
    found = checkpoints.newest()
    assert found is not None
    assert found.step == 1
    assert "00000002 is damaged" in capsys.readouterr().err
    damage(tmp_path / "00000001")
    with pytest.raises(TrainingError, match=r"no checkpoint in .* is whole"):
        checkpoints.newest()


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.write(state(1))
    large = replace(state(2), tensors={"weight": torch.zeros(2**18)})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            checkpoints.write(large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    found = checkpoints.newest()
    assert found is not None
    assert found.step == 1


def test_weights_may_be_read_by_whom_the_user_lets(tmp_path: Path) -> None:
    write_tensors(tmp_path / "weights.safetensors", {"weight": torch.ones(1)})
    (tmp_path / "other").write_bytes(b"")
    modes = [path.stat().st_mode for path in tmp_path.iterdir()]
    assert modes[0] == modes[1]
