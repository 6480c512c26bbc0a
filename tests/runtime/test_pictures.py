"""Pictures are written whole with their story, and read as they look."""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from t2i.runtime import pictures
from t2i.runtime.errors import PictureError
from t2i.runtime.pictures import free_name, grid, read_picture, save_png, slug, to_pixels

STORY: dict[str, Any] = {"caption": "a red bird", "seed": 7, "bundle": "tiny", "sha256": "ab"}


def noisy(height: int = 5, width: int = 7) -> pictures.Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


# Pixels


def test_the_rules_of_pixels_are_those_of_the_design() -> None:
    levels = np.array([-2, -1, -1 + 1.9 / 127.5, 0, 1 - 0.9 / 127.5, 1, 2], np.float32)
    images = np.broadcast_to(levels, (1, 3, 1, 7))
    assert to_pixels(images, "truncate")[0, 0, :, 0].tolist() == [0, 0, 1, 127, 254, 255, 255]
    assert to_pixels(images, "round")[0, 0, :, 0].tolist() == [0, 0, 2, 128, 254, 255, 255]


def test_channels_come_last() -> None:
    images = np.zeros((2, 3, 4, 5), np.float32)
    images[1, 2, 3, 4] = 1
    pixels = to_pixels(images, "round")
    assert pixels.shape == (2, 4, 5, 3)
    assert pixels[1, 3, 4, 2] == 255


@given(st.integers(1, 12), st.integers(1, 5) | st.none())
def test_every_picture_stands_in_the_grid_once(count: int, columns: int | None) -> None:
    sheet = grid(np.stack([np.full((3, 2, 3), index, np.uint8) for index in range(count)]), columns)
    values, counts = np.unique(sheet[..., 0], return_counts=True)
    found = dict(zip(values.tolist(), counts.tolist(), strict=True))
    assert {index: found.get(index) for index in range(count)} == dict.fromkeys(range(count), 6)
    if columns:
        assert sheet.shape[1] == min(columns, count) * 6 - 4


# Writing


@pytest.mark.parametrize(
    "caption", ["a red bird", "ein Vögelchen 🐦 鳥", "nul\0 and half \ud83d", "x" * 10**6, ""]
)
def test_a_png_tells_what_it_takes_to_draw_it_again(tmp_path: Path, caption: str) -> None:
    path = tmp_path / "new" / "bird.png"
    save_png(noisy(), path, **{**STORY, "caption": caption}, words=("red", "bird"))
    with Image.open(path) as image:
        story = dict(image.text)  # type: ignore[attr-defined]
    expected = caption[:10_000].replace("\0", " ").encode("utf-8", "replace").decode()
    assert story.pop("Software").startswith("t2i ")
    assert story == {
        "caption": expected, "words": "red bird", "seed": "7", "bundle": "tiny", "sha256": "ab",
    }  # fmt: skip
    np.testing.assert_array_equal(read_picture(path), noisy())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bird.png"
    path.write_bytes(b"old")

    def fill_the_disk(self: Path, data: bytes) -> int:
        with self.open("wb") as stream:
            stream.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill_the_disk)
    with pytest.raises(PictureError, match="No space left") as caught:
        save_png(noisy(), path, **STORY)
    assert "room" in caught.value.hint
    assert os.listdir(tmp_path) == ["bird.png"]  # noqa: PTH208
    assert path.read_bytes() == b"old"


def test_a_folder_that_is_a_file_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(PictureError) as caught:
        save_png(noisy(), tmp_path / "taken" / "bird.png", **STORY)
    assert "--out" in caught.value.hint


# Names


@pytest.mark.parametrize(
    ("caption", "name"),
    [
        ("a red bird", "a-red-bird"),
        ("  A Red,  bird! ", "a-red-bird"),
        ("../../etc/passwd", "etc-passwd"),
        (".hidden", "hidden"),
        ("--out", "out"),
        ("Красная птица", "красная-птица"),
        ("naïve", "naïve"),
        ("赤い鳥", "赤い鳥"),
        ("नीला पक्षी", "नीला-पक्षी"),
        ("🐦", "picture"),
        ("", "picture"),
        ("CON", "picture-con"),
        ("com1", "picture-com1"),
        ("nul 2", "nul-2"),
        ("x" * 200, "x" * 60),
        ("word " * 30, "-".join(["word"] * 12)),
    ],
)
def test_a_name_tells_the_caption(caption: str, name: str) -> None:
    assert slug(caption) == name


