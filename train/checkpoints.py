"""Checkpoints: all that resuming needs, whole or absent whenever the machine stops.

A checkpoint is a folder, `checkpoints/STEP/`, of `state.json` and `tensors.safetensors`; the former
holds the hash of the latter.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from t2i.runtime.errors import TrainingError
from t2i.runtime.records import RecordError, decode, dumps
from t2i.train.files import aside, sha256, sync, write_tensors, write_whole

SCHEMA = 1
STATE, TENSORS = "state.json", "tensors.safetensors"


@dataclass(frozen=True)
class State:
    """A moment of a training, between two steps."""

    step: int
    """Steps done."""
    finished: bool
    seconds: float
    """Time trained."""
    processor_seconds: float
    """Time that processor cores spent on it."""
    scales: dict[str, dict[str, Any]]
    """Loss scalers of the players."""
    tensors: dict[str, Tensor]


@dataclass(frozen=True)
class _Stored:
    """`state.json`."""

    schema: int
    step: int
    finished: bool
    seconds: float
    processor_seconds: float
    scales: dict[str, dict[str, Any]]
    sha256: str


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = folder
        self.keep = keep

    def write(self, state: State) -> Path:
        """Write aside, rename, and remove all but the newest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # The last step may have two, before and after the recipe's last work.
        target = self.folder / f"{state.step:08}{'-finished' if state.finished else ''}"
        draft = aside(target)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        write_tensors(draft / TENSORS, state.tensors)
        stored = _Stored(
            schema=SCHEMA,
            step=state.step,
            finished=state.finished,
            seconds=state.seconds,
            processor_seconds=state.processor_seconds,
            scales=state.scales,
            sha256=sha256(draft / TENSORS),
        )
        write_whole(draft / STATE, dumps(stored).encode())
        _remove(target)  # a damaged one: whole ones are not written twice
        draft.rename(target)
        sync(self.folder)
        for old in self.folders()[: -self.keep]:
            _remove(old)
        for stray in self.folder.glob(".*"):  # left by a run that was killed while writing
            shutil.rmtree(stray, ignore_errors=True)
        return target

    def folders(self) -> list[Path]:
        """Oldest first; drafts are not among them."""
        return sorted(each for each in self.folder.glob("[0-9]*") if each.is_dir())

    def newest(self) -> State | None:
        """The newest whole checkpoint; None when the run has none yet.

        A damaged one is named in a warning, and the one before it is taken.

        Raises:
            TrainingError: all of them are damaged.
        """
        from t2i.runtime import terminal

        problems = []
        for folder in reversed(self.folders()):
            try:
                return read(folder)
            except TrainingError as error:
                terminal.warn(str(error), hint="the checkpoint before it is taken")
                problems.append(error)
        if problems:
            raise TrainingError(
                f"no checkpoint in {self.folder} is whole",
                hint="start again without --resume, into another folder",
            )
        return None


def read(folder: Path) -> State:
    """Read one checkpoint.

    Raises:
        TrainingError: it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = decode(_Stored, json.loads((folder / STATE).read_bytes()))
        if stored.schema != SCHEMA:
            raise ValueError(f"schema {stored.schema}, expected {SCHEMA}")
        if sha256(folder / TENSORS) != stored.sha256:
            raise ValueError(f"{TENSORS} has another hash")
        tensors = load_file(folder / TENSORS)
    except (OSError, ValueError, RecursionError, RecordError, SafetensorError) as error:
        raise TrainingError(
            f"the checkpoint {folder} is damaged: {error}", hint="remove it"
        ) from None
    return State(
        step=stored.step,
        finished=stored.finished,
        seconds=stored.seconds,
        processor_seconds=stored.processor_seconds,
        scales=stored.scales,
        tensors=tensors,
    )


def _remove(folder: Path) -> None:
    """Rename first: what is being removed must not be taken for a checkpoint."""
    if folder.exists():
        condemned = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(condemned, ignore_errors=True)
        folder.rename(condemned)
        shutil.rmtree(condemned)
