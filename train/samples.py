"""Grids of sample pictures, drawn while a network trains."""

import io
import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from t2i.runtime.pictures import grid, to_pixels, write_whole


def save_samples(pictures: Tensor, captions: Sequence[str], path: Path) -> None:
    """Write pictures (B, 3, H, W) in [-1, 1] as one PNG, with their captions in its metadata."""
    sheet = grid(to_pixels(pictures.float().cpu().numpy(), "round"))
    words = PngInfo()
    words.add_itxt("captions", json.dumps(list(captions), ensure_ascii=False))
    data = io.BytesIO()
    Image.fromarray(sheet).save(data, format="png", pnginfo=words)
    write_whole(path, data.getvalue())
