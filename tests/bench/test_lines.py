"""The table of lines in docs/architecture.md tells what its command counts."""

import re
from pathlib import Path

import pytest

from bench import lines
from t2i.models.catalog import CATALOG

ROW = re.compile(r"^\| (.+?) \| \d+ \| \d+ \| \d+ \| (\d+) \|$", re.MULTILINE)
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


def test_the_page_tells_about_as_many() -> None:
    """To a tenth, or ten lines, so that not every change has to renew the table."""
    text = PAGE.read_text(encoding="utf-8")
    told = {title: int(count) for title, count in ROW.findall(text)}
    counted = {CATALOG[name].title: sum(each) for name, each in lines.counts().items()}
    assert told == {
        title: pytest.approx(count, rel=0.1, abs=10) for title, count in counted.items()
    }
