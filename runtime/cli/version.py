"""`--version`, the same for every command."""

from typing import Annotated

import typer

import t2i
from t2i.runtime import terminal


def show_version(wanted: bool) -> None:
    if wanted:
        terminal.report(f"t2i {t2i.__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", callback=show_version, is_eager=True, help="Show the version."),
]
