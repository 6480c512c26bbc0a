"""The repository as a tree of files, for the rules about it. Works in a plain copy, without git."""

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("runtime", "models", "train", "export")
CODE = (*FLOORS, "t2i", "tests", "bench", "examples")
GOLDENS = ROOT / "tests" / "goldens"


def files() -> list[Path]:
    """Every file of the repository but what .gitignore names; links are not followed."""
    ignored = {line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()} | {".git"}
    found: list[Path] = []
    for folder, names, leaves in os.walk(ROOT):
        names[:] = [
            name
            for name in names
            if name not in ignored
            and not name.endswith(".egg-info")
            and not Path(folder, name).is_symlink()
        ]
        found += [Path(folder, leaf) for leaf in leaves if leaf not in ignored]
    return sorted(found)


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """Our Python files below these top-level folders; the goldens are data from elsewhere."""
    return tuple(
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if GOLDENS not in path.parents
    )


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name(path: Path) -> str:
    """The path as the repository calls it: `runtime/draw.py`."""
    return path.relative_to(ROOT).as_posix()


def calls(module: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a plain or dotted name, with the last part of that name."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id, node
            elif isinstance(node.func, ast.Attribute):
                yield node.func.attr, node
