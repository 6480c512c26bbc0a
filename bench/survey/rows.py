"""The rows of the survey, and whether they may stand in it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.survey import code
from bench.survey.making import METRICS, ROWS
from bench.survey.subjects import Subject
from t2i.models.catalog import CATALOG
from t2i.runtime import terminal
from t2i.runtime.errors import ScoreError, UsageError, did_you_mean

AGAIN = "python -m bench.survey"
BASELINES = ("mean picture", "captions shuffled")
MAIN_COLOUR = "back"
"""What the judge calls a bird's main colour, the class of those that draw classes."""


@dataclass(frozen=True)
class Score:
    value: float
    interval: tuple[float, float] | None
    """95 % confidence."""

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Score":
        interval = record.get("interval")
        return cls(float(record["value"]), tuple(interval) if interval else None)

    def above(self, other: "Score") -> bool:
        """Whether it is higher, and the intervals are apart."""
        low = self.interval[0] if self.interval else self.value
        return low > (other.interval[1] if other.interval else other.value)


@dataclass(frozen=True)
class Row:
    record: Mapping[str, Any]
    folder: Path
    """Where its files lie."""

    @property
    def subject(self) -> Subject:
        return Subject(self.record["system"], self.record.get("without", ""))

    @property
    def name(self) -> str:
        return self.subject.name

    @property
    def title(self) -> str:
        return CATALOG[self.subject.system].title

    @property
    def year(self) -> int:
        """Of the paper."""
        return int(re.findall(r"\b(?:19|20)\d\d\b", self.record["source"])[-1])

    @property
    def order(self) -> tuple[int, str, str]:
        """By year and title; what lacks a part comes after its system."""
        return self.year, self.title.lower(), self.subject.without

    @property
    def draws(self) -> bool:
        return "attributes" in self.record["curve"][-1]["scores"]

    @property
    def of_classes(self) -> bool:
        """Whether it draws classes, and reads no captions."""
        return bool(self.record.get("condition") == "class")

    @property
    def sheet(self) -> Path:
        return self.folder / f"{self.name}.png"

    @property
    def remark(self) -> str:
        """What is to be known of its training beside the rest."""
        return str(self.record.get("remark", ""))

    @property
    def confirmed(self) -> int:
        """Up to which step its training is the same after its code changed; 0: nobody looked."""
        return int(self.record.get("confirmed", 0))

    @property
    def steps(self) -> int:
        return int(self.record["curve"][-1]["steps"])

    @property
    def minutes(self) -> float:
        return float(self.record["curve"][-1]["minutes"])

    def score(self, metric: str, part: str = "") -> Score | None:
        """At the end."""
        return told(self.record["curve"][-1]["scores"], metric, part)

    def curve(self, metric: str, part: str = "") -> list[tuple[float, float]]:
        """Minutes and values, as far as they were measured; a training may end before its time."""
        found = {
            point["minutes"]: each.value
            for point in self.record["curve"]
            if (each := told(point["scores"], metric, part))
        }
        return sorted(found.items())

    def baseline(self, name: str, metric: str, part: str = "") -> Score | None:
        return told(self.record["baselines"].get(name, {}), metric, part)

    def changed(self) -> list[str]:
        """Files of its code that are no longer as they were."""
        return code.changed(self.record.get("code", {}), code.of(self.subject.system))

    def failings(self) -> Iterator[str]:
        """In what it is no better than a baseline."""
        if not self.draws:
            found, chance = self.score("r-precision"), self.baseline("chance", "r-precision")
            if not (found and chance and found.above(chance)):
                yield "its retrieval is no better than chance"
            return
        part, called = (MAIN_COLOUR, "main colours") if self.of_classes else ("", "attributes")
        own = self.score("attributes", part)
        for name in BASELINES:
            other = self.baseline(name, "attributes", part)
            if not (own and other and own.above(other)):
                yield f"its {called} are seen no more often than with the baseline {name!r}"
        fid, mean = self.score("fid"), self.baseline(BASELINES[0], "fid")
        if not (fid and mean and fid.value < mean.value):
            yield "its FID is not below that of the mean picture"


def told(scores: Mapping[str, Any], metric: str, part: str = "") -> Score | None:
    """A score, or a part of one, where it was measured."""
    if metric not in scores:
        return None
    parts = {each["name"]: each for each in scores[metric].get("parts", ())}
    record = parts.get(part) if part else scores[metric]
    return Score.of(record) if record else None


def read(folder: Path = ROWS) -> list[Row]:
    """All rows, in the order of the survey."""
    records = [json.loads(path.read_bytes()) for path in folder.glob("*.json")]
    return sorted((Row(record, folder) for record in records), key=lambda row: row.order)


def chosen(names: Sequence[str] | None) -> list[Row]:
    """Rows by name; without names those whose code changed.

    Raises:
        UsageError: there is no such row.
    """
    found = {each.name: each for each in read()}
    for name in names or ():
        if name not in found:
            raise UsageError(f"there is no row {name!r}", hint=did_you_mean(name, found))
    return [each for each in found.values() if (each.name in names if names else each.changed())]


def check(rows: Sequence[Row]) -> None:
    """
    Raises:
        ScoreError: a system is no better than a baseline. One that lacks a part may be: that can
            be what its paper shows.
    """
    for row in rows:
        failings = [] if row.subject.without else list(row.failings())
        if failings:
            raise ScoreError(
                f"{row.name} may not stand in the survey: {'; '.join(failings)}",
                hint=f"mend it, then {AGAIN} renew {row.name}",
            )
    for metric in METRICS:
        _warn_of_other_eyes(metric, rows)


def _warn_of_other_eyes(metric: str, rows: Sequence[Row]) -> None:
    """Say which rows were scored by another bundle than most."""
    by: dict[str, list[str]] = {}
    for row in rows:
        scores = row.record["curve"][-1]["scores"]
        if row.draws and metric in scores:
            by.setdefault(str(scores[metric]["protocol"]["extractor"]), []).append(row.name)
    for extractor, some in sorted(by.items(), key=lambda each: -len(each[1]))[1:]:
        terminal.warn(
            f"{metric} of {', '.join(some)} was told by {extractor[:32]}…, others by another",
            hint="compare them only where both bundles have the same graphs",
        )
