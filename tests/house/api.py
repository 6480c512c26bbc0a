"""What programs of other people may rely on: names, signatures, and what commands take.

Refresh the list after a change that is meant: `PYTHONPATH=tests python -m house.api`.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import typer
from house.test_documents import APPS
from typer.core import TyperOption

import t2i
from t2i.runtime import errors

FILE = Path(__file__).with_name("api.txt")
SHOWN = ("__init__", "__call__")
"""Of what is underlined, people write these too."""


def public() -> Iterator[tuple[str, object]]:
    """Each public object by the name that people write."""
    for name in t2i.__all__:
        if name != "score":
            yield f"t2i.{name}", getattr(t2i, name)
    for name in t2i.score.__all__:
        yield f"t2i.score.{name}", getattr(t2i.score, name)
    for name, error in vars(errors).items():
        is_error = isinstance(error, type) and issubclass(error, errors.T2IError)
        if is_error and name not in t2i.__all__:
            yield f"t2i.runtime.errors.{name}", error


def definition(of: object) -> ast.stmt:
    """As its source has it: what types are written as does not depend on versions."""
    (found,) = ast.parse(textwrap.dedent(inspect.getsource(of))).body  # type: ignore[arg-type]
    return found


def lines() -> Iterator[str]:
    for name, each in public():
        yield from described(definition(each), name)
    for program, module in APPS.items():
        yield program
        command = typer.main.get_command(import_module(module).app)
        for option in command.params:
            is_option = isinstance(option, TyperOption)
            yield f"    {', '.join(option.opts) if is_option else str(option.name).upper()}"


def described(node: ast.stmt, name: str, indent: str = "") -> Iterator[str]:
    """A function with its types, or a class with what it defines for others."""
    if isinstance(node, ast.FunctionDef):
        marks = "".join(f"@{ast.unparse(each)} " for each in node.decorator_list)
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        yield f"{indent}{marks}{name}({ast.unparse(node.args)}){returns}"
    elif isinstance(node, ast.ClassDef):
        yield f"{indent}class {name}({', '.join(map(ast.unparse, node.bases))})"
        for each in node.body:
            inside = getattr(each, "name", "_")
            if inside in SHOWN or not inside.startswith("_"):
                yield from described(each, inside, f"{indent}    ")
            elif isinstance(each, (ast.AnnAssign, ast.Assign)):
                yield f"{indent}    {ast.unparse(each)}"


def text() -> str:
    return "".join(f"{line}\n" for line in lines())


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
