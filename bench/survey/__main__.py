"""`python -m bench.survey`: parse, call, report."""

import shutil
from typing import Annotated

import typer

from bench.survey import documents, making, rows
from bench.survey.subjects import Subject
from t2i.runtime import terminal

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


@app.command()
def renew(
    names: Annotated[
        list[str] | None, typer.Argument(help="Rows; those whose code changed by default.")
    ] = None,
) -> None:
    """Make rows again from the beginning; what a system needs stays as it is trained."""
    with terminal.explaining_errors():
        found = {each.name: each for each in rows.read()}
        for name in names or [name for name, each in found.items() if each.changed()]:
            subject = rows.named(name, found).subject
            shutil.rmtree(making.WORK / subject.name, ignore_errors=True)
            terminal.report(f"wrote {making.make(subject)}")


if __name__ == "__main__":
    app()
