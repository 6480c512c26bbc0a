"""Captions from files: a caption a line, a CSV column, or JSON lines.

| file | a caption is |
|---|---|
| `.txt`, or no ending | a line |
| `.csv` | the column `text` or `caption` of a row |
| `.jsonl` | the key `text` or `caption`; `facts` may tell what it states, `label` its class |
| `-`, standard input | a line, or JSON lines where the first character is a brace |

Files are UTF-8, with or without a byte order mark, and lines end as on any system. Lines keep their
places: an empty one is a caption with nothing to draw, unless it stands at the end of the file.
"""

import io
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t2i.runtime import records
from t2i.runtime.errors import DataError, did_you_mean

STANDARD_INPUT = "-"
KEYS = ("text", "caption")
_OTHER_UNICODE = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Line:
    """One caption, or why there is none."""

    number: int
    """Line of the file as an editor counts it, from 1."""
    caption: str
    problem: str | None = None
    facts: Mapping[str, str] | None = None
    """What the caption states, `{"wing": "black"}`; None where the file does not tell."""
    label: str | None = None
    """The class of what it describes, where the file tells it."""


def read_captions(source: str) -> tuple[Line, ...]:
    """All captions of a file, or of standard input where `source` is `-`.

    Raises:
        DataError: it cannot be read at all; what is wrong with one line is left in that line.
    """
    suffix = Path(source).suffix.lower()
    readers = {"": _plain, ".txt": _plain, ".csv": _rows, ".jsonl": _objects}
    if source != STANDARD_INPUT and suffix not in readers:
        raise DataError(
            f"captions are not read from {suffix} files",
            hint=did_you_mean(suffix, [each for each in readers if each]),
        )
    text = _decode(_bytes(source), source)
    reader = readers[suffix]
    if source == STANDARD_INPUT and text.lstrip().startswith("{"):
        reader = _objects
    lines = [_in_utf8(line) for line in reader(text, source)]
    while lines and not lines[-1].caption.strip() and not lines[-1].problem:
        del lines[-1]
    if not lines:
        raise DataError(f"there are no captions in {named(source)}", hint="write one a line")
    return tuple(lines)


def _bytes(source: str) -> bytes:
    if source == STANDARD_INPUT:
        return sys.stdin.buffer.read() if sys.stdin else b""
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise DataError(
            f"the captions in {source} cannot be read: {error.strerror}",
            hint="--captions takes a file; one caption is typed without it",
        ) from error


def _decode(data: bytes, source: str) -> str:
    if data.startswith(_OTHER_UNICODE):
        raise DataError(f"{named(source)} is UTF-16", hint="save it as UTF-8")
    # Bytes that are not UTF-8 become lone surrogates, by which their lines are known.
    return data.decode("utf-8-sig", "surrogateescape")


def _in_utf8(line: Line) -> Line:
    try:
        line.caption.encode()
    except UnicodeEncodeError:
        readable = line.caption.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return Line(line.number, readable, line.problem or "the line is not UTF-8")
    return line


def _plain(text: str, source: str) -> Iterator[Line]:
    for number, line in enumerate(_split(text), 1):
        yield Line(number, line.strip())


def _objects(text: str, source: str) -> Iterator[Line]:
    for number, line in enumerate(_split(text), 1):
        if not line.strip():
            yield Line(number, "")
            continue
        try:
            found = records.loads(line.encode("utf-8", "surrogateescape"))
        except records.RecordError as error:
            yield Line(number, line.strip(), str(error))
            continue
        values = [found[key] for key in KEYS if key in found] if isinstance(found, dict) else []
        if values and isinstance(values[0], str):
            label = found.get("label")
            named = label if isinstance(label, str) else None
            yield Line(number, values[0].strip(), facts=_facts(found), label=named)
        else:
            yield Line(number, line.strip(), f"no {' or '.join(map(repr, KEYS))} with a string")


def _facts(found: dict[str, Any]) -> Mapping[str, str] | None:
    """What is no mapping of names to values is no problem: whoever only draws needs none."""
    facts = found.get("facts")
    if isinstance(facts, dict) and all(isinstance(value, str) for value in facts.values()):
        return facts
    return None


def _rows(text: str, source: str) -> Iterator[Line]:
    import csv

    # Strict: of a quote that is never closed, the rest of the file would become one caption.
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = {name.strip().lower(): name for name in reader.fieldnames or ()}
        column = columns.get(KEYS[0], columns.get(KEYS[1]))
        if column is None:
            raise DataError(
                f"{named(source)} has no column {' or '.join(map(repr, KEYS))}",
                hint="name the column of the captions in the first row",
            )
        for row in reader:
            caption = row[column]
            problem = "the row is too short" if caption is None else None
            yield Line(reader.line_num, (caption or "").strip(), problem)
    except csv.Error as error:
        raise DataError(
            f"{named(source)}, line {reader.line_num + 1}: {error}",
            hint="captions with quotes or commas stand in double quotes, each quote in them twice",
        ) from error


def _split(text: str) -> list[str]:
    """Lines as files have them; `str.splitlines` would split at rarer characters too."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def named(source: str) -> str:
    """How people are told of it."""
    return "standard input" if source == STANDARD_INPUT else source
