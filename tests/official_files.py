"""Official files, as other people's code writes them: names, shapes and wrappers are theirs."""

import pickle
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import fill
import torch
from torch import Tensor, nn
from typer.testing import CliRunner, Result

from t2i.export.cli import app
from t2i.models import renames

State = dict[str, Tensor]


def typed(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def refused(*arguments: object, status: int = 1) -> str:
    """What is said of a command that must fail."""
    done = typed(*arguments)
    assert done.exit_code == status, done.output
    assert " hint: " in done.stderr
    assert not done.stdout
    return done.stderr


def official_state(network: nn.Module, table: Mapping[str, str]) -> State:
    """A state dict under official names, filled as the goldens are."""
    state: State = OrderedDict()
    for name, value in network.state_dict().items():
        official = renames.old_name(name, table)
        assert renames.new_name(official, table) == name
        state[official] = torch.as_tensor(fill.fill(official, tuple(value.shape)))
    return state


def parallel(state: State) -> State:
    """As DataParallel names it."""
    return {f"module.{name}": value for name, value in state.items()}


def save_legacy(value: object, path: Path) -> Path:
    """As torch.save wrote before PyTorch 1.6."""
    with warnings.catch_warnings():  # of classes without a source file
        warnings.simplefilter("ignore", UserWarning)
        torch.save(value, path, _use_new_zipfile_serialization=False)
    return path


def save(value: object, path: Path) -> Path:
    torch.save(value, path)
    return path


def save_words(words: list[str], path: Path, protocol: int = 2) -> Path:
    """A `captions.pickle`; the words have ids from 1 on."""
    by_id = dict(enumerate(["<end>", *words]))
    ids = {word: place for place, word in by_id.items()}
    captions = [[1, 2], [2]]
    path.write_bytes(pickle.dumps([captions, captions, by_id, ids], protocol=protocol))
    return path
