"""Draw each caption with three seeds, and save a sheet with one row a caption.

python examples/python/draw.py "a red bird" "a blue bird with a white belly"
"""

import sys

import numpy as np
from PIL import Image

import t2i

SEEDS = (0, 1, 2)


def main(captions: list[str]) -> None:
    painter = t2i.load("birds")
    rows = []
    for caption in captions:
        painting = painter.paint([caption] * len(SEEDS), seeds=SEEDS)
        rows.append(np.concatenate(painting.pictures, axis=1))  # side by side: (H, 3W, 3)
    Image.fromarray(np.concatenate(rows)).save("sheet.png")
    print(f"wrote sheet.png ({len(captions)} captions × {len(SEEDS)} seeds)")


if __name__ == "__main__":
    main(sys.argv[1:] or ["a red bird", "a yellow bird with black wings"])
