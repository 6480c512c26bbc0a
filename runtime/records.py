"""Frozen dataclasses to JSON and back, strictly: the one reader of every file we did not write.

A record is a frozen dataclass whose fields are str, int, float, bool, None, other records, enums
spelled as `Literal`, unions of these, `tuple[X, ...]`, `dict[str, X]` or `Any` (plain JSON).
"""

import json
import math
import types
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

R = TypeVar("R")

DEEPEST = 40  # levels of lists and objects within each other


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


def loads(data: bytes) -> Any:
    """JSON as its standard has it: UTF-8, finite numbers, no key twice, nested within reason.

    Raises:
        RecordError: it is not.
    """
    try:
        value = json.loads(
            data.decode(),
            parse_float=_finite,
            parse_constant=_finite,
            object_pairs_hook=_object,
        )
        _sound(value, 0)
    except RecordError:
        raise
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not JSON: {error}") from error
    return value


def decode(kind: type[R], data: Any, where: str = "") -> R:
    """Build a record from JSON values.

    Raises:
        RecordError: a key is unknown or missing, or a value has another type than its field.
    """
    built: R = _decode(kind, data, where)
    return built


def _finite(number: str) -> float:
    if not math.isfinite(float(number)):
        raise RecordError(f"not JSON: {number[:20]} is not a finite number")
    return float(number)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise RecordError("not JSON: an object has the same key twice")
    return dict(pairs)


def _sound(value: Any, depth: int) -> None:
    """Refuse what could be read but neither written nor printed."""
    if depth > DEEPEST:
        raise RecordError(f"nested more than {DEEPEST} levels deep")
    if isinstance(value, str):
        value.encode()  # fails on half of a surrogate pair
    elif isinstance(value, dict):
        for key, item in value.items():
            _sound(key, depth)
            _sound(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _sound(item, depth + 1)


def _decode(kind: Any, data: Any, where: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return data
    if is_dataclass(kind):
        return _decode_record(kind, data, where)
    if origin is Literal:
        return _fits(
            (type(data), data) in [(type(each), each) for each in arguments], data, kind, where
        )
    if origin in (Union, types.UnionType):
        return _decode_union(kind, data, where)
    if origin is tuple:
        _fits(isinstance(data, (list, tuple)), data, kind, where)
        if arguments[-1] is Ellipsis:
            arguments = (arguments[0],) * len(data)
        _fits(len(arguments) == len(data), data, kind, where)
        pairs = zip(arguments, data, strict=True)
        return tuple(_decode(each, item, f"{where}[{i}]") for i, (each, item) in enumerate(pairs))
    if origin is dict:
        _fits(isinstance(data, dict), data, kind, where)
        return {
            key: _decode(arguments[1], item, f"{where}[{_shown(key)}]")
            for key, item in data.items()
        }
    exact = type(data) is int and abs(data) < 2**53
    if kind is float and exact:
        return float(data)
    return _fits(type(data) is kind, data, kind, where)


def _decode_record(kind: Any, data: Any, where: str) -> Any:
    _fits(isinstance(data, dict), data, kind, where)
    known = _fields(kind)
    for key in data:
        if key not in known:
            raise RecordError(f"{where or 'top level'}: unknown key {_shown(key)}")
    path = f"{where}." if where else ""
    for name, (field, _) in known.items():
        optional = field.default is not MISSING or field.default_factory is not MISSING
        if name not in data and not optional:
            raise RecordError(f"{path}{name}: missing")
    return kind(**{key: _decode(known[key][1], value, path + key) for key, value in data.items()})


@cache
def _fields(kind: type) -> dict[str, tuple[Field[Any], Any]]:
    """Each field of a record and its type; slow enough to be worth keeping."""
    hints = get_type_hints(kind)
    return {field.name: (field, hints[field.name]) for field in fields(kind)}


def _decode_union(kind: Any, data: Any, where: str) -> Any:
    choices = [each for each in get_args(kind) if each is not type(None)]
    if data is None and len(choices) < len(get_args(kind)):
        return None
    if len(choices) == 1:
        return _decode(choices[0], data, where)
    for each in choices:
        try:
            return _decode(each, data, where)
        except RecordError:
            continue
    return _fits(False, data, kind, where)


def _fits(does: bool, data: Any, kind: Any, where: str) -> Any:
    if not does:
        wanted = kind.__name__ if isinstance(kind, type) else str(kind)
        raise RecordError(f"{where or 'top level'}: expected {wanted}, found {_shown(data)}")
    return data


def _shown(data: Any) -> str:
    """A value in few and printable characters."""
    if isinstance(data, dict):
        return "an object"
    if isinstance(data, (list, tuple)):
        return "a list"
    return repr(data[:60] if isinstance(data, str) else data)[:80]
