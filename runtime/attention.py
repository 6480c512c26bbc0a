"""A picture of which word each region looked at."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from t2i.runtime.pictures import Pixels

LEAST_PX = 128  # smaller pictures are enlarged, so that a word fits under them
MOST_COLUMNS = 6
GAP_PX, LABEL_PX, FONT_PX = 6, 20, 13
DARKEST = 0.12  # how much of a picture shows where nothing looked at the word
INK, PAPER = (40, 40, 40), (255, 255, 255)


def attention_sheet(
    picture: Pixels, attentions: Mapping[str, npt.NDArray[np.float32]], words: Sequence[str]
) -> Pixels:
    """Show the picture once a word, dark but where its regions looked at that word.

    Each attention stage is a block of panels that begins with the bare picture. Within a stage all
    words share one scale: a word that nothing looked at stays dark.

    Shapes:
        picture (H, W, 3), each attention (T, h, w) with T at least the number of words -> (…, …, 3)
    """
    times = max(1, math.ceil(LEAST_PX / picture.shape[0]))
    picture = picture.repeat(times, axis=0).repeat(times, axis=1)
    blocks = []
    for weights in attentions.values():
        _, h, w = weights.shape
        panels = [(f"{h} x {w} regions", picture)]
        panels += [
            (word, _lit(picture, shown))
            for word, shown in zip(words, _brightness(weights[: len(words)]), strict=True)
        ]
        blocks.append(panels)
    return _lay_out(blocks)


def _brightness(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(T, h, w) in 0 … 1, the same scale for all words."""
    return np.clip(weights / max(float(weights.max(initial=0.0)), 1e-12), 0.0, 1.0)


def _lit(picture: Pixels, brightness: npt.NDArray[np.float32]) -> Pixels:
    height, width, _ = picture.shape
    soft = Image.fromarray(brightness).resize((width, height), Image.Resampling.BILINEAR)
    light = DARKEST + (1.0 - DARKEST) * np.clip(np.asarray(soft), 0.0, 1.0)
    return np.rint(picture * light[:, :, None]).astype(np.uint8)


def _lay_out(blocks: Sequence[Sequence[tuple[str, Pixels]]]) -> Pixels:
    """Blocks of (label, panel), one below the other, each wrapped into rows."""
    height, width, _ = blocks[0][0][1].shape
    step_x, step_y = width + GAP_PX, height + LABEL_PX
    longest = max(map(len, blocks))
    columns = math.ceil(longest / math.ceil(longest / MOST_COLUMNS))  # rows of like length
    rows = sum(math.ceil(len(block) / columns) for block in blocks)
    sheet = Image.new("RGB", (columns * step_x + GAP_PX, rows * step_y + GAP_PX), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_PX)
    row = 0
    for block in blocks:
        for number, (label, panel) in enumerate(block):
            left = GAP_PX + number % columns * step_x
            top = GAP_PX + (row + number // columns) * step_y
            sheet.paste(Image.fromarray(panel), (left, top))
            middle = (left + width / 2, top + height + LABEL_PX / 2 - 2)
            pen.text(middle, _fitting(label, font, width), INK, font, anchor="mm")
        row += math.ceil(len(block) / columns)
    return np.asarray(sheet)


def _fitting(label: str, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont", width: int) -> str:
    """The label, cut where it would run into its neighbour. The font has few signs beyond ASCII."""
    label, whole = label[:width], label
    while font.getlength(label if label == whole else label + "…") > width:
        label = label[:-1]
    return label if label == whole else label + "…"
