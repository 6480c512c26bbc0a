"""One system trained and exported, and how the suite runs commands."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from typer.testing import CliRunner

from t2i.runtime.bundle import Bundle
from t2i.runtime.runs import Run

STEPS = 8
CAPTIONS = ["a red bird", "a small blue bird with a white belly on the water", "yellow bird"]


@dataclass(frozen=True)
class Column:
    """One system, trained and exported."""

    system: str
    run: Run
    bundle: Bundle
    path: Path

    @property
    def captions(self) -> list[str]:
        """Three things that it draws: captions, or classes of its own where it draws classes."""
        manifest = self.bundle.manifest
        return list(manifest.classes[:3]) if manifest.condition == "class" else CAPTIONS


def command(app: typer.Typer, arguments: Sequence[str]) -> str:
    """Run a command; what it wrote to stdout."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout
