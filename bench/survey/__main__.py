"""`python -m bench.survey`: parse, call, report."""

import shutil
from typing import Annotated

import typer

from bench.survey import confirming, documents, making, rows
from bench.survey.subjects import Subject
from t2i.runtime import terminal
from t2i.runtime.errors import ScoreError

NAMED = 4
"""Files that changed."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def survey(context: typer.Context) -> None:
    """Check all rows, and write docs/survey.md and docs/survey/page.html from them."""
    if context.invoked_subcommand:
        return
    with terminal.explaining_errors():
        found = rows.read()
        rows.check(found)
        for each in found:
            if files := each.changed():
                more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
                terminal.say(f"{each.name} is of other code: {', '.join(files[:NAMED])}{more}")
        for path in documents.write(found):
            terminal.report(f"wrote {path}")


@app.command()
def row(
    system: Annotated[str, typer.Argument(help="A system of the catalog.")],
    without: Annotated[str, typer.Option(help="A part to leave out, such as damsm.")] = "",
) -> None:
    """Train, draw and score one system; then write its row."""
    with terminal.explaining_errors():
        written = making.make(Subject(system, without))
        terminal.report(f"wrote {written}", next="python -m bench.survey")


Names = Annotated[
    list[str] | None, typer.Argument(help="Rows; those whose code changed by default.")
]


@app.command()
def confirm(names: Names = None) -> None:
    """Train the first steps of rows again: those with the same losses stand as they are."""
    with terminal.explaining_errors():
        others = []
        for each in rows.chosen(names):
            if why := confirming.confirm(each):
                others.append(each.name)
                terminal.warn(why)
            else:
                terminal.report(f"{each.name} trains as it did")
        if others:
            raise ScoreError(
                f"rows that may no longer stand: {', '.join(others)}",
                hint=f"{rows.AGAIN} renew {' '.join(others)}",
            )


@app.command()
def renew(names: Names = None) -> None:
    """Make rows again from the beginning; what a system needs stays as it is trained."""
    with terminal.explaining_errors():
        for each in rows.chosen(names):
            shutil.rmtree(making.WORK / each.name, ignore_errors=True)
            terminal.report(f"wrote {making.make(each.subject)}")


if __name__ == "__main__":
    app()
