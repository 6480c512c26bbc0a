"""Data whose pictures are called by their classes: what is read, and what is refused."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from t2i.runtime.bundle import Text
from t2i.runtime.errors import DataError, UsageError
from t2i.runtime.text import Tokenizer
from t2i.train import data
from t2i.train.command import kind_of
from t2i.train.data import check
from t2i.train.data.birds.attributes import COLOURS

PX = 8


def picture(path: Path, level: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((PX, PX, 3), level, np.uint8)).save(path)


def a_folder(root: Path, **classes: int) -> data.Settings:
    """So many pictures of each class, each class of one grey level."""
    for level, (name, count) in enumerate(classes.items()):
        for number in range(count):
            picture(root / name / f"{name}{number}.png", 50 * level)
    return data.Settings(kind="classes", folder=str(root), px=(PX,), condition="class", crop=False)


def listed(root: Path, rows: list[dict[str, str]]) -> data.Settings:
    for row in rows:
        picture(root / row["file_name"])
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (root / "metadata.jsonl").write_text(lines, encoding="utf-8")
    return data.Settings(kind="folder", folder=str(root), px=(PX,), condition="class")


def test_a_picture_is_called_by_its_folder(tmp_path: Path) -> None:
    found = data.open(a_folder(tmp_path, wren=3, Robin=4))
    assert found.classes == ("Robin", "wren")
    assert (found.text.length, found.text.unknown) == (1, "drop")
    batch = found.batch(0, len(found), seed=0)
    assert batch.tokens.shape == (len(found), 1)
    for place, caption in enumerate(batch.captions):
        label = int(batch.labels[place])
        assert caption == found.classes[label]
        assert batch.tokens[place].tolist() == [1 + label]
        level = {"wren": 0, "Robin": 50}[caption] / 127.5 - 1
        torch.testing.assert_close(batch.images[0][place], torch.full((3, PX, PX), level))


def test_tokens_are_those_that_the_runtime_reads(tmp_path: Path) -> None:
    found = data.open(a_folder(tmp_path, wren=3, Robin=4))
    reader = Tokenizer.from_json(found.tokenizer, Text("t", "", 1, "drop"))
    for label, name in enumerate(found.classes):
        assert reader.read(f" {name.upper()} ").tokens == (1 + label,)
    source = found.source()
    assert (source.vocabulary, source.length) == (2 + 2, 1)


def test_splits_are_folders_of_classes(tmp_path: Path) -> None:
    for split, counts in (("train", {"a": 4, "b": 4}), ("test", {"a": 1, "b": 2, "c": 5})):
        a_folder(tmp_path / split, **counts)
    settings = data.Settings(kind="classes", folder=str(tmp_path), px=(PX,), condition="class")
    train, test = data.open(settings), data.open(settings, "test")
    assert (len(train), train.classes) == (8, ("a", "b"))
    assert (len(test), test.classes) == (3, ("a", "b")), "a class that is not learnt is no test"
    assert set(train.fixed(3).captions) == {"a", "b"}


def test_labels_of_a_list_serve_and_captions_need_not_be_there(tmp_path: Path) -> None:
    rows = [{"file_name": f"{n}.png", "label": name} for n, name in enumerate("鳥b" * 20)]
    found = data.open(listed(tmp_path, rows))
    assert found.classes == ("b", "鳥")
    assert set(found.fixed(4).captions) <= {"b", "鳥"}
    assert data.open(replace(found.settings, crop=False)).describe()["condition"] == "class"


def test_a_drawn_birds_class_is_its_main_colour() -> None:
    settings = data.Settings(kind="birds", px=(PX,), count=64, words=32)
    birds, named = data.open(settings), data.open(replace(settings, condition="class"))
    assert named.classes == COLOURS
    assert len(named) == len(birds)
    assert named.facing is None
    one, other = birds.batch(3, 8, seed=1), named.batch(3, 8, seed=1)
    assert torch.equal(one.images[0], other.images[0])
    assert torch.equal(one.labels, other.labels)
    assert other.attributes is not None
    assert other.captions == tuple(COLOURS[label] for label in one.labels.tolist())
    assert named.fixed(4).captions == tuple(COLOURS[n] for n in birds.fixed(4).labels.tolist())
    assert pickle.loads(pickle.dumps(named)).batch(3, 8, seed=1).captions == other.captions


def test_pictures_without_labels_are_refused_with_a_way_out(tmp_path: Path) -> None:
    rows = [{"file_name": f"{n}.png", "text": "a bird", "label": "x"} for n in range(5)]
    for row in rows[:2]:
        row["label"] = " "
    settings = listed(tmp_path, rows)
    with pytest.raises(DataError, match="2 of 5 pictures have no label") as caught:
        data.open(settings)
    assert '"label": "red"' in caught.value.hint
    report = check.check(settings, batch_size=2)
    assert not report.good
    assert any("2 of 5 pictures have no label" in line for line in report.lines())


def test_one_class_is_nothing_to_choose_from(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="all pictures are of the class 'wren'"):
        data.open(a_folder(tmp_path, wren=3))


def test_names_that_differ_in_capitals_only_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="twice"):
        data.open(a_folder(tmp_path, wren=2, Wren=2))


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folders of pictures") as caught:
        data.open(a_folder(tmp_path))
    assert "one folder a class" in caught.value.hint


def test_classes_are_no_captions(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no captions") as caught:
        data.open(replace(a_folder(tmp_path, wren=2, robin=2), condition="caption"))
    assert "metadata.jsonl" in caught.value.hint


def test_the_layout_is_recognised(tmp_path: Path) -> None:
    plain, split, list_ = (tmp_path / name for name in ("plain", "split", "list"))
    a_folder(plain, wren=1)
    a_folder(split / "train", wren=1)
    listed(list_, [{"file_name": "images/1.png", "label": "wren"}])
    assert [kind_of(each) for each in (plain, split, list_)] == ["classes", "classes", "folder"]


def test_a_report_of_classes_counts_them(tmp_path: Path) -> None:
    report = check.check(a_folder(tmp_path, wren=30, robin=10), batch_size=2)
    assert report.good
    assert report.classes == 2
    assert [name for name, _ in report.frequent] == ["class", "wren", "robin"]
