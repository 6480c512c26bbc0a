"""The columns of the survey, and each row's cells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.survey.rows import BASELINES, MAIN_COLOUR, Row, Score

DASH = "–"
PERCENT = "\N{NO-BREAK SPACE}%"
RATIO = "ratio to rendered pictures"


def percent(value: float) -> str:
    return f"{100 * value:.1f}{PERCENT}"


@dataclass(frozen=True)
class Column:
    title: str
    about: str
    find: Callable[[Row], Score | float | None]
    told: Callable[[float], str]
    best: Literal["highest", "lowest"] | None = None
    """Which of all systems is the best, where one can be."""
    bounded: bool = False
    """Whether it is a share of 1."""


@dataclass(frozen=True)
class Cell:
    column: Column
    value: float | None
    interval: tuple[float, float] | None
    best: bool

    @property
    def text(self) -> str:
        return DASH if self.value is None else self.column.told(self.value)

    @property
    def between(self) -> str:
        """Its confidence, where that is known."""
        low, high = self.interval or (None, None)
        if low is None or high is None:
            return ""
        return f"95 %: {self.column.told(low)} … {self.column.told(high)}"


def of_captions(metric: str, part: str = "") -> Callable[[Row], Score | None]:
    """What makes no sense of a system that reads none."""
    return lambda row: None if row.of_classes else row.score(metric, part)


def before(row: Row) -> float | None:
    needs = row.record["needs"].values()
    known = [minutes for minutes in needs if minutes is not None]
    return sum(known) if known or not needs else None


COLUMNS = (
    Column("year", "of the paper", lambda row: float(row.year), "{:.0f}".format),
    Column(
        "parameters",
        "of the networks in the bundle, in millions",
        lambda row: row.record["parameters"] / 1e6,
        "{:.2f}\N{NO-BREAK SPACE}M".format,
    ),
    Column(
        "bundle",
        "all graphs of the bundle, in megabytes",
        lambda row: row.record["bundle_bytes"] / 1e6,
        "{:.1f}\N{NO-BREAK SPACE}MB".format,
    ),
    Column(
        "CPU",
        "milliseconds a picture, by one thread",
        lambda row: row.record["cpu_ms"],
        "{:.1f}\N{NO-BREAK SPACE}ms".format,
        "lowest",
    ),
    Column(
        "minutes",
        "of its own training, by one core: twenty, or until its steps were done",
        lambda row: row.minutes,
        "{:.0f}".format,
    ),
    Column(
        "before", "minutes of training of what it needs, left out of those", before, "{:.0f}".format
    ),
    Column(
        "attributes",
        "share of what captions state that the judge sees in the pictures",
        of_captions("attributes"),
        percent,
        "highest",
        bounded=True,
    ),
    Column(
        "main colour",
        "the same of main colours alone, which are the classes of what draws classes",
        lambda row: row.score("attributes", MAIN_COLOUR),
        percent,
        "highest",
        bounded=True,
    ),
    Column(
        "R-precision",
        "share of pictures that a DAMSM which taught nobody finds nearer to their caption than to "
        "99 others; of what draws nothing, of rendered pictures by itself",
        of_captions("r-precision"),
        percent,
        "highest",
        bounded=True,
    ),
    Column(
        "VS",
        "how near pictures lie to their captions, to HDGAN's measure",
        of_captions("vs"),
        "{:.2f}".format,
        "highest",
    ),
    Column("CLIP score", "the same to birds-clip", of_captions("clip"), "{:.1f}".format, "highest"),
    Column(
        "FID",
        "distance from rendered pictures in the judge's features",
        lambda row: row.score("fid"),
        "{:.1f}".format,
        "lowest",
    ),
    Column(
        "IS",
        "of main colours as the judge sees them",
        lambda row: row.score("is"),
        "{:.2f}".format,
        "highest",
    ),
    Column(
        "diversity",
        "how far apart pictures of a caption lie, of what rendered ones do",
        lambda row: row.score("diversity", RATIO),
        "{:.2f}".format,
    ),
)


def cells(row: Row, rows: Sequence[Row]) -> list[Cell]:
    """A row's cells, beside those of all others."""
    return [_cell(column, row, rows) for column in COLUMNS]


def _cell(column: Column, row: Row, rows: Sequence[Row]) -> Cell:
    score = _score(column, row)
    if score is None:
        return Cell(column, None, None, best=False)
    best = False
    if column.best and row.draws:
        rivals = [each for other in rows if other.draws and (each := _score(column, other))]
        extreme = max if column.best == "highest" else min
        best = score.value == extreme(each.value for each in rivals)
    return Cell(column, score.value, score.interval, best)


def _score(column: Column, row: Row) -> Score | None:
    found = column.find(row)
    return Score(found, None) if isinstance(found, float | int) else found


def of_baseline(name: str, rows: Sequence[Row]) -> list[str]:
    """What a baseline has in each column, from the least of all rows to the most."""
    places = {"attributes": ("attributes", ""), "main colour": ("attributes", MAIN_COLOUR)}
    places["FID"] = ("fid", "")
    return [_range(column, name, places.get(column.title), rows) for column in COLUMNS]


def _range(column: Column, name: str, place: tuple[str, str] | None, rows: Sequence[Row]) -> str:
    found = [row.baseline(name, *place) for row in rows] if place else []
    values = sorted(each.value for each in found if each)
    if not values:
        return DASH
    least, most = column.told(values[0]), column.told(values[-1])
    if least == most:
        return least
    return f"{least.removesuffix(PERCENT)} … {most}"


BASELINE_TITLES = dict(zip(BASELINES, ("the mean picture", "shuffled captions"), strict=True))