@given(st.text() | st.text(st.characters(), max_size=400))
def test_any_caption_gives_a_name_that_any_disk_takes(caption: str) -> None:
    name = slug(caption)
    assert 0 < len(name) <= 70
    assert len(name.encode()) <= 240
    assert name[0] not in ".-"
    assert not set(name) & set('/\\:*?"<>|\0\n ')
    assert Path(name).name == name


def test_a_taken_name_is_numbered(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        path = free_name(tmp_path, "a red bird")
        path.touch()
        names.append(path.name)
    assert names == ["a-red-bird.png", "a-red-bird-2.png", "a-red-bird-3.png"]


# Reading


def test_the_camera_decides_which_way_is_up(tmp_path: Path) -> None:
    image = Image.fromarray(noisy())
    exif = Image.Exif()
    exif[0x0112] = 6  # the top is at the right: turn by a quarter
    image.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_picture(tmp_path / "turned.png"), np.rot90(noisy(), -1))


def test_transparency_becomes_white(tmp_path: Path) -> None:
    alpha = np.zeros((5, 7), np.uint8)
    alpha[0] = 255
    rgba = np.dstack([noisy(), alpha])
    Image.fromarray(rgba).save(tmp_path / "alpha.png")
    read = read_picture(tmp_path / "alpha.png")
    np.testing.assert_array_equal(read[0], noisy()[0])
    assert (read[1:] == 255).all()


def test_palettes_greys_and_sixteen_bits_look_right(tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = np.dstack([grey] * 3)
    image = Image.fromarray(grey)
    image.save(tmp_path / "grey.png")
    image.convert("P").save(tmp_path / "palette.gif")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(grey.astype(np.int32) * 257).save(tmp_path / "deep.tiff")
    image.convert("1", dither=Image.Dither.NONE).save(tmp_path / "bits.png")
    for name in ("grey.png", "palette.gif", "deep.png", "deep.tiff"):
        np.testing.assert_array_equal(read_picture(tmp_path / name), expected, name)
    assert set(np.unique(read_picture(tmp_path / "bits.png"))) == {0, 255}


def test_a_palette_may_be_transparent(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    image.save(tmp_path / "p.png", transparency=0)
    assert read_picture(tmp_path / "p.png").tolist() == [[[255, 255, 255], [0, 0, 255]]]


def test_a_photograph_in_four_colours_is_read(tmp_path: Path) -> None:
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(tmp_path / "print.jpg")
    red = read_picture(tmp_path / "print.jpg")[0, 0]
    assert red[0] > 200
    assert red[1] < 60


@pytest.mark.parametrize(
    "bound", ["t2i.runtime.pictures.MOST_PIXELS", "PIL.Image.MAX_IMAGE_PIXELS"]
)
def test_a_picture_beyond_its_size_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    Image.new("1", (200, 200)).save(tmp_path / "large.png")
    monkeypatch.setattr(bound, 200 * 99)  # Pillow refuses what has twice as many
    with pytest.raises(PictureError, match="million pixels") as caught:
        read_picture(tmp_path / "large.png")
    assert "smaller" in caught.value.hint


def test_a_truncated_picture_is_an_error_wherever_it_ends(tmp_path: Path) -> None:
    whole = tmp_path / "whole.png"
    save_png(noisy(64, 64), whole, **STORY)
    data = whole.read_bytes()
    broken = tmp_path / "broken.png"
    for end in range(0, len(data) - 20, len(data) // 50):
        broken.write_bytes(data[:end])
        with pytest.raises(PictureError, match=r"broken\.png") as caught:
            read_picture(broken)
        assert caught.value.hint


def test_what_is_no_picture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_text("<html>")
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "float.tiff")
    for name in ("missing.png", "page.png", "float.tiff", "."):
        with pytest.raises(PictureError):
            read_picture(tmp_path / name)
