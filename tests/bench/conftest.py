"""The scripts in bench/ are no part of the package: they are run from the root of a clone."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType

import pytest
from house.tree import ROOT


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Get a script by its name."""
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: import_module(f"bench.{name}")
