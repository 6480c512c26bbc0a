"""Folders and CUB-200-2011: what is read, how it is cut, and what is refused."""

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from t2i.runtime.errors import DataError
from t2i.train import data
from t2i.train.data import check, cub, folder, photographs, pickles
from t2i.train.data.dice import Dice

Rows = list[dict[str, Any]]


def picture(path: Path, size: tuple[int, int] = (40, 30), level: int = 100) -> None:
    """A ramp from left to right, so that a place in it can be read off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.broadcast_to(np.linspace(0, 255, size[0]), (size[1], size[0]))
    Image.fromarray(np.stack([ramp, 255 - ramp, np.full_like(ramp, level)], -1).astype("u1")).save(
        path
    )


def a_folder(root: Path, rows: Rows) -> data.Settings:
    root.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (root / "metadata.jsonl").write_text(lines, encoding="utf-8")
    for row in rows:
        name = str(row.get("file_name"))
        if not (root / name).exists() and not name.startswith(("/", "..", "C:")):
            picture(root / name)
    return data.Settings(kind="folder", folder=str(root), px=(8, 16), words=6)


ROWS: Rows = [
    {"file_name": f"{n}.png", "text": f"a {c} bird number {n}", "label": c}
    for n, c in enumerate(("red", "blue", "red", "green", "blue", "red"))
]


def test_a_folder_becomes_batches(tmp_path: Path) -> None:
    found = data.open(a_folder(tmp_path, ROWS))
    assert found.classes == ("blue", "green", "red")
    assert len(found) + len(data.open(a_folder(tmp_path, ROWS), "test")) == 6
    batch = found.batch(0, 4, seed=0)
    assert [image.shape for image in batch.images] == [(4, 3, 8, 8), (4, 3, 16, 16)]
    for caption, label in zip(batch.captions, batch.labels.tolist(), strict=True):
        assert found.classes[label] in caption
    again = data.open(a_folder(tmp_path, ROWS)).batch(0, 4, seed=0)
    assert again.captions == batch.captions
    assert torch.equal(again.images[0], batch.images[0])
    assert found.source().classes == found.classes
    assert pickle.loads(pickle.dumps(found)).batch(0, 4, seed=0).captions == batch.captions


def test_frequent_words_come_first_and_rare_ones_are_unknown(tmp_path: Path) -> None:
    settings = a_folder(
        tmp_path, [*ROWS, {"file_name": "6.png", "text": "Bird, bird!", "label": "x"}]
    )
    found = folder.collection(tmp_path)
    words = photographs.frequent_words(found.train, 1)
    assert words[0] == "bird"
    assert "bird" in photographs.frequent_words(found.train, 3)
    assert "0" not in photographs.frequent_words(found.train, 2)
    known = data.open(replace(settings, min_word_count=2))
    assert len(known.item(0, 0).tokens) < 5
    with pytest.raises(DataError, match="no word of the captions occurs 99 times"):
        data.open(replace(settings, min_word_count=99))


def test_pictures_that_have_labels_alone_are_said_to_lack_captions(tmp_path: Path) -> None:
    settings = a_folder(tmp_path, [{"file_name": "1.png", "label": "x"}])
    with pytest.raises(DataError, match="no picture has a caption") as caught:
        data.open(settings)
    assert '"text"' in caught.value.hint


def test_long_captions_are_cut_as_the_official_code_does(tmp_path: Path) -> None:
    text = " ".join(f"w{n}" for n in range(30))
    found = data.open(a_folder(tmp_path, [{"file_name": "1.png", "text": text}]))
    known = found.tokens("w0 w1", Dice(0))
    assert len(known) == 2
    cuts = {found.tokens(text, Dice(visit)) for visit in range(10)}
    order = {token: place for place, token in enumerate(found._reader.read(text).tokens)}
    assert len(cuts) > 5
    for cut in cuts:
        assert len(cut) == 6
        assert sorted(cut, key=order.__getitem__) == list(cut)


def test_several_lines_and_lists_of_texts_are_one_picture(tmp_path: Path) -> None:
    rows: Rows = [
        {"file_name": "1.png", "text": "one"},
        {"file_name": "1.png", "text": ["two", "three"]},
        {"file_name": "1.png", "text": " ☃ "},
    ]
    found = data.open(a_folder(tmp_path, rows))
    assert len(found) == 1
    assert {found.item(0, visit).caption for visit in range(60)} == {"one", "two", "three"}
    assert found.item(0, 0).label == -1


def test_csv_is_read_too(tmp_path: Path) -> None:
    picture(tmp_path / "a, b.png")
    (tmp_path / "metadata.csv").write_text(
        '\ufefffile_name,text,label\n"a, b.png","a red, small bird",red\n', encoding="utf-8"
    )
    found = data.open(data.Settings(kind="folder", folder=str(tmp_path), px=(8,)))
    assert found.item(0, 0).caption == "a red, small bird"
    assert found.classes == ("red",)


def test_splits_are_folders(tmp_path: Path) -> None:
    a_folder(tmp_path / "train", ROWS[:4])
    a_folder(tmp_path / "test", ROWS[4:])
    settings = data.Settings(kind="folder", folder=str(tmp_path), px=(8,))
    train, test = data.open(settings), data.open(settings, "test")
    assert (len(train), len(test)) == (4, 2)
    assert train.tokenizer == test.tokenizer
    assert set(train.fixed(2).captions) == {"a blue bird number 4", "a red bird number 5"}


def test_without_splits_one_in_twenty_is_held_out_by_name(tmp_path: Path) -> None:
    many = [photographs.Photograph(tmp_path / f"{n}.png", ("a",)) for n in range(2000)]
    found, fewer = photographs.hold_out(many), photographs.hold_out(many[::3])
    assert 60 < len(found.held_out) < 140
    assert not set(found.train) & set(found.held_out)
    assert set(fewer.held_out) <= set(found.held_out)


def test_a_crop_is_a_window_of_a_picture_76_64_as_large() -> None:
    settings = data.Settings(kind="folder", folder="", px=(64,))
    ramp = np.tile(np.arange(152, dtype=np.uint8), (76, 1))
    wide = Image.fromarray(np.stack([ramp] * 3, -1))  # its shorter side is 76 already
    seen = set()
    for visit in range(200):
        crop = np.array(photographs._crop(wide, settings, Dice(visit)))[..., 0].astype(int)
        assert crop.shape == (64, 64)
        step = np.diff(crop[0])
        assert abs(int(step[0])) == 1
        assert (step == step[0]).all()
        seen.add((int(crop.min()), int(step[0])))
    assert {step for _, step in seen} == {1, -1}
    assert min(left for left, _ in seen) < 5
    assert max(left for left, _ in seen) > 152 - 64 - 5
    middle = np.array(photographs._crop(wide, replace(settings, crop=False), Dice(0)))[..., 0]
    assert abs(float(middle.mean()) - 75.5) < 1.5


# ---- what is refused


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/passwd", "a/../../b.png", "C:\\x.png", "..\\x.png", "", 7]
)
def test_a_path_out_of_the_folder_is_refused(tmp_path: Path, name: object) -> None:
    (tmp_path / "metadata.jsonl").write_text(json.dumps({"file_name": name, "text": "a"}))
    with pytest.raises(DataError, match="line 1"):
        folder.photographs(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[1]",
        "[" * 100_000,
        '{"file_name": "1.png", "text": 5}',
        '{"file_name": "1.png", "text": ["a", null]}',
        '{"file_name": "1.png", "text": "a", "label": [1]}',
        '{"text": "a"}',
        b"\xff\xfe",
        "",
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str | bytes) -> None:
    path = tmp_path / "metadata.jsonl"
    path.write_bytes(line if isinstance(line, bytes) else line.encode())
    with pytest.raises(DataError) as caught:
        folder.photographs(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert caught.value.hint


def test_contradicting_and_missing_labels_are_refused(tmp_path: Path) -> None:
    rows = [dict(ROWS[0]), {**ROWS[0], "label": "blue"}]
    with pytest.raises(DataError, match="labels"):
        data.open(a_folder(tmp_path / "one", rows))
    with pytest.raises(DataError, match="label"):
        data.open(a_folder(tmp_path / "two", [ROWS[0], {"file_name": "x.png", "text": "a"}]))


def test_no_folder_no_metadata_no_pictures(tmp_path: Path) -> None:
    settings = data.Settings(kind="folder", folder=str(tmp_path / "none"), px=(8,))
    with pytest.raises(DataError, match="no folder"):
        data.open(settings)
    with pytest.raises(DataError, match=r"metadata\.jsonl"):
        data.open(replace(settings, folder=str(tmp_path)))
    good = a_folder(tmp_path, ROWS[:1])
    (tmp_path / "0.png").unlink()
    with pytest.raises(DataError, match="missing"):
        data.open(good)


def cut_short(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])


def no_picture(path: Path) -> None:
    path.write_text("no picture")


def strip(path: Path) -> None:
    picture(path, (400, 2))


@pytest.mark.parametrize("damage", [cut_short, no_picture, strip])
def test_a_broken_picture_is_named_with_a_hint(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    settings = a_folder(tmp_path, ROWS[:1])
    damage(tmp_path / "0.png")
    with pytest.raises(DataError, match=r"0\.png") as caught:
        data.open(settings).item(0, 0)
    assert "--check-data" in caught.value.hint


# ---- CUB


NAMES = {"train": ["001.Black_Albatross/a_1", "001.Black_Albatross/a_2"], "test": ["002.Owl/b_1"]}


@pytest.fixture
def birds(tmp_path: Path) -> data.Settings:
    home = tmp_path / "CUB_200_2011"
    names = [name for split in NAMES.values() for name in split]
    for number, name in enumerate(names, 1):
        picture(home / "images" / f"{name}.jpg", (100, 80))
        text = tmp_path / "text" / f"{name}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(f"a bird like {number}\nthis is bird {number}\n\n")
    (home / "images.txt").write_text("".join(f"{n} {x}.jpg\n" for n, x in enumerate(names, 1)))
    (home / "bounding_boxes.txt").write_text(
        "".join(f"{n} 40.0 30.0 20.0 10.0\n" for n, _ in enumerate(names, 1))
    )
    for split, listed in NAMES.items():
        (tmp_path / split).mkdir()
        (tmp_path / split / "filenames.pickle").write_bytes(pickle.dumps(listed, protocol=2))
    return data.Settings(kind="cub", folder=str(tmp_path), px=(8, 16))


def test_cub_is_read(birds: data.Settings) -> None:
    train, test = data.open(birds), data.open(birds, "test")
    assert (len(train), len(test)) == (2, 1)
    assert train.classes == test.classes == ("Black Albatross", "Owl")
    assert [test.item(0, n).label for n in range(2)] == [1, 1]
    assert {train.item(0, n).caption for n in range(30)} == {"a bird like 1", "this is bird 1"}
    assert train.batch(0, 2, seed=0).images[1].shape == (2, 3, 16, 16)
    assert train.fixed(3).captions[0].endswith("3")


def test_cub_is_cut_to_the_box(birds: data.Settings) -> None:
    # Half a side is int(0.75 · 20) = 15 around (50, 35): columns 35 to 65 of the ramp.
    (first, *_) = cub.collection(Path(str(birds.folder))).train
    cut = photographs._decoded(first)
    assert cut.size == (30, 30)
    whole = np.array(Image.open(first.path).convert("RGB"))
    assert np.array_equal(np.array(cut), whole[20:50, 35:65])


def test_cub_says_what_is_missing(birds: data.Settings) -> None:
    root = Path(str(birds.folder))
    (root / "text" / f"{NAMES['train'][0]}.txt").unlink()
    with pytest.raises(DataError, match=r"a_1\.txt"):
        data.open(birds)
    (root / "CUB_200_2011" / "bounding_boxes.txt").write_text("1 2 3\n")
    with pytest.raises(DataError, match="bounding_boxes"):
        data.open(birds)
    (root / "train" / "filenames.pickle").unlink()
    with pytest.raises(DataError, match=r"filenames\.pickle|bounding"):
        data.open(birds)


@pytest.mark.parametrize("name", ["../../x", "a/../b", "x", "/etc/passwd", "C:\\a/b"])
def test_cub_names_stay_in_the_folder(birds: data.Settings, name: str) -> None:
    path = Path(str(birds.folder)) / "train" / "filenames.pickle"
    path.write_bytes(pickle.dumps([name]))
    with pytest.raises(DataError, match="CLASS/NAME"):
        data.open(birds)


# ---- pickles


class Command:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def test_a_pickle_that_would_run_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.pickle").write_bytes(pickle.dumps([Command()]))
    with pytest.raises(DataError, match="system"):
        pickles.load(tmp_path / "bad.pickle")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("bad", [b"", b"nonsense", pickle.dumps(["a"])[:-3], b"cos\nsystem\n."])
def test_damaged_pickles_are_data_errors(tmp_path: Path, bad: bytes) -> None:
    (tmp_path / "bad.pickle").write_bytes(bad)
    with pytest.raises(DataError) as caught:
        pickles.load(tmp_path / "bad.pickle")
    assert caught.value.hint


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_plain_values_are_read(tmp_path: Path, protocol: int) -> None:
    value = ["a/b", ("c", 1, 2.5), {"d": [None, True]}]
    (tmp_path / "good.pickle").write_bytes(pickle.dumps(value, protocol=protocol))
    assert pickles.load(tmp_path / "good.pickle") == value


# ---- the report


def test_the_report_finds_every_fault(tmp_path: Path) -> None:
    rows: Rows = [*ROWS, {"file_name": "6.png", "text": " ", "label": "red"}]
    rows += [
        {"file_name": "0.png", "text": "☃", "label": "red"},
        {"file_name": "7.png", "text": "a"},
    ]
    settings = a_folder(tmp_path, rows)
    (tmp_path / "1.png").unlink()
    cut_short(tmp_path / "2.png")
    picture(tmp_path / "3.png", (12, 12))
    report = check.check(settings, batch_size=16)
    found = {problem.what: problem for problem in report.problems}
    assert not report.good
    assert found["missing file"].count == 1
    assert "1.png" in found["missing file"].examples[0]
    assert "2.png" in found["unreadable picture"].examples[0]
    assert found["no caption with a word"].count == 1
    assert found["empty caption beside others"].count == 1
    assert found["no label, where others have one"].count == 1
    assert "too few pictures for a batch of 16" in found
    assert not found["picture smaller than 16 px, to be enlarged"].fatal
    assert report.frequent[0][0] in ("a", "bird")
    assert len(report.lines()) <= 24


def test_the_report_of_good_data_is_good(tmp_path: Path) -> None:
    report = check.check(a_folder(tmp_path, ROWS), batch_size=2)
    assert report.good
    assert report.problems == ()
    assert report.pictures + report.held_out == report.decoded == 6
    assert (report.shortest, report.longest) == (5, 5)
    assert report.lines()[-1] == "no problems found"


def test_the_report_opens_no_more_than_it_may(tmp_path: Path) -> None:
    assert check.check(a_folder(tmp_path, ROWS), batch_size=2, decode=2).decoded <= 2


def test_an_unreadable_data_set_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    settings = data.Settings(kind="folder", folder=str(tmp_path), px=(8,))
    report = check.check(settings)
    assert not report.good
    assert "metadata.jsonl" in report.lines()[-1]


def test_drawn_birds_are_reported_without_drawing_them() -> None:
    settings = data.Settings(kind="birds", px=(8,), words=32, count=50)
    report = check.check(settings)
    assert report.good
    assert report.captions == report.pictures == 50
    assert report.classes == 11
    assert report.cut == 0
    assert check.check(replace(settings, characters=5)).cut == 50
