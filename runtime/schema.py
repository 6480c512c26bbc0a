"""A JSON Schema for readers of bundles in other languages, made from the records themselves.

Refresh it after a change: `python -m t2i.runtime.schema docs/bundle.schema.json`.
"""

import ast
import inspect
import json
import sys
import types
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from t2i.runtime.bundle import Manifest

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def json_schema(record: type) -> dict[str, Any]:
    """The schema of a record and of all records within it (draft 2020-12)."""
    records: dict[str, Any] = {}
    top = _schema(record, records)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": record.__name__,
        **top,
        "$defs": dict(sorted(records.items())),
    }


def _schema(kind: Any, records: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return {}
    if isinstance(kind, type) and is_dataclass(kind):
        if kind.__name__ not in records:
            records[kind.__name__] = None  # a record may hold itself
            records[kind.__name__] = _record(kind, records)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(each, records) for each in arguments]}
    if origin is tuple and arguments[-1] is Ellipsis:
        return {"type": "array", "items": _schema(arguments[0], records)}
    if origin is tuple:
        items = [_schema(each, records) for each in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1], records)}
    return {"type": _PLAIN[kind]}


def _record(kind: Any, records: dict[str, Any]) -> dict[str, Any]:
    hints, sentences = get_type_hints(kind), _sentences(kind)
    properties = {}
    for field in fields(kind):
        properties[field.name] = _schema(hints[field.name], records)
        if field.name in sentences:
            properties[field.name]["description"] = sentences[field.name]
    return {
        "type": "object",
        "description": inspect.getdoc(kind),
        "properties": properties,
        "required": [
            field.name
            for field in fields(kind)
            if field.default is MISSING and field.default_factory is MISSING
        ],
        "additionalProperties": False,
    }


def _sentences(kind: type) -> dict[str, str]:
    """What stands under each field in the source."""
    (record,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(record, ast.ClassDef)
    found = {}
    for field, under in zip(record.body, record.body[1:], strict=False):
        match field, under:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(sentence))),
            ):
                found[name] = sentence
    return found


def text() -> str:
    """The published file."""
    return json.dumps(json_schema(Manifest), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
