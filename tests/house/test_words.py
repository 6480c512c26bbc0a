"""Rules about what the program says: errors, printing, and words that do not belong."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from house.tree import FLOORS, ROOT, calls, files, name, parse, python_files

from t2i.runtime import errors

ERRORS = {kind.__name__ for kind in vars(errors).values() if isinstance(kind, type)}
SPEAKERS = re.compile(r"runtime/terminal\.py|(\w+/)*cli(/\w+)?\.py")
# Paths of one machine, and addresses of package registries, age badly in a repository.
MACHINE = re.compile(
    r"""(?<![\w./$~-])/(?:home|root|work|Users|mnt|opt)/\w  # an absolute path of somebody's disk
    |[A-Za-z]:\\\\?Users
    |pypi\.org/simple|pythonhosted\.org|download\.pytorch\.org|registry\.npmjs\.org""",
    re.VERBOSE,
)


def without_hint(module: ast.Module) -> Iterator[int]:
    """Lines that make an error of ours without saying what to do."""
    for called, call in calls(module):
        if called in ERRORS:
            hints = [each.value for each in call.keywords if each.arg == "hint"]
            empty = [isinstance(hint, ast.Constant) and not hint.value for hint in hints]
            if not hints or any(empty):
                yield call.lineno


@pytest.mark.parametrize("path", python_files(*FLOORS), ids=name)
def test_each_error_says_what_to_do(path: Path) -> None:
    assert not list(without_hint(parse(path)))


def test_an_error_without_a_hint_is_found() -> None:
    bad = "raise BundleError('x')\nraise errors.TextError('x', hint='')\nBundleError('x', hint='y')"
    assert list(without_hint(ast.parse(bad))) == [1, 2]


@pytest.mark.parametrize("path", python_files(*FLOORS), ids=name)
def test_only_the_terminal_and_the_commands_print(path: Path) -> None:
    printing = [call.lineno for called, call in calls(parse(path)) if called == "print"]
    assert not printing or SPEAKERS.fullmatch(name(path))


def test_no_file_names_a_machine_or_a_registry() -> None:
    own = Path(__file__)
    found = []
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a picture, a graph, weights
            continue
        if path != own:
            found += [f"{name(path)}: {hit.group()}" for hit in MACHINE.finditer(text)]
    assert not found


@pytest.mark.parametrize("bad", ["open('/home/me/x')", "cd /work/x", "https://pypi.org/simple"])
def test_a_machine_path_is_found(bad: str) -> None:
    assert MACHINE.search(bad)


def test_binaries_name_no_machine_either() -> None:
    """Exported graphs carry source paths of the tracer unless they are stripped."""
    kinds = {".onnx", ".safetensors", ".npz", ".png"}
    here = str(ROOT).encode()
    guilty = [name(path) for path in files() if path.suffix in kinds and here in path.read_bytes()]
    assert not guilty
