"""How many lines of code each system adds to what all share.

    python -m bench.lines

Prints the table that stands in docs/architecture.md. Counted are lines that hold code: no comments,
no docstrings, no blank ones.
"""

import ast
import io
import tokenize
from collections.abc import Mapping
from pathlib import Path

from t2i.models.catalog import CATALOG
from t2i.runtime import terminal

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("models", "train/recipes", "export")
UNSEEN = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(source: str) -> int:
    """Lines that hold code."""
    lines = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in UNSEEN:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def counts() -> Mapping[str, tuple[int, ...]]:
    """Lines of each system's networks, recipe and graphs."""
    return {
        name: tuple(
            code_lines((ROOT / folder / f"{name}.py").read_text(encoding="utf-8"))
            for folder in FOLDERS
        )
        for name in sorted(CATALOG)
    }


def table() -> str:
    """As Markdown."""
    rows = [
        f"| {CATALOG[name].title} | {' | '.join(map(str, each))} | {sum(each)} |"
        for name, each in counts().items()
    ]
    head = ("| system | networks | recipe | graphs | all |", "|---|--:|--:|--:|--:|")
    return "\n".join((*head, *rows))


if __name__ == "__main__":
    terminal.report(table())
