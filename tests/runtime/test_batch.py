"""Folders of pictures: what is in the index is whole, and going on never mixes two batches."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from t2i.runtime.batch import Batch, Entry, Order, hash_captions, refuse_what_is_there
from t2i.runtime.decode import Sampling
from t2i.runtime.errors import PictureError
from t2i.runtime.records import encode

ORDER = Order(
    bundle="tiny",
    sha256="0" * 64,
    seed=7,
    count=1,
    lines=3,
    captions=hash_captions(["a", "b", "c"]),
    stages=False,
    attention=False,
)


def put(filled: Batch, index: int) -> None:
    """Draw a picture, as far as a batch can tell."""
    path = filled.path(index, "a red bird")
    path.write_bytes(b"picture")
    filled.add(Entry(index, index, "a red bird", 7 + index, path.name))


def indexed(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """For whoever writes it is as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_picture_is_in_the_index_as_soon_as_it_is_added(tmp_path: Path) -> None:
    with Batch(tmp_path / "birds", ORDER) as filled:
        assert indexed(filled.folder) == []
        put(filled, 0)
        assert [each["file"] for each in indexed(filled.folder)] == ["0000-a-red-bird.png"]


def test_file_names_tell_index_and_caption_and_stay_short(tmp_path: Path) -> None:
    many = replace(ORDER, lines=123_456)
    with Batch(tmp_path / "birds", many) as filled:
        assert filled.path(9, "A red bird!").name == "000009-a-red-bird.png"
        long = filled.path(9, "word " * 10_000).name
        assert len(long) < 60
        assert not long.endswith("-.png")


def test_going_on_knows_what_is_done(tmp_path: Path) -> None:
    with Batch(tmp_path, ORDER) as filled:
        put(filled, 0)
    with Batch(tmp_path, ORDER, resume=True) as filled:
        assert list(filled.done) == [0]
        put(filled, 1)
    assert [each["index"] for each in indexed(tmp_path)] == [0, 1]


def test_what_was_being_written_is_no_obstacle_and_goes(tmp_path: Path) -> None:
    """Killed before the order was whole, and then again before a picture was."""
    (tmp_path / ".7-0a.part").write_bytes(b"{")
    refuse_what_is_there(tmp_path, force=False, resume=True)
    with Batch(tmp_path, ORDER, resume=True) as filled:
        put(filled, 0)
    (tmp_path / ".8-0b.part").write_bytes(b"half a picture")
    with Batch(tmp_path, ORDER, resume=True) as filled:
        assert list(filled.done) == [0]
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


@pytest.mark.parametrize("torn", ['{"index": 1, "li', '{"index": 1}\n', "\x00\n", "[]\n"])
def test_a_torn_line_counts_as_not_drawn(tmp_path: Path, torn: str) -> None:
    with Batch(tmp_path, ORDER) as filled:
        put(filled, 0)
    with (tmp_path / "index.jsonl").open("a") as index:
        index.write(torn)
    with Batch(tmp_path, ORDER, resume=True) as filled:
        put(filled, 1)
    assert [each["index"] for each in indexed(tmp_path)] == [0, 1]


def test_a_picture_that_was_removed_is_drawn_again_in_its_place(tmp_path: Path) -> None:
    with Batch(tmp_path, ORDER) as filled:
        for index in range(3):
            put(filled, index)
    filled.path(1, "a red bird").unlink()
    with Batch(tmp_path, ORDER, resume=True) as filled:
        assert list(filled.done) == [0, 2]
        put(filled, 1)
    assert [each["index"] for each in indexed(tmp_path)] == [0, 1, 2]


