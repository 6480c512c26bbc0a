"""What is written beside pictures: the captions of a data set in the imagefolder layout."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from t2i.runtime import records
from t2i.runtime.errors import ScoreError

LARGEST_BYTES = 2**30
_LAYOUT = 'write one line a picture: {"file_name": "1.png", "text": "a red bird"}'


@dataclass(frozen=True)
class Listed:
    """One picture and its caption."""

    file: Path
    caption: str
    where: str
    """How errors call it."""
    label: str | None = None
    """The class of what it shows, where that is told."""


def listed(folder: Path) -> list[Listed]:
    """Pictures of a `metadata.jsonl` or `.csv`, each once, with the first of its captions.

    None where there is no such file, or where it tells no captions.

    Raises:
        ScoreError: it cannot be read, or tells the captions of some pictures only.
    """
    rows = list(_rows(folder))
    if not any("text" in row for _, row in rows):
        return []
    found: dict[str, Listed] = {}
    for where, row in rows:
        name, text = row.get("file_name"), row.get("text")
        caption = text[0] if isinstance(text, list) and text else text
        if not (isinstance(name, str) and isinstance(caption, str) and _lies_within(name)):
            raise ScoreError(f"{where} tells no picture of the folder and its text", hint=_LAYOUT)
        label = row.get("label")
        named = str(label) if isinstance(label, (str, int)) else None
        found.setdefault(name, Listed(folder / name, caption, where, named))
    return list(found.values())


def _rows(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each line as a mapping, with its place for errors."""
    for name, read in (("metadata.jsonl", _objects), ("metadata.csv", _table)):
        path = folder / name
        try:
            if not path.is_file():
                continue
            if path.stat().st_size > LARGEST_BYTES:
                raise ScoreError(f"{path} is larger than 1 GiB", hint="score fewer pictures")
            for number, row in read(path.read_text(encoding="utf-8-sig")):
                yield f"{path}, line {number}", row
        except (OSError, UnicodeDecodeError, csv.Error, records.RecordError) as error:
            raise ScoreError(f"{path} cannot be read: {error}", hint=_LAYOUT) from error
        return


def _objects(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                row = records.loads(line.encode())
            except records.RecordError as error:
                raise records.RecordError(f"line {number}: {error}") from error
            yield number, row if isinstance(row, dict) else {}


def _table(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    for row in reader:
        yield reader.line_num, row


def _lies_within(name: str) -> bool:
    windows = PureWindowsPath(name)
    outside = windows.drive or windows.root or PurePosixPath(name).root or ".." in windows.parts
    return bool(name) and not outside
