"""A system that nobody knew: one file a floor, a card, and a line in the catalog are enough.

The files of `tests/newcomer` are laid over a copy of the package, and the whole suite of this
folder is run on the system that they add.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LINE = '"regression": System("regression", "Regression", "nobody", family="gan", pipeline="gan"),'


def test_a_new_system_takes_one_file_a_floor_and_a_line(tmp_path: Path) -> None:
    package = tmp_path / "t2i"
    shutil.copytree(ROOT / "t2i", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "newcomer", package, dirs_exist_ok=True)
    catalog = package / "models" / "catalog.py"
    before, _, after = catalog.read_text(encoding="utf-8").rpartition("}\n")
    catalog.write_text(f"{before}    {LINE}\n}}\n{after}", encoding="utf-8")

    suite = [f"--config-file={ROOT / 'pyproject.toml'}", ROOT / "tests" / "systems"]
    chosen = ["-k=regression", "-rA", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *suite, *chosen],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    passed = [line for line in done.stdout.splitlines() if line.startswith("PASSED")]
    assert len(passed) >= 20
    assert all("[regression" in line for line in passed)
