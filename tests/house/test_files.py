"""Rules about files: small, formatted, typed, and a system is a column of four."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from house.tree import CODE, ROOT, name, parse, python_files

from t2i.models.catalog import CATALOG


def defines(path: Path, wanted: str) -> bool:
    """Whether a module defines this name at its top level."""
    for node in parse(path).body:
        match node:
            case ast.FunctionDef(name=found) if found == wanted:
                return True
            case ast.AnnAssign(target=ast.Name(id=found)) if found == wanted:
                return True
            case ast.Assign(targets=[ast.Name(id=found)]) if found == wanted:
                return True
    return False


def check(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How long a function is; a command's signature is its help text and does not count."""
    decorators = [ast.unparse(each) for each in function.decorator_list]
    is_command = any(re.match(r"\w+\.(command|callback)\b", each) for each in decorators)
    first = function.body[0].lineno if is_command else function.lineno
    return (function.end_lineno or first) - first + 1


@pytest.mark.parametrize("path", python_files(*CODE), ids=name)
def test_files_stay_under_400_lines_and_functions_under_50(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 400
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in ast.walk(parse(path)) if isinstance(node, functions)]
    assert not {node.name: lines(node) for node in found if lines(node) >= 50}


@pytest.mark.parametrize("system", CATALOG)
def test_a_listed_system_is_a_whole_column(system: str) -> None:
    column = [
        f"models/{system}.py",
        f"train/recipes/{system}.py",
        f"export/{system}.py",
        f"models/cards/{system}.md",
    ]
    assert [path for path in column if not (ROOT / path).is_file()] == []
    assert CATALOG[system].name == system


@pytest.mark.parametrize(
    ("folder", "mark"), [("models", "networks"), ("train/recipes", "PRESETS"), ("export", "plans")]
)
def test_a_file_that_serves_a_system_is_listed(folder: str, mark: str) -> None:
    serving = {path.stem for path in (ROOT / folder).glob("*.py") if defines(path, mark)}
    assert serving == set(CATALOG)


def test_each_card_belongs_to_a_system() -> None:
    assert {card.stem for card in (ROOT / "models" / "cards").glob("*.md")} == set(CATALOG)


def test_the_links_of_the_package_lead_to_the_floors() -> None:
    for floor in ("runtime", "models", "train", "export"):
        assert (ROOT / "t2i" / floor).resolve() == ROOT / floor


def test_ruff_has_nothing_to_say() -> None:
    check("ruff", "check", "--no-cache", ".")


def test_every_file_is_formatted() -> None:
    check("ruff", "format", "--no-cache", "--check", ".")


@pytest.mark.slow
def test_the_types_hold(tmp_path: Path) -> None:
    check("mypy", "--cache-dir", str(tmp_path))
