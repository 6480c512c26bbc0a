"""Pictures wherever they lie: the same set is the same, in a folder, an archive, or a list."""

import io
import json
import re
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from t2i.runtime.errors import PictureError, ScoreError
from t2i.runtime.score.sources import Stored
from t2i.runtime.score.stored import expanded, items_of


def png(level: int) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (4, 3), (level, 0, 0)).save(data, "PNG")
    return data.getvalue()


PICTURES = {f"{n:02}.png": png(10 * n) for n in range(10)}
NOISY = {"0.png": np.random.default_rng(0).integers(0, 16, 400, np.uint8).tobytes()}


def folder(path: Path, files: Mapping[str, bytes] = PICTURES) -> Path:
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


def zipped(path: Path, files: Mapping[str, bytes], inside: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in reversed(files.items()):
            archive.writestr(inside + name, data)
    return path


def tarred(path: Path, files: Mapping[str, bytes], inside: str = "") -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, data in reversed(files.items()):
            member = tarfile.TarInfo(inside + name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def levels(source: Stored, size: int = 4) -> list[int]:
    return [int(shown.pixels[0, 0, 0]) for batch in source.batches(size) for shown in batch]


def test_the_same_pictures_are_one_set_wherever_they_lie(tmp_path: Path) -> None:
    here = folder(tmp_path / "set")
    listing = tmp_path / "set.txt"
    listing.write_text("".join(f"set/{name}\n" for name in sorted(PICTURES, reverse=True)))
    places = [
        here,
        zipped(tmp_path / "set.zip", PICTURES),
        zipped(tmp_path / "deep.zip", PICTURES, "some/where/"),
        tarred(tmp_path / "set.tar", PICTURES, "set/"),
        tarred(tmp_path / "set.tar.gz", PICTURES),
        tarred(tmp_path / "set.tgz", PICTURES),
        listing,
    ]
    wanted = [10 * n for n in range(10)]
    for place in places:
        source = Stored(place)
        assert levels(source) == wanted, place
        (about,) = source.inputs
        assert (about.count, about.sha256) == (10, Stored(here).inputs[0].sha256), place
        assert [item.name for item in source.items] == list(PICTURES)


def test_shards_follow_each_other_and_bring_their_captions(tmp_path: Path) -> None:
    for shard in range(3):
        files = {
            "a.png": png(shard),
            "a.txt": f"picture {shard}".encode(),
            "a.cls": b"3",
            "b.png": png(100 + shard),
            "b.json": json.dumps({"caption": f"other {shard}"}).encode(),
        }
        tarred(tmp_path / f"data-{shard:03}.tar", files)
    named = Stored(tmp_path / "data-{000..002}.tar")
    assert levels(named) == levels(Stored(tmp_path)) == [0, 100, 1, 101, 2, 102]
    assert [each.text for each in named.captions][:3] == ["picture 0", "other 0", "picture 1"]
    assert [each.label for each in named.captions][:2] == ["3", None]
    shown = [each.caption for batch in named.batches(4) for each in batch]
    assert shown == list(range(6))
    assert [path.name for path in expanded(Path("x-{8..10}.tar"))] == [
        "x-8.tar",
        "x-9.tar",
        "x-10.tar",
    ]


def test_half_of_the_captions_are_an_error(tmp_path: Path) -> None:
    files = {"a.png": png(0), "a.txt": b"a bird", "b.png": png(1)}
    with pytest.raises(ScoreError, match="1 of 2 pictures"):
        items_of(tarred(tmp_path / "x.tar", files))


def test_what_a_mac_leaves_in_an_archive_is_no_picture(tmp_path: Path) -> None:
    files = {"x/a.png": png(0), "__MACOSX/x/._a.png": b"", "x/.b.png": b"", "x/notes.md": b"#"}
    assert [item.name for item in items_of(zipped(tmp_path / "x.zip", files))] == ["a.png"]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("size", [1, 4, 100])
def test_neither_threads_nor_batches_change_the_order(
    tmp_path: Path, workers: int, size: int
) -> None:
    source = Stored(folder(tmp_path / "set"), workers=workers)
    assert levels(source, size) == [10 * n for n in range(10)]
    late = [shown.place for batch in source.batches(size, start=7) for shown in batch]
    assert late == [7, 8, 9]


def test_what_cannot_be_read_is_left_out_and_listed(tmp_path: Path) -> None:
    files = {**PICTURES, "03.png": PICTURES["03.png"][:40], "05.png": b"", "07.jpg": b"no picture"}
    here = folder(tmp_path / "set", files)
    source = Stored(here)
    assert levels(source) == [0, 10, 20, 40, 60, 70, 80, 90]
    assert list(source.unreadable) == [str(here / name) for name in ("03.png", "05.png", "07.jpg")]
    with pytest.raises(PictureError, match=r"03\.png"):
        levels(Stored(here, strict=True))
    spoilt = folder(tmp_path / "spoilt", {"1.png": b"", "2.png": b""})
    with pytest.raises(ScoreError, match="no picture of") as caught:
        levels(Stored(spoilt))
    assert "1.png" in caught.value.hint


def test_a_list_names_pictures_of_several_folders_apart(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for name in ("red", "blue"):
        folder(tmp_path / "set" / name, {"1.png": PICTURES["01.png"]})
    listing = tmp_path / "list.txt"
    listing.write_text("set/red/1.png\nset/blue/1.png\n")
    assert [item.name for item in items_of(listing)] == ["blue/1.png", "red/1.png"]
    folder(tmp_path / "set" / "green", {"2.png": PICTURES["01.png"]})
    listing.write_text("set/red/1.png\nset/green/2.png\n")
    assert [item.name for item in items_of(listing)] == ["2.png", "1.png"]


def test_a_listed_picture_that_is_gone_is_left_out(tmp_path: Path) -> None:
    folder(tmp_path / "set")
    (tmp_path / "list.lst").write_text("set/00.png\n\nset/gone.png\n")
    source = Stored(tmp_path / "list.lst")
    assert levels(source) == [0]
    assert list(source.unreadable) == [str(tmp_path / "set/gone.png")]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.zip", b"PK\3\4 no zip"),
        ("x.zip", b""),
        ("x.tar", b"no tar"),
        ("x.tar.gz", b"no gzip"),
        ("x.txt", b"\n\n"),
        ("x.txt", b"\xff\xfe\xfa"),
        ("x.md", b"what is this"),
    ],
)
def test_what_holds_no_pictures_is_an_error(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ScoreError) as caught:
        items_of(tmp_path / name)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["set.zip", "set.tar.gz"])
