"""Pictures as arrays and files: uint8 (H, W, 3), RGB."""

import errno
import io
import math
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError, features

import t2i
from t2i.runtime.errors import PictureError

Pixels = npt.NDArray[np.uint8]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"}
"""Of files that hold pictures, in lower case."""
MOST_PIXELS = 2**26
NAME_LENGTH = 60
TEXT_LENGTH = 10_000  # characters of a caption kept in a picture
FRAME_MS = 150  # of an animation
ASIDE = ".*.part"
"""Names of what is being written; what was killed meanwhile leaves one behind."""
# Names that Windows gives to devices, in every folder and with every ending.
RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³])(\..*)?")


def to_pixels(images: npt.NDArray[np.float32], rule: Literal["truncate", "round"]) -> Pixels:
    """Pictures (B, 3, H, W) in [-1, 1] become pixels (B, H, W, 3).

    Official code mostly truncates, which darkens by half a level; `round` does not.
    """
    levels = np.clip((images + 1.0) * 127.5, 0.0, 255.0)
    if rule == "round":
        levels = np.rint(levels)
    return np.ascontiguousarray(levels.astype(np.uint8).transpose(0, 2, 3, 1))


def to_planes(pictures: Sequence[Pixels]) -> npt.NDArray[np.float32]:
    """Pixels (H, W, 3) of 0 … 255, all of one size, become pictures (B, 3, H, W) in [-1, 1]."""
    levels = np.stack(pictures).astype(np.float32)
    return np.ascontiguousarray(levels.transpose(0, 3, 1, 2)) / np.float32(127.5) - np.float32(1)


def fitted(picture: Pixels, px: int) -> Pixels:
    """The square in the middle of a picture (H, W, 3), resized to (px, px, 3)."""
    H, W, _ = picture.shape
    if (px, px) == (H, W):
        return picture
    side = min(H, W)
    left, top = (W - side) // 2, (H - side) // 2
    middle = Image.fromarray(picture[top : top + side, left : left + side])
    return np.asarray(middle.resize((px, px), Image.Resampling.LANCZOS))


