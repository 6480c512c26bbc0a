"""What the tests of training share."""

from pathlib import Path

import pytest
from tiny_recipe import entered


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny systems are in the catalog, and runs go into this folder."""
    entered(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return tmp_path
