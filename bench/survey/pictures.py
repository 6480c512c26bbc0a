"""The sheets of pictures, small enough for a page, and with no paper between them."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from t2i.export.pages import CAPTIONS

GAP_PX = 4
"""Between the pictures of a sheet."""
QUALITY = 80
STRIP_SEEDS = 2


@dataclass(frozen=True)
class Shown:
    uri: str
    width: int
    height: int


def sheet(path: Path) -> Shown:
    """All of it: a row for each caption, seeds beside each other."""
    return _shown(_cut(path))


def strip(path: Path) -> Shown:
    """The first seeds of all captions, beside each other."""
    rows = [row[:STRIP_SEEDS] for row in _cut(path)]
    return _shown([[each for row in rows for each in row]])


def _cut(path: Path) -> list[list[Image.Image]]:
    with Image.open(path) as image:
        whole = image.convert("RGB")
    px = (whole.height + GAP_PX) // len(CAPTIONS) - GAP_PX
    step = px + GAP_PX
    return [
        [
            whole.crop((left, row * step, left + px, row * step + px))
            for left in range(0, whole.width, step)
        ]
        for row in range(len(CAPTIONS))
    ]


def _shown(rows: list[list[Image.Image]]) -> Shown:
    """Nothing stands between pictures, so that a page's colour shows through."""
    step = rows[0][0].width + GAP_PX
    size = (len(rows[0]) * step - GAP_PX, len(rows) * step - GAP_PX)
    canvas, data = Image.new("RGBA", size), io.BytesIO()
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            canvas.paste(picture, (x * step, y * step))
    canvas.save(data, "WEBP", quality=QUALITY, method=6)
    return Shown(f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}", *size)
