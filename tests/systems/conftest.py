"""One toy run and one bundle a system, made once; the whole suite looks at these."""

from collections.abc import Callable

import pytest
from systems.columns import STEPS, Column, command

from t2i.export.cli import app as export_app
from t2i.models.catalog import CATALOG
from t2i.runtime.bundle import Bundle
from t2i.runtime.runs import Run
from t2i.train.cli import app as train_app
from t2i.train.systems import needed, preset_of


def draws(system: str) -> bool:
    """Whether it makes pictures of captions or classes."""
    return CATALOG[system].family in ("gan", "telling")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """The toy run of a system, trained with its prerequisites at the first asking."""
    root, runs = tmp_path_factory.mktemp("runs"), dict[str, Run]()

    def train(system: str) -> Run:
        if system not in runs:
            wanted = needed(system, preset_of(system, "toy"))
            needs = [f"--with={name}={train(name).folder}" for name in wanted]
            changes = [f"--set=steps={STEPS}", f"--set=checkpoint_every={STEPS // 2}"]
            out = root / system
            command(train_app, [system, "--preset=toy", f"--out={out}", *changes, *needs])
            runs[system] = Run(out)
        return runs[system]

    return train


@pytest.fixture(scope="session")
def exported(
    trained: Callable[[str], Run], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Column]:
    """The column of a system, exported at the first asking."""
    root, columns = tmp_path_factory.mktemp("bundles"), dict[str, Column]()

    def export(system: str) -> Column:
        if system not in columns:
            run, path = trained(system), root / f"{system}.t2i"
            command(export_app, [system, f"--run={run.folder}", f"--out={path}"])
            columns[system] = Column(system, run, Bundle.load(path), path)
        return columns[system]

    return export


@pytest.fixture(params=sorted(CATALOG))
def column(request: pytest.FixtureRequest, exported: Callable[[str], Column]) -> Column:
    """Each system in turn."""
    return exported(request.param)


@pytest.fixture(params=[name for name in sorted(CATALOG) if draws(name)])
def drawing(request: pytest.FixtureRequest, exported: Callable[[str], Column]) -> Column:
    """Each system that draws, in turn."""
    return exported(request.param)
