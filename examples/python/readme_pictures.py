"""Draw the picture at the top of the README: four captions, each under its picture.

python examples/python/readme_pictures.py docs/images/birds.png
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import t2i

CAPTIONS = (
    "a red bird",
    "a small yellow bird with black wings",
    "a blue bird with an orange breast",
    "a green bird with a red head on the grass",
)
MARGIN_PX, TEXT_PX = 12, 28
INK, PAPER = (60, 60, 60), (255, 255, 255)


def label(pictures: np.ndarray, captions: tuple[str, ...]) -> Image.Image:
    """Set pictures (B, H, W, 3) side by side, each above its caption."""
    count, height, width, _ = pictures.shape
    step = width + MARGIN_PX
    sheet = Image.new("RGB", (count * step + MARGIN_PX, height + MARGIN_PX + TEXT_PX), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left = MARGIN_PX + number * step
        sheet.paste(Image.fromarray(picture), (left, MARGIN_PX))
        middle = (left + width / 2, MARGIN_PX + height + TEXT_PX / 2)
        pen.text(middle, caption, INK, font, anchor="mm")
    return sheet


def main(out: Path) -> None:
    pictures = t2i.load("birds").draw(CAPTIONS, seed=1)
    out.parent.mkdir(parents=True, exist_ok=True)
    label(pictures, CAPTIONS).save(out, optimize=True)
    print(f"wrote {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "birds.png"))
