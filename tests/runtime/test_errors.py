"""Errors say what to do, and the tree in their docstring is the tree."""

import re

import pytest

from t2i.runtime import errors
from t2i.runtime.errors import T2IError, did_you_mean

KINDS = [kind for kind in T2IError.__subclasses__() if kind.__module__ == errors.__name__]


def test_the_tree_is_drawn_as_it_is() -> None:
    assert errors.__doc__
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__)
    assert drawn == [kind.__name__ for kind in KINDS]
    assert all(kind.__base__ is T2IError for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_wrong_command_exits_with_two(kind: type[T2IError]) -> None:
    error = kind("what happened", hint="what to do")
    assert (str(error), error.hint) == ("what happened", "what to do")
    assert error.exit_status == (2 if kind is errors.UsageError else 1)


def test_an_error_cannot_be_made_without_a_hint() -> None:
    with pytest.raises(TypeError):
        T2IError("what happened")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("wrong", "known", "hint"),
    [
        ("atngan", ["damsm", "attngan"], "did you mean 'attngan'?"),
        ("zzz", ["damsm", "attngan"], "known are: attngan, damsm"),
        ("zzz", [], "none is known here yet"),
        ("attngan" + "x" * 10**6, ["attngan"], "known are: attngan"),
    ],
)
def test_a_wrong_word_brings_up_the_closest(wrong: str, known: list[str], hint: str) -> None:
    assert did_you_mean(wrong, iter(known)) == hint
