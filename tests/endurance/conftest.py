"""How long to endure, and where to write what came of it."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Record = Callable[[str, Mapping[str, Any]], None]


@pytest.fixture(scope="session")
def in_full(pytestconfig: pytest.Config) -> bool:
    """Whether to take the whole count, which is minutes: `pytest tests/endurance --endurance`."""
    return bool(pytestconfig.getoption("--endurance"))


@pytest.fixture(scope="session")
def record_folder(pytestconfig: pytest.Config) -> Path | None:
    folder: Path | None = pytestconfig.getoption("--record")
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def record(record_folder: Path | None) -> Record:
    """Keep figures as NAME.json, where somebody wants them."""

    def write(name: str, figures: Mapping[str, Any]) -> None:
        if record_folder:
            told = json.dumps({**figures, "processors": os.cpu_count()}, indent=1)
            (record_folder / f"{name}.json").write_text(told + "\n", encoding="utf-8")

    return write
