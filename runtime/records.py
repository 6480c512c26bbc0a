"""Frozen dataclasses to JSON and back, strictly: the one reader of every file we did not write.

A record is a frozen dataclass whose fields are str, int, float, bool, None, other records, enums
spelled as `Literal`, unions of these, `tuple[X, ...]`, `dict[str, X]` or `Any` (plain JSON).
"""

import json
import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

R = TypeVar("R")


class RecordError(ValueError):
    """A value does not fit its record; the message begins with the path to it."""


def encode(record: Any) -> Any:
    """Plain JSON values of a record; tuples become lists."""
    if is_dataclass(record):
        return {field.name: encode(getattr(record, field.name)) for field in fields(record)}
    if isinstance(record, dict):
        return {key: encode(value) for key, value in record.items()}
    if isinstance(record, (list, tuple)):
        return [encode(value) for value in record]
    return record


def dumps(record: Any) -> str:
    return json.dumps(encode(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def decode(kind: type[R], data: Any, where: str = "") -> R:
    """Build a record from JSON values.

    Raises:
        RecordError: a key is unknown or missing, or a value has another type than its field.
    """
    built: R = _decode(kind, data, where)
    return built


def _decode(kind: Any, data: Any, where: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return data
    if is_dataclass(kind):
        return _decode_record(kind, data, where)
    if origin is Literal:
        return _fits(data in arguments and type(data) is type(arguments[0]), data, kind, where)
    if origin in (Union, types.UnionType):
        return _decode_union(arguments, data, where)
    if origin is tuple:
        _fits(isinstance(data, (list, tuple)), data, kind, where)
        if arguments[-1] is Ellipsis:
            arguments = (arguments[0],) * len(data)
        _fits(len(arguments) == len(data), data, kind, where)
        pairs = zip(arguments, data, strict=True)
        return tuple(_decode(each, item, f"{where}[{i}]") for i, (each, item) in enumerate(pairs))
    if origin is dict:
        _fits(isinstance(data, dict), data, kind, where)
        return {key: _decode(arguments[1], item, f"{where}.{key}") for key, item in data.items()}
    if kind is float and type(data) is int:
        return float(data)
    return _fits(type(data) is kind, data, kind, where)


def _decode_record(kind: Any, data: Any, where: str) -> Any:
    _fits(isinstance(data, dict), data, kind, where)
    hints, known = get_type_hints(kind), {field.name: field for field in fields(kind)}
    for key in data:
        if key not in known:
            raise RecordError(f"{where}.{key}".lstrip(".") + ": unknown key")
    for name, field in known.items():
        optional = field.default is not MISSING or field.default_factory is not MISSING
        if name not in data and not optional:
            raise RecordError(f"{where}.{name}".lstrip(".") + ": missing")
    return kind(
        **{
            key: _decode(hints[key], value, f"{where}.{key}".lstrip("."))
            for key, value in data.items()
        }
    )


def _decode_union(arguments: tuple[Any, ...], data: Any, where: str) -> Any:
    if data is None and type(None) in arguments:
        return None
    problems = []
    for each in arguments:
        if each is not type(None):
            try:
                return _decode(each, data, where)
            except RecordError as error:
                problems.append(str(error))
    raise RecordError(problems[-1])


def _fits(does: bool, data: Any, kind: Any, where: str) -> Any:
    if not does:
        wanted = kind.__name__ if isinstance(kind, type) else str(kind)
        raise RecordError(f"{where or 'top level'}: expected {wanted}, found {str(data)[:60]!r}")
    return data
