"""A tiny run for each test, and bundles of one in each precision."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from untrained import SIZES, write_run

from t2i.export.precision import Precision
from t2i.export.publish import Request, export
from t2i.export.trained import Trained, load
from t2i.runtime import runs
from t2i.runtime.bundle import Bundle


@pytest.fixture
def run(tmp_path: Path) -> runs.Run:
    return write_run(tmp_path / "run")


@pytest.fixture
def trained(run: runs.Run) -> Trained:
    return load(run)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Precision], Bundle]:
    """A bundle in each precision, wide enough that weights outweigh the nodes around them."""
    root, bundles = tmp_path_factory.mktemp("exported"), dict[Precision, Bundle]()

    def make(precision: Precision) -> Bundle:
        if precision not in bundles:
            run = write_run(root / f"run-{precision}", replace(SIZES, generator_width=24))
            out = root / f"birds-{precision}.t2i"
            bundles[precision] = export(Request(load(run), precision, out))
        return bundles[precision]

    return make
