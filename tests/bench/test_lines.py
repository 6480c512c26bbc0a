"""The table of lines in docs/architecture.md is the one that its command prints."""

from pathlib import Path

import pytest

from bench import lines

PAGE = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("", 0),
        ('"""A docstring\n\nof three lines."""\n', 0),
        ("# A comment.\n\nx = 1  # another\n", 1),
        ("call(\n    1,\n    2,\n)\n", 4),
        ('def f():\n    """Say."""\n    return """\na\n"""\n', 4),
    ],
)
def test_lines_that_hold_code_are_counted(source: str, count: int) -> None:
    assert lines.code_lines(source) == count


def test_the_page_holds_the_table() -> None:
    assert lines.table() in PAGE.read_text(encoding="utf-8")