def test_what_is_packed_wrongly_is_named(tmp_path: Path, name: str) -> None:
    """Damage within what is packed, of which neither table nor checksum tells."""
    data = bytearray(
        (zipped if name.endswith("zip") else tarred)(tmp_path / name, NOISY).read_bytes()
    )
    for place in range(60, 100):
        data[place] = 255
    (tmp_path / name).write_bytes(data)
    with pytest.raises((ScoreError, PictureError), match=re.escape(name)):
        levels(Stored(tmp_path / name, strict=True))


def test_a_name_that_no_file_has_is_left_out(tmp_path: Path) -> None:
    folder(tmp_path / "set")
    (tmp_path / "list.lst").write_text("set/00.png\nset/0\0.png\n")
    source = Stored(tmp_path / "list.lst")
    assert levels(source) == [0]
    assert len(source.unreadable) == 1


def test_an_empty_archive_and_a_missing_shard_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match="no pictures in"):
        items_of(zipped(tmp_path / "x.zip", {"notes.txt": b"none"}))
    with pytest.raises(ScoreError, match=r"data-0\.tar cannot be read: No such file"):
        items_of(tmp_path / "data-{0..1}.tar")


def test_all_kinds_of_pixels_become_colours(tmp_path: Path) -> None:
    here = tmp_path / "set"
    here.mkdir()
    random = np.random.default_rng(0)
    grey = Image.fromarray(random.integers(0, 256, (5, 5), np.uint8))
    grey.save(here / "grey.png")
    grey.convert("RGBA").save(here / "alpha.png")
    grey.convert("CMYK").save(here / "cmyk.jpg")
    Image.fromarray(random.integers(0, 65536, (5, 5), np.uint16)).save(here / "deep.png")
    grey.save(here / "moves.gif", save_all=True, append_images=[grey.rotate(90)])
    shown = [each for batch in Stored(here, strict=True).batches(8) for each in batch]
    assert [each.pixels.shape for each in shown] == [(5, 5, 3)] * 5
