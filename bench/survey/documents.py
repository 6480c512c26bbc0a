"""What is written of the rows: a document, and a page that needs no other file and no network."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.survey import charts, pictures, table
from bench.survey.making import ROOT
from bench.survey.rows import BASELINES, MAIN_COLOUR, Row
from t2i.export.pages import CAPTIONS
from t2i.models.catalog import CATALOG
from t2i.runtime.pictures import write_whole
from t2i.runtime.score import report

DOCUMENT, PAGE = ROOT / "docs" / "survey.md", ROOT / "docs" / "survey" / "page.html"
HERE = Path(__file__).parent
ATTRIBUTES = charts.Scale("attributes that the judge sees", percent=True)
COLOURS = charts.Scale("main colours that the judge sees", percent=True)
PRECISION = charts.Scale("R-precision", percent=True)
DISTANCE = charts.Scale("FID (birds-features)", log=True)
KINDS = ("whole sentences, or classes", "words: AttnGAN and what extends it", "tokens and latents")
"""What systems draw from, by their colour."""


@dataclass(frozen=True)
class Told:
    """A row, ready to be written."""

    row: Row
    cells: Sequence[table.Cell]
    needs: str
    """What was trained before, and for how long."""
    beside: str
    """What its baselines have of what it is judged by."""
    failings: Sequence[str]


def write(rows: Sequence[Row]) -> tuple[Path, Path]:
    write_whole(DOCUMENT, document(rows).encode())
    write_whole(PAGE, page(rows).encode())
    return DOCUMENT, PAGE


def document(rows: Sequence[Row]) -> str:
    """In Markdown, beside `docs/survey/`."""
    return _rendered("document.md.j2", escaped=False, **_context(rows))


def page(rows: Sequence[Row]) -> str:
    """In HTML."""
    style = report.STYLE.read_text(encoding="utf-8") + (HERE / "page.css").read_text("utf-8")
    script = (HERE / "page.js").read_text(encoding="utf-8")
    drawing = [row for row in rows if row.draws]
    return _rendered(
        "page.html.j2",
        escaped=True,
        **_context(rows),
        overview=list(_overview(drawing)),
        kinds=KINDS,
        strips=[(row, pictures.strip(row.sheet)) for row in drawing if row.sheet.is_file()],
        sheets={row.name: pictures.sheet(row.sheet) for row in drawing if row.sheet.is_file()},
        curves={row.name: list(_curves(row, drawing)) for row in drawing},
        style=style,
        script=script,
        script_sha256=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _rendered(template: str, *, escaped: bool, **context: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**context)


def _context(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "rows": [_told(row, rows) for row in rows],
        "columns": table.COLUMNS,
        "baselines": [
            (table.BASELINE_TITLES[name], table.of_baseline(name, rows)) for name in BASELINES
        ],
        "captions": CAPTIONS,
        "systems": sum(not row.subject.without for row in rows),
        "machines": sorted({row.record["machine"] for row in rows}),
    }


def _told(row: Row, rows: Sequence[Row]) -> Told:
    needs = [
        f"{CATALOG[name].title} ({'weights that ship' if minutes is None else f'{minutes:.0f}'})"
        for name, minutes in row.record["needs"].items()
    ]
    part, judged = (MAIN_COLOUR, "main colours") if row.of_classes else ("", "attributes")
    beside = [
        f"{table.percent(found.value)} with {table.BASELINE_TITLES[name]}"
        for name in BASELINES
        if (found := row.baseline(name, "attributes", part))
    ]
    return Told(
        row,
        table.cells(row, rows),
        ", ".join(needs),
        f"{judged} seen: {', '.join(beside)}" if beside else "",
        list(row.failings()),
    )


def _series(row: Row) -> int:
    """Which colour: of one kind or another."""
    entry = CATALOG[row.subject.system]
    if "attngan" in (entry.name, entry.parent):
        return 1
    return 0 if entry.pipeline == "gan" and entry.name != "cigan" else 2


def _line(row: Row, metric: str, part: str = "") -> charts.Line:
    return charts.Line(row.title, row.curve(metric, part), _series(row))


def _overview(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """All systems together; what lacks a part has its place beside its system alone."""
    whole = [row for row in rows if not row.subject.without]
    captioned = [_line(row, "attributes") for row in whole if not row.of_classes]
    for scale, lines in (
        (ATTRIBUTES, captioned),
        (DISTANCE, [_line(row, "fid") for row in whole]),
    ):
        if lines:
            yield scale.title, charts.together(scale, lines)


def _curves(row: Row, rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """One system before all others."""
    seen = (
        (COLOURS, "attributes", MAIN_COLOUR) if row.of_classes else (ATTRIBUTES, "attributes", "")
    )
    wanted = [seen, (DISTANCE, "fid", "")]
    if not row.of_classes:
        wanted.insert(1, (PRECISION, "r-precision", ""))
    for scale, metric, part in wanted:
        others = [each.curve(metric, part) for each in rows if each is not row]
        mean = row.baseline(BASELINES[0], metric, part)
        line = _line(row, metric, part)
        yield (
            scale.title,
            charts.alone(
                scale, line, [each for each in others if each], mean.value if mean else None
            ),
        )
