"""Drawn birds as an imagefolder, for programs that are not ours."""

import json
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from t2i.runtime.errors import DataError
from t2i.runtime.terminal import progress
from t2i.train.data.birds import captions
from t2i.train.data.birds.attributes import COLOURS, NAMES
from t2i.train.data.birds.cache import Series
from t2i.train.data.birds.render import PARTS, draw
from t2i.train.data.dice import Dice
from t2i.train.data.settings import Settings, Split
from t2i.train.files import aside


def write(
    settings: Settings, folder: Path, split: Split = "train", *, captions_each: int = 5
) -> None:
    """Write `settings.count` birds: pictures, part masks, and `metadata.jsonl` with all we know.

    A mask's levels number the parts as `parts.json` lists them; 0 is not the bird.

    Raises:
        DataError: the folder exists.
    """
    if folder.exists():
        raise DataError(f"{folder} exists", hint="name a new folder, or remove this one")
    draft = aside(folder)
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "images").mkdir(parents=True)
    (draft / "masks").mkdir()
    (draft / "parts.json").write_text(json.dumps(PARTS) + "\n", encoding="utf-8")
    series = Series(split, settings.px[-1], settings.seed, settings.facing, settings.traits)
    with (
        (draft / "metadata.jsonl").open("w", encoding="utf-8") as metadata,
        progress("writing birds", settings.count) as bar,
    ):
        for index in range(settings.count):
            row = _write(series, index, draft)
            texts = (Dice(index, number) for number in range(captions_each))
            facts = series.facts(index)
            row["text"] = [captions.phrase(facts, dice, settings.words) for dice in texts]
            metadata.write(json.dumps(row) + "\n")
            bar.advance()
    draft.rename(folder)


def _write(series: Series, index: int, folder: Path) -> dict[str, Any]:
    """Picture and mask of one bird; its line of metadata."""
    bird, noise = series.bird(index), series.noise(index)
    drawing = draw(bird, noise, series.side, mirrored=series.looks_left(index))
    name = f"{index:06}.png"
    Image.fromarray(drawing.pixels).save(folder / "images" / name)
    mask = Image.fromarray(drawing.parts)
    mask.putpalette(_palette())
    mask.save(folder / "masks" / name)
    return {
        "file_name": f"images/{name}",
        "mask": f"masks/{name}",
        "label": COLOURS[bird.label],
        "stated": dict(series.facts(index)),
        "attributes": {name: getattr(bird, name) for name in NAMES},
        "noise": noise,
    }


def _palette() -> list[int]:
    """A colour a part, so that a mask can be looked at; 0 is black."""
    return [part * step % 256 for part in range(len(PARTS)) for step in (97, 53, 171)]
