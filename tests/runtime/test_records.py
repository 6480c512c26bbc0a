"""Records read back what they wrote, and refuse anything else by its path."""

import json
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2i.runtime.records import DEEPEST, RecordError, decode, dumps, encode, loads


@dataclass(frozen=True)
class Inner:
    number: float
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer:
    name: str
    count: int
    flag: bool
    kind: Literal["a", "b", 1]
    inner: Inner | None
    shape: tuple[int | str, ...]
    pair: tuple[float, float]
    table: dict[str, Inner]
    plain: Any = None


inners = st.builds(
    Inner, st.floats(allow_nan=False, allow_infinity=False), st.lists(st.text()).map(tuple)
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=5,
)
outers = st.builds(
    Outer,
    name=st.text(),
    count=st.integers(),
    flag=st.booleans(),
    kind=st.sampled_from(["a", "b", 1]),
    inner=st.none() | inners,
    shape=st.lists(st.integers() | st.text()).map(tuple),
    pair=st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2),
    table=st.dictionaries(st.text(), inners, max_size=3),
    plain=plain,
)

GOOD = encode(Outer("n", 1, True, "a", Inner(0.5, ("w",)), (1, "B"), (0.0, 1.0), {"k": Inner(1.0)}))


@given(outers)
def test_a_record_survives_being_written_and_read(record: Outer) -> None:
    assert decode(Outer, loads(dumps(record).encode())) == record


def test_a_default_may_be_left_out_and_a_whole_number_is_a_float() -> None:
    assert decode(Inner, {"number": 3}) == Inner(3.0, ())
    assert type(decode(Inner, {"number": 3}).number) is float


def test_a_list_of_lists_is_written_from_tuples() -> None:
    assert encode({"a": (1, (2, 3))}) == {"a": [1, [2, 3]]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": 1}, "top level: unknown key 'extra'"),
        ({"name": 1}, "name: expected str, found 1"),
        ({"count": True}, "count: expected int, found True"),
        ({"count": 1.0}, "count: expected int, found 1.0"),
        ({"flag": 1}, "flag: expected bool, found 1"),
        ({"kind": "c"}, "kind: expected typing.Literal"),
        ({"kind": True}, "kind: expected typing.Literal"),
        ({"kind": []}, "kind: expected typing.Literal"),
        ({"inner": {}}, "inner.number: missing"),
        ({"inner": {"number": "1"}}, "inner.number: expected float"),
        ({"inner": {"number": 10**400}}, "inner.number: expected float"),
        ({"inner": {"number": 1, "worlds": []}}, "inner: unknown key 'worlds'"),
        ({"inner": {"number": 1, "words": ["a", 2]}}, r"inner.words\[1\]: expected str"),
        ({"shape": [1, 0.5]}, r"shape\[1\]: expected int | str, found 0.5"),
        ({"shape": "B"}, "shape: expected tuple"),
        ({"pair": [1]}, "pair: expected tuple"),
        ({"table": []}, "table: expected dict.*found a list"),
        ({"table": {"k": 1}}, r"table\['k'\]: expected Inner, found 1"),
    ],
)
def test_a_misfit_is_named_by_its_path(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        decode(Outer, {**GOOD, **change})


def test_what_is_no_object_is_no_record() -> None:
    for data in (None, [], "x", 1):
        with pytest.raises(RecordError, match="top level: expected Outer"):
            decode(Outer, data)


@pytest.mark.parametrize(
    "change", [{"count": "\x1b[31m" * 1000}, {"\n" * 1000: 1}, {"table": {"\0" * 1000: 1}}]
)
def test_a_message_is_short_and_printable(change: dict[str, Any]) -> None:
    with pytest.raises(RecordError) as caught:
        decode(Outer, {**GOOD, **change})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nul",
        b"\xff",
        "[1]".encode("utf-16"),
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"9" * 5000,
        b'{"a": 1, "a": 2}',
        b'"\\ud800"',
        b'{"\\udc00": 1}',
        b"[" * (DEEPEST + 2) + b"]" * (DEEPEST + 2),
        b'{"a":' * 10**5,
    ],
)
def test_loose_json_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        loads(data)


def test_sound_json_is_read() -> None:
    nested = b"[" * DEEPEST + b'"\\ud83d\\udc26"' + b"]" * DEEPEST
    assert "🐦" in json.dumps(loads(nested), ensure_ascii=False)
    assert loads(b'{"a": [1, 2.5, null, true]}') == {"a": [1, 2.5, None, True]}


def test_a_number_that_is_not_finite_is_not_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        dumps(Inner(float("nan")))
