"""A desk as the documents imagine it: pictures, captions and labels under the names they use."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from systems.columns import command

from t2i.runtime.cli.run import app

COLOURS = ("red", "blue", "yellow")
CAPTIONS = tuple(f"a {colour} bird" for colour in COLOURS)


def draw(folder: Path, seed: int) -> None:
    """Three birds, with their captions beside them."""
    command(
        app,
        ["--captions", str(folder.parent / "captions.txt"), f"--out={folder}", f"--seed={seed}"],
    )


def write(path: Path, records: Iterable[Any]) -> None:
    path.write_text("".join(f"{json.dumps(each)}\n" for each in records), encoding="utf-8")


def lay(desk: Path) -> None:
    """Folders of pictures, of pairs, of classes and for training; a picture; lists."""
    (desk / "captions.txt").write_text("\n".join(CAPTIONS), encoding="utf-8")
    (desk / "colours.txt").write_text("\n".join(COLOURS), encoding="utf-8")
    write(
        desk / "mine.jsonl",
        ({"text": f"a {each} bird", "facts": {"main": each}} for each in COLOURS),
    )
    for seed, folder in enumerate(("photographs", "drawings")):
        draw(desk / folder, seed)
    pictures = sorted((desk / "photographs").glob("*.png"))
    shutil.copy(pictures[0], desk / "bird.png")
    (desk / "pictures").mkdir()
    rows = [
        {"file_name": f"{copy}-{picture.name}", "text": caption}
        for copy in range(6)
        for picture, caption in zip(pictures, CAPTIONS, strict=True)
    ]
    for row, picture in zip(rows, pictures * 6, strict=True):
        shutil.copy(picture, desk / "pictures" / row["file_name"])
    write(desk / "pictures" / "metadata.jsonl", rows)
    for colour, picture in zip(COLOURS, pictures, strict=True):
        (desk / "sorted" / colour).mkdir(parents=True)
        shutil.copy(picture, desk / "sorted" / colour)
