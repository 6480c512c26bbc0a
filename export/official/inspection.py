"""What a file of weights is, told without reading its tensors."""

import math
from pathlib import Path
from typing import Any

from t2i.export.official.kinds import Recognised, recognise
from t2i.export.official.natures import nature_of
from t2i.export.official.published import PUBLISHED_WORDS
from t2i.export.official.table import KINDS, PUBLISHED
from t2i.export.official.tables import open_checkpoint
from t2i.export.official.vocabulary import read_words
from t2i.models.renames import new_name
from t2i.runtime.errors import ExportError


def inspect(path: Path) -> dict[str, Any]:
    """As a record: how the file was written, and what each table of tensors in it is.

    Raises:
        ExportError: it holds neither weights nor a vocabulary.
    """
    words = _words(path)
    if words is not None:
        return {
            "file": str(path),
            "format": "a pickle",
            "words": len(words),
            "published": PUBLISHED_WORDS.get(len(words)),
            "tables": [],
        }
    checkpoint = open_checkpoint(path)
    return {
        "file": str(path),
        "format": checkpoint.format,
        "tables": [_table(each) for each in recognise(checkpoint, KINDS)],
    }


def lines(record: dict[str, Any]) -> list[str]:
    """The record for people."""
    if "words" in record:
        known = f": {record['published']}" if record["published"] else ""
        return [f"{record['file']}: a vocabulary of {record['words']:,} words{known}"]
    told = [f"{record['file']}: {record['format']}"]
    for table in record["tables"]:
        told.append(f"  {table['name'] or 'weights'}: {table['told']}")
        told += [f"    {wrong}" for wrong in table["wrong"]]
        for system, role in table["for"]:
            folder = PUBLISHED[system].folder
            told.append(
                f"    t2i-export {system} " + ("--weights FOLDER" if folder else f"--{role} FILE")
            )
    return told


def _words(path: Path) -> list[str] | None:
    try:
        return read_words(path) if nature_of(path) == "pickle" else None
    except ExportError:
        return None


def _table(found: Recognised) -> dict[str, Any]:
    shapes, kind = found.bare, found.kind
    known = kind.names if kind else {}
    strange = [each for each in shapes if known and new_name(each, known) is None]
    return {
        "name": found.name,
        "kind": kind and kind.title,
        "told": found.told(),
        "tensors": len(shapes),
        "numbers": sum(math.prod(shape) for shape in shapes.values()),
        "settings": found.sizes if kind else {},
        "wrong": [f"{len(strange)} names are not known: {', '.join(strange[:3])}"] * bool(strange),
        "for": [
            (system, part.role)
            for system, published in PUBLISHED.items()
            for part in published.parts
            if kind in part.kinds
        ],
    }
