"""By which code a row was made, so that one sees when it has changed since.

What is compared is what Python reads: comments, docstrings and layout are free.
"""

import ast
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("models", "train")
PASSED_OVER = ("models/catalog.py", "train/prerequisites.py", "train/data/__init__.py")
"""What lists all systems, finds weights, or opens pictures of other people."""

Code = Mapping[str, str]
"""File -> the beginning of its hash."""


def of(system: str, root: Path = ROOT) -> dict[str, str]:
    """The networks and the recipe of a system, the drawn birds, and what these import."""
    begin = (f"models/{system}.py", f"train/recipes/{system}.py", "train/data/birds/dataset.py")
    waiting, found = [root / each for each in begin], dict[str, str]()
    while waiting:
        path = waiting.pop()
        name = path.relative_to(root).as_posix()
        if name in found or name in PASSED_OVER or not name.startswith(FLOORS):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found[name] = hashlib.sha256(_essence(tree).encode()).hexdigest()[:12]
        waiting += [each for module in _imported(tree) for each in _files(module, root)]
    return dict(sorted(found.items()))


def changed(before: Code, now: Code) -> list[str]:
    """Files that differ, came or went."""
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def _essence(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [each for each in body if not _is_remark(each)]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _is_remark(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False


def _imported(tree: ast.Module) -> Iterator[str]:
    """Modules of the package; a name that is imported may be one, or belong to one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("t2i."):
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


def _files(module: str, root: Path) -> Iterator[Path]:
    path = root.joinpath(*module.split(".")[1:])
    yield from (each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file())
