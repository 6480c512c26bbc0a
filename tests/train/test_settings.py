"""`--set key=value` is typed by the field that it means."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2i.runtime.errors import UsageError
from t2i.train.settings import LoopSettings, change, check_settings, listed


@dataclass(frozen=True)
class Inner:
    depth: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    rate: float = 0.1
    count: int = 3
    sizes: tuple[int, ...] = (64, 128)
    names: tuple[str, ...] = ()
    folder: str | None = None
    cell: Literal["lstm", "gru"] = "lstm"
    shared: bool = False
    inner: Inner = field(default_factory=Inner)
    paired: Inner | None = None


START = Settings(LoopSettings(steps=10, batch_size=4, sample_every=5, checkpoint_every=5))


@pytest.mark.parametrize(
    ("assignment", "path", "value"),
    [
        ("steps=8", "loop.steps", 8),
        ("loop.steps=8", "loop.steps", 8),
        ("threads=2", "loop.threads", 2),
        ("threads=none", "loop.threads", None),
        ("precision=bf16", "loop.precision", "bf16"),
        ("compile=true", "loop.compile", True),
        ("rate=1", "rate", 1.0),
        ("rate=2e-4", "rate", 2e-4),
        ("rate = 0.5", "rate", 0.5),
        ("sizes=16,32,64", "sizes", (16, 32, 64)),
        ("sizes=16", "sizes", (16,)),
        ("names=a,b", "names", ("a", "b")),
        ("folder=birds", "folder", "birds"),
        ("folder=1200", "folder", "1200"),
        ("folder=a=b", "folder", "a=b"),
        ("cell=gru", "cell", "gru"),
        ("shared=True", "shared", True),
        ("depth=4", "inner.depth", 4),
        ("inner.seed=4", "inner.seed", 4),
        ("paired=none", "paired", None),
    ],
)
def test_a_value_is_typed_by_its_field(assignment: str, path: str, value: Any) -> None:
    found = {name: each for name, _, each in listed(change(START, [assignment]))}
    assert found[path] == value
    assert type(found[path]) is type(value)
    unchanged = {name: each for name, _, each in listed(START)} | {path: value}
    assert found == unchanged


@pytest.mark.parametrize(
    ("assignment", "message", "hint"),
    [
        ("stepz=8", "there is no setting 'stepz'", "did you mean 'steps'"),
        ("seed=8", "there are several", "loop.seed or inner.seed"),
        ("steps", "there is no value", "--set steps=VALUE"),
        ("steps=many", "expected int", "steps is int"),
        ("steps=1.5", "expected int", "int"),
        ("shared=maybe", "expected bool", "bool"),
        ("rate=nan", "expected float", "float"),
        ("cell=rnn", "gru", "lstm"),
        ("sizes=16,x", "expected", "tuple[int, ...]"),
        ("paired.depth=1", "there is no setting", "depth"),
        ("loop=1", "there is no setting 'loop'", ""),
    ],
)
def test_what_does_not_fit_is_explained(assignment: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        change(START, [assignment])
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_later_changes_win() -> None:
    assert change(START, ["steps=1", "loop.steps=2"]).loop.steps == 2


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.lists(st.integers()))
def test_what_python_prints_is_read_back(rate: float, count: int, sizes: list[int]) -> None:
    written = ",".join(map(str, sizes))
    changed = change(START, [f"rate={rate!r}", f"count={count}", f"sizes={written}"])
    assert (changed.rate, changed.count, changed.sizes) == (rate, count, tuple(sizes))


@pytest.mark.parametrize(
    "assignment",
    [
        "steps=0",
        "batch_size=0",
        "accumulate=0",
        "accumulate=3",
        "keep=0",
        "checkpoint_every=0",
        "sample_every=-1",
        "workers=-1",
        "threads=0",
        "loop.seed=-1",
    ],
)
def test_numbers_that_make_no_sense_are_refused(assignment: str) -> None:
    check_settings(START.loop)
    with pytest.raises(UsageError):
        check_settings(change(START, [assignment]).loop)