def grid(pictures: Pixels, columns: int | None = None, gap_px: int = 4) -> Pixels:
    """Pictures (B, H, W, 3) side by side on white, row by row; as square as can be by default."""
    B, H, W, _ = pictures.shape
    columns = min(columns or math.ceil(math.sqrt(B)), B)
    rows = math.ceil(B / columns)
    height, width = rows * (H + gap_px) - gap_px, columns * (W + gap_px) - gap_px
    sheet = np.full((height, width, 3), 255, np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (H + gap_px), index % columns * (W + gap_px)
        sheet[top : top + H, left : left + W] = picture
    return sheet


def save_png(
    picture: Pixels,
    path: Path,
    *,
    caption: str,
    seed: int,
    bundle: str,
    sha256: str,
    words: Sequence[str] = (),
    further: Mapping[str, str] | None = None,
) -> None:
    """Write one picture, with what it takes to draw it again in its text chunks.

    The file is whole or it is not there: it is written aside and renamed.

    Args:
        bundle, sha256: name and hash of the bundle that drew it.
        words: the words of the caption that the bundle understood.
        further: what else decided it, such as noises that were held.

    Raises:
        PictureError: it cannot be written.
    """
    story = {"caption": caption, "words": " ".join(words), "seed": str(seed)}
    story |= {"bundle": bundle, "sha256": sha256, **(further or {})}
    write_png(picture, path, _chunks(story))


def write_png(levels: Pixels, path: Path, chunks: PngImagePlugin.PngInfo | None = None) -> None:
    """Write levels (H, W, 3), or grey ones (H, W), as `write_whole` does."""
    data = io.BytesIO()
    Image.fromarray(levels).save(data, "PNG", pnginfo=chunks)
    write_whole(path, data.getvalue())


def save_animation(
    frames: Pixels, path: Path, *, caption: str, seed: int, bundle: str, sha256: str
) -> None:
    """Write pictures (B, H, W, 3) as one that plays them round and round, losing nothing.

    The path ends in `.png`, which tells its story as `save_png` does, or in `.webp`.

    Raises:
        PictureError: it cannot be written.
    """
    story = {"caption": caption, "seed": str(seed), "bundle": bundle, "sha256": sha256}
    kind: dict[str, Any] = {"format": "PNG", "pnginfo": _chunks(story)}
    if path.suffix.lower() == ".webp":
        if not features.check("webp"):
            raise PictureError("this Pillow writes no WebP", hint="end --out with .png")
        kind = {"format": "WEBP", "lossless": True}
    first, *later = map(Image.fromarray, frames)
    data = io.BytesIO()
    first.save(data, save_all=True, append_images=later, duration=FRAME_MS, loop=0, **kind)
    write_whole(path, data.getvalue())


def _chunks(story: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    for key, text in {**story, "Software": f"t2i {t2i.__version__}"}.items():
        # Neither NUL nor half of a surrogate pair can be written.
        whole = text[:TEXT_LENGTH].replace("\0", " ").encode("utf-8", "replace").decode()
        chunks.add_itxt(key, whole)
    return chunks


def write_whole(path: Path, data: bytes) -> None:
    """Write a file aside, then rename it.

    Raises:
        PictureError: the folder cannot be written to, or the disk is full.
    """
    aside = path.with_name(f".{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            aside.write_bytes(data)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise PictureError(
            f"{path} cannot be written: {error.strerror}",
            hint="make room on the disk" if full else "choose another place with --out",
        ) from error


def free_name(folder: Path, caption: str, beside: Sequence[str] = ()) -> Path:
    """A file name that tells the caption and is not taken: `a-red-bird.png`, `a-red-bird-2.png`.

    Args:
        beside: endings of files that go with it, such as `-64.png`, and must be free too.
    """
    name = slug(caption)
    path, count = folder / f"{name}.png", 1
    while any(each.exists() for each in (path, *companions(path, beside))):
        count += 1
        path = folder / f"{name}-{count}.png"
    return path


def companions(path: Path, endings: Sequence[str]) -> list[Path]:
    """Files that go with a picture: `bird-64.png` with `bird.png`."""
    return [path.with_name(path.stem + ending) for ending in endings]


def slug(caption: str) -> str:
    """Letters and digits of a caption in any script, words joined by dashes."""
    # Composing and lowering change the length a little, so what is far beyond it is cut first.
    text = unicodedata.normalize("NFC", caption[: 10 * NAME_LENGTH]).lower()
    kept = (letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in text)
    words = "".join(kept).split()
    name = "-".join(words)
    if len(name) > NAME_LENGTH:
        name = name[: NAME_LENGTH + 1].rpartition("-")[0] or name[:NAME_LENGTH]
    return name if name and not RESERVED.fullmatch(name) else f"picture-{name}".rstrip("-")


def is_picture(name: str) -> bool:
    """By its ending. Hidden files are none, nor is what a Mac leaves in archives."""
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not hidden and path.suffix.lower() in ENDINGS


def read_picture(path: Path) -> Pixels:
    """Any common picture as uint8 (H, W, 3): turned as its camera says, transparency on white.

    Raises:
        PictureError: it is missing, broken, too large, or no picture.
    """
    try:
        return decode_picture(path, str(path))
    except FileNotFoundError as error:
        raise PictureError(f"{path} does not exist", hint="check its name") from error


def decode_picture(file: Path | IO[bytes], where: str) -> Pixels:
    """The same of an open file; `where` names it in errors.

    Raises:
        FileNotFoundError: there is none.
        PictureError: it is broken, too large, or no picture.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            if math.prod(image.size) > MOST_PIXELS:
                raise Image.DecompressionBombError
            return _rgb(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own bound is higher
        raise PictureError(
            f"{where} has more than {MOST_PIXELS // 2**20} million pixels",
            hint="make it smaller first",
        ) from error
    except Exception as error:
        # Pillow names the file, or where in memory it lies.
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "its format is not known" if unknown else error
        raise PictureError(
            f"{where} cannot be read as a picture: {reason}",
            hint=f"pass a whole file of one of the formats {', '.join(FORMATS)}",
        ) from error


def _rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow itself would cut at 255
        levels = np.asarray(image).astype(np.float64) / 257.0
        image = Image.fromarray(np.rint(np.clip(levels, 0, 255)).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("its pixels are not whole numbers")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))
