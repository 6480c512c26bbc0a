"""Folders in the Hugging Face *imagefolder* layout.

    FOLDER/metadata.jsonl        {"file_name": "1.png", "text": "a red bird", "label": "red"}
    FOLDER/1.png …

or `metadata.csv` with the same columns. A picture may have several lines, or a list of texts.
Splits are folders of this layout in `train/` and `test/` (or `validation/`); without them one
picture in twenty is held out.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from t2i.runtime.errors import DataError
from t2i.train.data.photographs import Collection, Photograph, hold_out

LARGEST_BYTES = 2**30
LONGEST_CAPTION = 100_000
_LAYOUT = "each line needs file_name and text; see the imagefolder layout in the documents"


def collection(folder: Path) -> Collection:
    """All photographs of a folder, with its splits.

    Raises:
        DataError: there is no metadata, or a line of it is wrong.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}", hint="pass an existing one with --data")
    train = folder / "train"
    if not train.is_dir():
        found = hold_out(photographs(folder))
        return found if found.train else Collection(found.held_out, ())
    held = [each for name in ("test", "validation") if (each := folder / name).is_dir()]
    return Collection(photographs(train), photographs(held[0]) if held else ())


def photographs(folder: Path) -> tuple[Photograph, ...]:
    """The photographs of one metadata file, in the order in which they first occur."""
    captions: dict[str, list[str]] = {}
    labels: dict[str, str | None] = {}
    for where, row in _rows(folder):
        name = _name(where, row.get("file_name"))
        label = _label(where, row.get("label"))
        captions.setdefault(name, []).extend(_texts(where, row.get("text")))
        if labels.setdefault(name, label) != label:
            raise DataError(
                f"{where}: {name} has the labels {labels[name]!r} and {label!r}",
                hint="give a picture the same label in all its lines",
            )
    if not captions:
        raise DataError(f"{folder} lists no pictures", hint=_LAYOUT)
    return tuple(
        Photograph(folder / name, tuple(texts), labels[name]) for name, texts in captions.items()
    )


def _rows(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line as a mapping, with its place for errors."""
    for name, read in (("metadata.jsonl", _json_rows), ("metadata.csv", _csv_rows)):
        path = folder / name
        if not path.is_file():
            continue
        if path.stat().st_size > LARGEST_BYTES:
            raise DataError(f"{path} is larger than 1 GiB", hint="split the data set")
        try:
            yield from read(path)
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path} cannot be read: {error}", hint="save it as UTF-8") from error
        return
    raise DataError(
        f"{folder} holds neither metadata.jsonl nor metadata.csv",
        hint='write one line a picture: {"file_name": "1.png", "text": "a red bird"}',
    )


def _json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{where} is no JSON: {error}", hint=_LAYOUT) from error
            if not isinstance(row, dict):
                raise DataError(f"{where} is no JSON object", hint=_LAYOUT)
            yield where, row


def _csv_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            yield f"{path}, line {reader.line_num}", {key: row[key] or None for key in row}


def _name(where: str, name: Any) -> str:
    """The picture's file, which must lie within the folder."""
    if not isinstance(name, str) or not name:
        raise DataError(f"{where} has no file_name", hint=_LAYOUT)
    windows = PureWindowsPath(name)
    if windows.drive or windows.root or PurePosixPath(name).root or ".." in windows.parts:
        raise DataError(
            f"{where}: {name!r} leads out of the folder",
            hint="name pictures relative to the metadata file, without '..'",
        )
    return name


def _label(where: str, label: Any) -> str | None:
    if label is None or (isinstance(label, str | int) and not isinstance(label, bool)):
        return None if label is None else str(label)
    raise DataError(f"{where}: the label {label!r} is no class name", hint="write a text")


def _texts(where: str, text: Any) -> list[str]:
    texts = text if isinstance(text, list) else [text if text is not None else ""]
    if not all(isinstance(each, str) and len(each) <= LONGEST_CAPTION for each in texts):
        raise DataError(f"{where}: text is no caption, nor a list of captions", hint=_LAYOUT)
    return texts
