"""Captions from files: every format, every way in which a line can be bad."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2i.runtime.captions import Line, read_captions
from t2i.runtime.errors import DataError

# What a line can hold: anything but ends of lines and white space around it.
captions = st.lists(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n"), min_size=1)
    .map(str.strip)
    .filter(lambda text: text and not text.startswith("\ufeff")),
    min_size=1,
)


def written(folder: Path, name: str, data: bytes | str) -> str:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


def texts(lines: tuple[Line, ...]) -> list[str]:
    assert not [line for line in lines if line.problem]
    return [line.caption for line in lines]


@given(captions)
def test_every_format_gives_the_captions_back(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("captions")
    table = io.StringIO(newline="")
    csv.writer(table).writerows([["file", "text"], *[["x", each] for each in wanted]])
    rows = "\n".join(json.dumps({"text": each}) for each in wanted)
    for name, data in (
        ("a.txt", "\n".join(wanted)),
        ("plain", "\r\n".join(wanted) + "\r\n"),
        ("a.csv", table.getvalue()),
        ("a.jsonl", rows),
    ):
        assert texts(read_captions(written(folder, name, data))) == wanted


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_lines_may_end_as_on_any_system_and_begin_with_a_mark(
    tmp_path: Path, end: str, mark: str
) -> None:
    data = f"{mark}a red bird{end}\ta blue\x85bird {end}{end} {end}"
    source = written(tmp_path, "a.txt", data)
    assert texts(read_captions(source)) == ["a red bird", "a blue\x85bird"]


def test_an_empty_line_keeps_its_place_but_not_at_the_end(tmp_path: Path) -> None:
    source = written(tmp_path, "a.txt", "\na red bird\n\n\na blue bird\n\n\n")
    assert [(line.number, line.caption) for line in read_captions(source)] == [
        (1, ""),
        (2, "a red bird"),
        (3, ""),
        (4, ""),
        (5, "a blue bird"),
    ]


def test_a_line_that_is_not_utf8_is_bad_and_the_others_are_read(tmp_path: Path) -> None:
    source = written(tmp_path, "a.txt", b"a red bird\na caf\xe9 bird\na blue bird\n")
    good, bad, also_good = read_captions(source)
    assert bad == Line(2, "a caf\ufffd bird", "the line is not UTF-8")
    assert texts((good, also_good)) == ["a red bird", "a blue bird"]


@pytest.mark.parametrize(
    "line",
    ["not json", "{", "[]", '"a red bird"', '{"words": "a"}', '{"text": 3}', '{"text": "\\ud800"}'],
)
def test_json_without_a_caption_is_a_bad_line(tmp_path: Path, line: str) -> None:
    source = written(tmp_path, "a.jsonl", f'{{"caption": "a red bird"}}\n{line}\n')
    good, bad = read_captions(source)
    assert good == Line(1, "a red bird")
    assert bad.number == 2
    assert bad.problem


def test_a_label_is_told_where_it_is_a_word(tmp_path: Path) -> None:
    lines = '{"text": "a bird", "label": "wren"}\n{"text": "a bird", "label": 3}\n'
    assert [line.label for line in read_captions(written(tmp_path, "a.jsonl", lines))] == [
        "wren",
        None,
    ]


def test_the_column_of_a_table_is_found_by_its_name(tmp_path: Path) -> None:
    source = written(tmp_path, "a.csv", 'seed, Caption \n1,"a ""red"", old\nbird"\n2\n3,b\n')
    quoted, short, last = read_captions(source)
    assert quoted == Line(3, 'a "red", old\nbird')
    assert short == Line(4, "", "the row is too short")
    assert last == Line(5, "b")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.csv", "file,words\nx,y\n", "no column 'text' or 'caption'"),
        ("a.csv", 'text\n"a red bird\na blue bird\n', "line 2: unexpected end"),
        ("a.csv", "", "no column"),
        ("a.txt", "", "no captions"),
        ("a.txt", "\n \n", "no captions"),
        ("a.csv", "text\n", "no captions"),
        ("a.txt", "a red bird".encode("utf-16"), "UTF-16"),
        ("a.xlsx", "a red bird", "not read from .xlsx"),
    ],
)
def test_a_file_without_captions_is_an_error(
    tmp_path: Path, name: str, data: bytes | str, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_captions(written(tmp_path, name, data))
    assert caught.value.hint


def test_json_lines_may_tell_what_a_caption_states(tmp_path: Path) -> None:
    lines = [
        '{"text": "a red bird", "facts": {"main": "red"}}',
        '{"text": "a bird", "facts": {}}',
        '{"text": "a bird"}',
        '{"text": "a bird", "facts": {"main": 1}}',
        '{"text": "a bird", "facts": "red"}',
    ]
    found = read_captions(written(tmp_path, "a.jsonl", "\n".join(lines)))
    assert [line.facts for line in found] == [{"main": "red"}, {}, None, None, None]
    assert not any(line.problem for line in found), "whoever draws needs no facts"


@pytest.mark.parametrize("name", ["missing.txt", "folder"])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=name) as caught:
        read_captions(str(tmp_path / name))
    assert "without it" in caught.value.hint


@pytest.mark.parametrize("data", ["a red bird\na blue bird\n", '{"text": "a red bird"}\n' * 2])
def test_standard_input_is_lines_of_text_or_of_json(
    monkeypatch: pytest.MonkeyPatch, data: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data.encode())))
    assert texts(read_captions("-"))[0] == "a red bird"


def test_a_closed_standard_input_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match="standard input"):
        read_captions("-")
