"""What every test shares."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from torch import Tensor

# The same examples on every machine, and no deadline that a busy one would miss.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    """What tests/endurance does at length only when it is asked to."""
    parser.addoption("--endurance", action="store_true", help="endure in full, for minutes")
    parser.addoption("--record", metavar="FOLDER", type=Path, help="write what was measured there")


def pytest_configure() -> None:
    """Each worker of `pytest -n 2` keeps to one processor, so that none waits for both."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if worker and hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {processors[int(worker) % len(processors)]})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what was made once go to one worker: those of a file, and of all systems.

    These take longest together, so they begin: what begins last keeps one worker alone at the end.
    """
    items.sort(key=lambda item: item.path.parent.name != "systems")
    for item in items:
        folder = item.path.parent
        group = folder if folder.name == "systems" else item.path
        item.add_marker(pytest.mark.xdist_group(str(group)))


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Bundles are published into a folder of this session, never into the developer's."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("T2I_HOME", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def card(request: pytest.FixtureRequest) -> None:
    """Skip what needs a card where there is none: the only reason to skip here."""
    if request.node.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA card")


def interleaved(mask: "Tensor", rows: int) -> "Tensor":
    """The masks of a batch in the order of the official attentions: (B, T) -> (B, rows, T).

    They tile the whole batch's mask over places that lie caption by caption, so that row r, of
    caption r // rows, meets the mask of caption r % B.
    """
    return mask.repeat(rows, 1).unflatten(0, (len(mask), rows))


@pytest.fixture(scope="session")
def official_mask() -> "Callable[[Tensor, int], Tensor]":
    return interleaved
