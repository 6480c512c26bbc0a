"""Settings of the loop, and how `--set key=value` changes any setting of a recipe."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, is_dataclass, replace
from typing import Any, Literal, TypeVar, get_type_hints

from t2i.runtime.errors import UsageError, did_you_mean
from t2i.runtime.records import RecordError, decode

Precision = Literal["fp32", "bf16", "fp16"]
S = TypeVar("S")
_WORDS = {"none": None, "true": True, "false": False}


@dataclass(frozen=True)
class LoopSettings:
    """How long and how to train; nothing here belongs to a paper."""

    steps: int
    batch_size: int
    """Pictures of one step."""
    sample_every: int
    """Steps between two grids of sample pictures; 0 = none."""
    checkpoint_every: int
    """Steps between two checkpoints."""
    seed: int = 0
    """Decides the first weights, every draw, and the order of the pictures."""
    precision: Precision = "fp32"
    """Arithmetic of the networks; fp16 needs CUDA."""
    accumulate: int = 1
    """In how many equal parts a batch passes through the networks, to save memory."""
    compile: bool = False
    """Compile the networks: slower to start, then faster."""
    keep: int = 3
    """How many of the newest checkpoints stay."""
    threads: int | None = None
    """CPU threads; None = torch's choice."""
    workers: int = 0
    """Processes that prepare batches; 0 = none but this one."""


def on_pictures_of(settings: Any, wanted: S) -> S:
    """The settings that a prerequisite is wanted with, for the pictures of these settings.

    Both are settings of recipes. What else belongs to the data, such as sizes, stays its own.
    """
    seen, own = settings.data, wanted.data  # type: ignore[attr-defined]
    same = replace(own, kind=seen.kind, folder=seen.folder, vocabulary=seen.vocabulary)
    return replace(wanted, data=same)  # type: ignore[type-var]


def check_settings(settings: LoopSettings) -> None:
    """Raises UsageError: a number makes no sense."""
    at_least = {"steps": 1, "batch_size": 1, "accumulate": 1, "keep": 1, "checkpoint_every": 1}
    at_least |= {"sample_every": 0, "workers": 0, "seed": 0}
    for name, least in at_least.items():
        if getattr(settings, name) < least:
            raise UsageError(f"{name} must be at least {least}", hint=f"pass --set {name}={least}")
    if settings.batch_size % settings.accumulate:
        raise UsageError(
            f"{settings.batch_size} pictures cannot be cut into {settings.accumulate} equal parts",
            hint="let accumulate divide batch_size",
        )
    if settings.threads is not None and settings.threads < 1:
        raise UsageError("threads must be at least 1", hint="pass --set threads=1, or none")


def change(settings: S, assignments: Sequence[str]) -> S:
    """Settings with some values replaced.

    Args:
        assignments: `key=value`; a key is a path (`loop.steps`) or a last name that is unique
            (`steps`). Values are typed by their fields; tuples are written 64,128,256.

    Raises:
        UsageError: a key is unknown or ambiguous, or a value does not fit.
    """
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise UsageError(
                f"--set {assignment}: there is no value", hint=f"write --set {assignment}=VALUE"
            )
        path, kind = _find(settings, key.strip())
        settings = _replaced(settings, path.split("."), _parsed(kind, key, text.strip()))
    return settings


def listed(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each setting: its path, its type, its value. Groups come before their members."""
    for name, kind in get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        if not is_dataclass(kind):  # a group that is always there cannot be set as a whole
            yield prefix + name, kind, value
        if is_dataclass(value):
            yield from listed(value, f"{prefix}{name}.")


def _find(settings: Any, key: str) -> tuple[str, Any]:
    """Path and type of the setting that a key means."""
    kinds = {path: kind for path, kind, _ in listed(settings)}
    if key in kinds:
        return key, kinds[key]
    meant = [path for path in kinds if path.endswith(f".{key}")]
    if len(meant) > 1:
        raise UsageError(f"--set {key}: there are several", hint=f"say {' or '.join(meant)}")
    if not meant:
        names = {path.rpartition(".")[2] for path in kinds} | set(kinds)
        raise UsageError(f"there is no setting {key!r}", hint=did_you_mean(key, names))
    return meant[0], kinds[meant[0]]


def _parsed(kind: Any, key: str, text: str) -> Any:
    """The first reading of a text that fits the type of its field."""
    problem = ""
    for reading in _readings(text):
        try:
            return decode(kind, reading)
        except RecordError as error:
            problem = problem or str(error).partition(": ")[2]
    raise UsageError(f"--set {key}={text}: {problem}", hint=f"{key} is {_said(kind)}")


def _readings(text: str) -> Iterator[Any]:
    if text.lower() in _WORDS:
        yield _WORDS[text.lower()]
    yield from _numbers([text])
    parts = [part.strip() for part in text.split(",") if part.strip()]
    numbers = list(_numbers(parts))
    if len(numbers) == len(parts):
        yield numbers
    yield parts
    yield text


def _numbers(texts: Sequence[str]) -> Iterator[int | float]:
    for text in texts:
        try:
            number = json.loads(text)
        except ValueError:
            continue
        if type(number) in (int, float) and math.isfinite(number):
            yield number


def _said(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")


def _replaced(settings: Any, path: Sequence[str], value: Any) -> Any:
    name, *rest = path
    inner = _replaced(getattr(settings, name), rest, value) if rest else value
    return replace(settings, **{name: inner})
