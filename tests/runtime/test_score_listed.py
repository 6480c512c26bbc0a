"""Captions that lie beside pictures, as data sets have them."""

import json
from pathlib import Path

import pytest

from t2i.runtime.errors import ScoreError
from t2i.runtime.score.listed import listed
from t2i.runtime.score.sources import Stored


def write(folder: Path, *rows: object) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(text, encoding="utf-8")
    return folder


def told(folder: Path) -> list[tuple[str, str]]:
    return [(each.file.relative_to(folder).as_posix(), each.caption) for each in listed(folder)]


def test_each_picture_comes_once_with_the_first_of_its_captions(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"file_name": "images/2.png", "text": ["a red bird", "it is red"]},
        {"file_name": "1.png", "text": "a blue bird", "label": "blue"},
        {"file_name": "1.png", "text": "it is blue"},
    )
    expected = [("images/2.png", "a red bird"), ("1.png", "a blue bird")]
    assert told(tmp_path) == expected
    folder = Stored(tmp_path)
    assert [item.name for item in folder.items] == ["2.png", "1.png"]
    assert [caption.text for caption in folder.captions] == ["a red bird", "a blue bird"]
    assert folder.captions[1].where.endswith("metadata.jsonl, line 2")


def test_a_table_tells_the_same(tmp_path: Path) -> None:
    table = 'file_name,text\n1.png,"a red, small bird"\n2.png,a blue bird\n'
    (tmp_path / "metadata.csv").write_text(table, encoding="utf-8-sig")
    assert told(tmp_path) == [("1.png", "a red, small bird"), ("2.png", "a blue bird")]


def test_pictures_without_captions_are_all_the_pictures_of_the_folder(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        (tmp_path / name).touch()
    assert told(tmp_path) == []
    write(tmp_path, {"file_name": "2.png", "label": "red"})
    assert told(tmp_path) == []
    assert [item.name for item in Stored(tmp_path).items] == ["1.png", "2.png"]
    assert Stored(tmp_path).captions == ()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"file_name": "2.png"}, "line 2 tells no picture"),
        ({"file_name": "2.png", "text": []}, "line 2 tells no picture"),
        ({"file_name": "2.png", "text": 7}, "line 2 tells no picture"),
        ({"file_name": "../2.png", "text": "a bird"}, "line 2 tells no picture"),
        ({"file_name": "/2.png", "text": "a bird"}, "line 2 tells no picture"),
        ({"file_name": "C:\\2.png", "text": "a bird"}, "line 2 tells no picture"),
        ({"text": "a bird"}, "line 2 tells no picture"),
        ("a bird", "line 2 tells no picture"),
    ],
)
def test_a_line_that_tells_half_is_an_error(tmp_path: Path, row: object, message: str) -> None:
    write(tmp_path, {"file_name": "1.png", "text": "a bird"}, row)
    with pytest.raises(ScoreError, match=message) as caught:
        listed(tmp_path)
    assert "file_name" in caught.value.hint


def test_what_is_no_json_or_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "1.png", "text": "a"}\n{')
    with pytest.raises(ScoreError, match=r"metadata\.jsonl cannot be read: line 2"):
        listed(tmp_path)
    (tmp_path / "metadata.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(ScoreError, match=r"metadata\.jsonl cannot be read"):
        listed(tmp_path)
