"""Whether the code of a row has changed since it was made."""

from pathlib import Path

import pytest

from bench.survey import code

FILES = {
    "models/bird.py": '"""Networks."""\nfrom t2i.models.blocks import wing\nWIDTH = 3\n',
    "models/blocks/wing.py": "def flap():\n    return 1\n",
    "models/blocks/beak.py": "OPEN = True\n",
    "models/catalog.py": "CATALOG = {}\n",
    "train/recipes/bird.py": "from t2i.models import bird, catalog\nfrom t2i.runtime import runs\n",
    "train/data/birds/dataset.py": "SEED = 0\n",
    "runtime/runs.py": "RUNS = 1\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("models/bird.py", FILES["models/bird.py"].replace("3", "4")),
        ("models/blocks/wing.py", "def flap():\n    return 2\n"),
        ("train/data/birds/dataset.py", "SEED = 1\n"),
    ],
)
def test_what_a_system_imports_is_its_code(tree: Path, name: str, text: str) -> None:
    before = code.of("bird", tree)
    (tree / name).write_text(text, encoding="utf-8")
    assert code.changed(before, code.of("bird", tree)) == [name]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("models/bird.py", FILES["models/bird.py"].replace("works.", "works,\ntold.") + "# 3\n"),
        ("models/blocks/wing.py", 'def flap():\n    """Once."""\n    return 1\n'),
        ("models/blocks/beak.py", "OPEN = False\n"),
        ("models/catalog.py", "CATALOG = {1: 2}\n"),
        ("runtime/runs.py", "RUNS = 2\n"),
    ],
)
def test_words_and_what_it_does_not_learn_by_are_not(tree: Path, name: str, text: str) -> None:
    before = code.of("bird", tree)
    (tree / name).write_text(text, encoding="utf-8")
    assert code.changed(before, code.of("bird", tree)) == []


def test_a_row_that_tells_no_code_is_of_other_code(tree: Path) -> None:
    now = code.of("bird", tree)
    assert code.changed({}, now) == sorted(now)
