"""A picture of which value was said and which was seen."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from t2i.runtime.pictures import Pixels

CELL_PX, FONT_PX, GAP_PX = 44, 13, 10
INK, PAPER, FULL = (40, 40, 40), (255, 255, 255), (24, 62, 122)
LEGEND = "rows: said, and how often; columns: seen, in percent of the row"


def confusion_sheet(counts: npt.NDArray[np.int64], names: Sequence[str]) -> Pixels:
    """One row a value that was said, one column a value that was seen.

    Shapes:
        counts (V, V), said by seen, V names -> (…, …, 3)
    """
    font = ImageFont.load_default(FONT_PX)
    said = [f"{name} ({count:,})" for name, count in zip(names, counts.sum(1), strict=True)]
    left = max(int(font.getlength(each)) for each in said) + 2 * GAP_PX
    top = 2 * (FONT_PX + GAP_PX) + GAP_PX
    width = max(CELL_PX, *(int(font.getlength(name)) + GAP_PX for name in names))
    V = len(names)
    wide = max(left + V * width, int(font.getlength(LEGEND)) + GAP_PX) + GAP_PX
    sheet = Image.new("RGB", (wide, top + V * CELL_PX + GAP_PX), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP_PX, GAP_PX), LEGEND, INK, font)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    for row in range(V):
        y = top + row * CELL_PX
        pen.text((left - GAP_PX, y + CELL_PX / 2), said[row], INK, font, anchor="rm")
        pen.text((left + (row + 0.5) * width, top - GAP_PX), names[row], INK, font, anchor="mm")
        for column in range(V):
            x, share = left + column * width, float(shares[row, column])
            pen.rectangle((x, y, x + width - 2, y + CELL_PX - 2), _shade(share))
            if counts[row, column]:
                ink = PAPER if share > 0.5 else INK
                middle = (x + width / 2 - 1, y + CELL_PX / 2 - 1)
                pen.text(middle, f"{100 * share:.0f}", ink, font, anchor="mm")
    return np.asarray(sheet)


def _shade(share: float) -> tuple[int, int, int]:
    """From a light grey for nothing to the full colour for all."""
    light = 245
    red, green, blue = (round(light + share * (full - light)) for full in FULL)
    return red, green, blue
