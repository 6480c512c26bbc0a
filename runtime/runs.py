"""The run folder: what training leaves and export takes. Torch-free.

`recipe.json`, `tokenizer.json` and `weights.safetensors` make a run; `log.jsonl`, `samples/`,
`checkpoints/` and `needs/` are the training's own. Scores of its pictures, put into `scores.jsonl`,
go into its bundles. A bundle in eight bits is fitted to the captions in `captions.txt`; where
pictures are told in tokens, it is tried on `streams.safetensors`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from t2i.runtime.bundle import Need, Score
from t2i.runtime.captions import read_captions
from t2i.runtime.errors import TrainingError
from t2i.runtime.records import RecordError, decode, loads

SCHEMA = 1
RECIPE, TOKENIZER, WEIGHTS = "recipe.json", "tokenizer.json", "weights.safetensors"
SCORES, STREAMS, CAPTIONS = "scores.jsonl", "streams.safetensors", "captions.txt"
RUNS = Path("runs")
SHIPPED = Path(__file__).resolve().parents[1] / "models" / "weights"

_NUMBERED = re.compile(r"(\d+)-.+")


@dataclass(frozen=True)
class TextSettings:
    """How captions were read in training."""

    length: int
    """Most tokens of a caption."""
    unknown: Literal["drop", "keep"]
    """Unknown words are left out, or read as the unknown word."""


@dataclass(frozen=True)
class Facing:
    """How to turn pictures at run time, where all were trained looking right."""

    left: int | tuple[int, ...]
    """Token id of the word; where tokens are characters, those of a space and its letters."""
    right: int | tuple[int, ...]
    noise: int
    """The dimension of the noise that decides where a caption says neither."""


@dataclass(frozen=True)
class Recipe:
    """How the weights of a run came about: the contents of `recipe.json`."""

    schema: int
    version: str
    """Of t2i."""
    system: str
    preset: str
    settings: dict[str, Any]
    """The recipe's settings, all resolved."""
    network: dict[str, Any]
    """Settings of the networks: those of the system's file in `models/`."""
    text: TextSettings
    classes: tuple[str, ...]
    data: dict[str, Any]
    needs: dict[str, Need]
    images_seen: int
    steps: int
    """Done so far."""
    finished: bool
    facing: Facing | None


@dataclass(frozen=True)
class Run:
    """One run folder, of this machine or shipped with the package."""

    folder: Path

    @cached_property
    def recipe(self) -> Recipe:
        """Raises TrainingError when the folder is no run, or one of a newer version."""
        return read_recipe(self.folder / RECIPE)

    @property
    def weights(self) -> Path:
        """Weights to export: averaged where the recipe averages."""
        return self.folder / WEIGHTS

    @property
    def tokenizer(self) -> bytes:
        try:
            return (self.folder / TOKENIZER).read_bytes()
        except OSError:
            raise TrainingError(
                f"{self.folder} has no {TOKENIZER}",
                hint="pass the folder of a run: the one that `t2i-train` printed",
            ) from None

    @property
    def captions(self) -> tuple[str, ...]:
        """Some that were trained on, where the run keeps any."""
        path = self.folder / CAPTIONS
        if not path.is_file():
            return ()
        return tuple(line.caption for line in read_captions(str(path)) if not line.problem)

    @property
    def scores(self) -> tuple[Score, ...]:
        """What `t2i-score … --json` printed of its pictures, if that was kept in `scores.jsonl`.

        Raises:
            TrainingError: it is something else.
        """
        path = self.folder / SCORES
        try:
            lines = path.read_bytes().splitlines() if path.is_file() else []
            return tuple(_score(loads(line)) for line in lines)
        except (OSError, RecordError, KeyError, TypeError) as error:
            raise TrainingError(
                f"{path} holds no scores: {error}",
                hint="write into it what t2i-score --json prints",
            ) from None


def _score(result: dict[str, Any]) -> Score:
    """The part of a result of `t2i-score` that a bundle carries on."""
    parts = {part["name"]: part["value"] for part in result["parts"]}
    kept = {name: result[name] for name in ("metric", "value", "interval", "protocol")}
    return decode(Score, {**kept, "parts": parts})


def read_recipe(path: Path) -> Recipe:
    """Read one `recipe.json`.

    Raises:
        TrainingError: it is missing, damaged, or of a newer version.
    """
    try:
        data = loads(path.read_bytes())
        if isinstance(data, dict) and isinstance(data.get("schema"), int):
            _refuse_newer(path, data["schema"])
        return decode(Recipe, data)
    except OSError:
        raise TrainingError(
            f"{path.parent} is no run: it has no {path.name}",
            hint="pass the folder that `t2i-train` printed",
        ) from None
    except RecordError as error:
        raise TrainingError(
            f"{path} is damaged: {error}", hint="take another run, or train again"
        ) from None


def _refuse_newer(path: Path, schema: int) -> None:
    if schema > SCHEMA:
        raise TrainingError(
            f"{path} was written by a newer t2i (schema {schema}, this one reads {SCHEMA})",
            hint="upgrade t2i",
        )


def numbered(system: str, root: Path = RUNS) -> list[tuple[int, Path]]:
    """Run folders of a system with their numbers, in that order."""
    folders = (root / system).glob("*-*")
    found = ((_NUMBERED.fullmatch(each.name), each) for each in folders if each.is_dir())
    return sorted((int(match[1]), each) for match, each in found if match)


def newest(system: str, *, finished: bool | None = True, root: Path = RUNS) -> Run | None:
    """The newest run of a system that can be read; `finished=None`: finished or not."""
    for _, folder in reversed(numbered(system, root)):
        run = Run(folder)
        try:
            if finished in (None, run.recipe.finished):
                return run
        except TrainingError:  # begun by hand, or by a newer version: not ours to take
            continue
    return None


def shipped(system: str) -> Run | None:
    """The run whose weights ship with the package."""
    run = Run(SHIPPED / system)
    return run if (run.folder / RECIPE).is_file() else None


def all_shipped(system: str) -> Iterator[Run]:
    """That run, and those of further presets, whose folders are called SYSTEM-PRESET."""
    for folder in (SHIPPED / system, *sorted(SHIPPED.glob(f"{system}-*"))):
        if (folder / RECIPE).is_file():
            yield Run(folder)
