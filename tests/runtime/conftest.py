"""Tiny bundles, to read and to spoil."""

import shutil
from pathlib import Path

import pytest
from bundles import write_tiny_bundle

from t2i.runtime.draw import Painter, load


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound bundle that all tests share: read it, do not write to it."""
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def own_bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy for one test, which may spoil it."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "own.t2i"))


@pytest.fixture(scope="session")
def painter(tiny_bundle: Path) -> Painter:
    return load(tiny_bundle, device="cpu", threads=1)
