"""Large checkpoints: told at once, and imported without being held several times."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import torch
from official_files import save, save_legacy

from t2i.export.official.inspection import inspect
from t2i.export.official.stored import Storage
from t2i.models import inception

GIGABYTE = 2**30


class Numbers:
    """Stands for a storage of so many numbers."""

    def __init__(self, key: str, size: int) -> None:
        self.key, self.size = key, size


class Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, Numbers):
            return ("storage", torch.FloatStorage, value.key, "cuda:0", value.size, None)
        return None


class Rebuilt:
    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers

    def __reduce__(self) -> Any:
        shape = (self.numbers.size // 1024, 1024)
        return torch._utils._rebuild_tensor_v2, (self.numbers, 0, shape, (1024, 1), False, {})


def hollow(path: Path, tensors: int) -> Path:
    """A gigabyte as torch.save wrote it before PyTorch 1.6, of which nothing lies on the disk."""
    keys = [str(each) for each in range(tensors)]
    size = GIGABYTE // 4 // tensors // 1024 * 1024
    state = {f"layers.{key}.weight": Rebuilt(Numbers(key, size)) for key in keys}
    with path.open("wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, state, keys):
            Pickler(file, protocol=2).dump(value)
        end = file.tell() + tensors * (8 + 4 * size)
        file.truncate(end)
    return path


def test_a_gigabyte_is_told_in_a_moment_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a tensor was read")

    monkeypatch.setattr(Storage, "filled", refuse)
    file = hollow(tmp_path / "large.pth", tensors=1000)
    begun = monotonic()
    (table,) = inspect(file)["tables"]
    assert monotonic() - begun < 5
    assert table["tensors"] == 1000
    assert table["numbers"] > 0.95 * GIGABYTE / 4


MEASURE = """
import resource, sys
from pathlib import Path
from t2i.export.official.load import load
from t2i.export.official.published import Files

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = peak()
load("inception", Files({"weights": Path(sys.argv[1])}))
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("save", [save, save_legacy])
def test_an_import_takes_less_than_two_and_a_half_times_the_file(
    save: Callable[[object, Path], Path], tmp_path: Path
) -> None:
    (network,) = inception.networks(inception.Settings()).values()
    file = save(network.state_dict(), tmp_path / "pt_inception.pth")
    command = [sys.executable, "-c", MEASURE, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2.5 * file.stat().st_size
