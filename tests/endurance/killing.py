"""Commands that are killed and go on, in processes that are forked from one that has imported all.

So that nearly all of a command's life is its own work, which kills are then spread over.
"""

import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random
from time import monotonic

IMPORTED = (
    *("onnxruntime", "torch", "safetensors.torch", "PIL.Image", "tokenizers", "onnx"),
    *("onnxscript", "t2i.train.training", "t2i.export.publish", "t2i.export.trained"),
    *("t2i.models.parts", "t2i.export.parts", "t2i.runtime.cli.drawing", "tiny_recipe"),
    *("t2i.runtime.cli.scoring", "t2i.runtime.score.fid"),
)
_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(list(IMPORTED))


@dataclass(frozen=True)
class Work:
    """A command that may be killed, and what it must leave."""

    entry: str
    """`module:function`, which reads `sys.argv`."""
    order: Callable[[Path], list[str]]
    """Its arguments, given the folder it works in and how far that has come."""
    sound: Callable[[Path], object]
    """What must hold whenever it is killed: raises where it does not. What it gives back may only
    grow while the work goes on."""
    result: Callable[[Path], object]
    """What is there in the end, to be compared."""


@dataclass(frozen=True)
class Endured:
    """What came of it."""

    kills: int
    finished: int
    """How often the work was done to its end all the same."""


def enter(entry: str, arguments: list[str], folder: str) -> None:
    """In a process of its own: run a command, and write down what it says."""
    os.chdir(folder)
    os.environ["T2I_HOME"] = str(Path(folder, "home"))
    said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    module, _, function = entry.partition(":")
    sys.argv = ["t2i", *arguments]
    getattr(import_module(module), function)()


def run(entry: str, arguments: list[str], folder: Path, kill_after: float | None = None) -> bool:
    """Whether a command came to its end, before it was killed.

    Raises:
        AssertionError: it failed by itself.
    """
    process = _FORKING.Process(target=enter, args=(entry, arguments, str(folder)))
    process.start()
    process.join(kill_after)
    if process.is_alive():
        process.kill()
        process.join()
    if process.exitcode == -signal.SIGKILL and kill_after is not None:
        return False
    assert process.exitcode == 0, (folder / "said").read_text(encoding="utf-8")
    return True


def endure(work: Work, root: Path, kills: int, seed: int) -> Endured:
    """Kill a command so often, at moments spread over its whole length, and let it go on each time.

    Raises:
        AssertionError: something was lost.
    """
    chance = Random(seed)

    def begin(folder: Path, kill_after: float | None = None) -> bool:
        return run(work.entry, work.order(folder), folder, kill_after)

    whole, began = fresh(root), monotonic()
    begin(whole)
    wanted, length = work.result(whole), monotonic() - began
    done = finished = 0
    folder, before = fresh(root), None
    while done < kills:
        # One in each equal share of the length, so that a few are spread too.
        share = (done % 10 + chance.random()) / 10 if kills >= 10 else chance.random()
        if begin(folder, share * length):
            finished += 1
            assert work.result(folder) == wanted
            folder, before = fresh(root), None
            continue
        done += 1
        now = work.sound(folder)
        assert before is None or not before > now, f"{before} became {now}"  # type: ignore[operator]
        before = now
    begin(folder)
    assert work.result(folder) == wanted
    return Endured(done, finished + 1)


def fresh(root: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=root))