def test_a_picture_without_its_stages_is_drawn_again(tmp_path: Path) -> None:
    order = replace(ORDER, stages=True)
    with Batch(tmp_path, order) as filled:
        (tmp_path / "0000-a.png").write_bytes(b"picture")
        filled.add(Entry(0, 0, "a", 7, "0000-a.png", beside=("0000-a-8.png",)))
    with Batch(tmp_path, order, resume=True) as filled:
        assert not filled.done


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bundle": "other"}, "it was drawn by tiny"),
        ({"sha256": "1" * 64}, "tiny was another bundle then"),
        ({"seed": 8}, "its seed is 7"),
        ({"count": 2}, "its count is 1"),
        ({"lines": 4}, "it has 3 captions"),
        ({"captions": "1" * 64}, "its captions are others"),
        ({"stages": True}, "without --stages"),
        ({"attention": True}, "without --attention"),
        ({"nearest_class": True}, "without --nearest-class"),
        ({"embeddings": "of others"}, "the vectors of its captions are others"),
        ({"hold": ("noise",)}, "it was drawn without --hold"),
        ({"frames": 9}, "without --interpolate"),
        ({"rerank": "1" * 64}, "without this --rerank"),
        ({"keep": 2}, "it keeps all pictures of a caption"),
        ({"sampling": Sampling(top_k=4)}, "its tokens were drawn otherwise"),
        ({"complete": "1" * 64}, "it begins with no picture"),
        ({"keep_rows": 4}, "it keeps half of the rows"),
    ],
)
def test_going_on_with_anything_else_is_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    with Batch(tmp_path, ORDER) as filled:
        put(filled, 0)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(PictureError, match=said) as caught:
        Batch(tmp_path, replace(ORDER, **change), resume=True)
    assert caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert len(indexed(tmp_path)) == 1


def test_every_part_of_an_order_is_compared() -> None:
    compared = test_going_on_with_anything_else_is_refused.pytestmark[0].args[1]
    assert {key for change, _ in compared for key in change} == set(ORDER.__dataclass_fields__)


def test_a_damaged_order_is_refused(tmp_path: Path) -> None:
    (tmp_path / "batch.json").write_text('{"seed": 7}')
    with pytest.raises(PictureError, match=r"batch\.json cannot be read"):
        Batch(tmp_path, ORDER, resume=True)


def test_beginning_again_removes_the_pictures_of_before_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "birds"
    with Batch(folder, ORDER) as filled:
        put(filled, 2)
    (folder / "mine.png").write_bytes(b"mine")
    (tmp_path / "outside.png").write_bytes(b"mine too")
    with (folder / "index.jsonl").open("a") as index:
        for name in ("../outside.png", str(tmp_path / "outside.png")):
            index.write(json.dumps(encode(Entry(0, 0, "", 0, name))) + "\n")
    with Batch(folder, replace(ORDER, seed=1)):
        pass
    names = {path.name for path in folder.iterdir()}
    assert names == {"mine.png", "batch.json", "index.jsonl"}
    assert indexed(folder) == []
    assert (tmp_path / "outside.png").exists()


def test_a_full_disk_leaves_no_part_of_a_line(tmp_path: Path) -> None:
    with Batch(tmp_path, ORDER) as filled:
        put(filled, 0)
        whole = (tmp_path / "index.jsonl").read_bytes()
        with files_of_at_most(len(whole) + 20), pytest.raises(PictureError) as caught:
            put(filled, 1)
        assert "--resume" in caught.value.hint
        assert (tmp_path / "index.jsonl").read_bytes() == whole
        assert list(filled.done) == [0]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PictureError, match="cannot be written"):
        Batch(tmp_path / "file" / "birds", ORDER)


def test_a_folder_with_something_in_it_is_protected(tmp_path: Path) -> None:
    empty, full, drawn = (tmp_path / name for name in ("empty", "full", "drawn"))
    empty.mkdir()
    full.mkdir()
    (full / "mine.png").touch()
    with Batch(drawn, ORDER):
        pass
    for folder in (tmp_path / "new", empty):
        refuse_what_is_there(folder, force=False, resume=False)
        refuse_what_is_there(folder, force=False, resume=True)
    for folder in (full, drawn):
        refuse_what_is_there(folder, force=True, resume=False)
        with pytest.raises(PictureError, match="not empty"):
            refuse_what_is_there(folder, force=False, resume=False)
    refuse_what_is_there(drawn, force=False, resume=True)
    with pytest.raises(PictureError, match="holds no batch"):
        refuse_what_is_there(full, force=False, resume=True)
    with pytest.raises(PictureError, match="not a folder"):
        refuse_what_is_there(full / "mine.png", force=True, resume=False)


def test_captions_are_hashed_with_their_borders() -> None:
    assert hash_captions(["a", "b"]) != hash_captions(["ab"])
    assert hash_captions(["a", "b"]) != hash_captions(["b", "a"])
    assert hash_captions(["\udc80"]) == hash_captions(iter(["\udc80"]))
