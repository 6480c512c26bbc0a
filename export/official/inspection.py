"""What a file of weights is, told without reading its tensors."""

import math
from pathlib import Path
from typing import Any

from t2i.export.official import embeddings, pickles
from t2i.export.official.kinds import Recognised, recognise
from t2i.export.official.natures import Damaged, Forbidden, nature_of
from t2i.export.official.published import PUBLISHED_WORDS
from t2i.export.official.table import KINDS, PUBLISHED
from t2i.export.official.tables import open_checkpoint
from t2i.export.official.torch7 import Torch7
from t2i.export.official.vocabulary import words_in
from t2i.models.renames import new_name
from t2i.runtime.errors import ExportError


def inspect(path: Path) -> dict[str, Any]:
    """As a record: how the file was written, and what each table of tensors in it is.

    Raises:
        ExportError: it holds neither weights, nor a vocabulary, nor vectors of captions.
    """
    if (other := _other(path)) is not None:
        return {"file": str(path), **other, "tables": []}
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
    if "vectors" in record:
        return [f"{record['file']}: {record['told']}", "  t2i-export --embeddings FILE"]
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


def _other(path: Path) -> dict[str, Any] | None:
    """What a file is that holds no weights; None where it may hold some, or cannot be read."""
    try:
        nature = nature_of(path)
        if nature == "torch7":
            return _vectors(embeddings.in_torch7(Torch7(path)), Torch7.format)
        if nature != "pickle":
            return None
        with path.open("rb") as file:
            value = pickles.load(file)
        if (words := words_in(value)) is None:
            return _vectors(embeddings.in_pickle(value), "a pickle")
    except (ExportError, Damaged, Forbidden, OSError):
        return None
    published = PUBLISHED_WORDS.get(len(words))
    return {"format": "a pickle", "words": len(words), "published": published}


def _vectors(found: embeddings.Vectors | None, form: str) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"format": form, "vectors": found.count, "size": found.size, "told": found.told()}


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
