"""Data whose captions were encoded elsewhere, and data that must have classes."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from t2i.runtime.errors import DataError, UsageError
from t2i.train import data
from t2i.train.data.check import check

PX, E = 8, 5
TEXTS = ("a red rose", "one blue lily", "Lilies, yellow ones")


def pictures(root: Path, *, labels: tuple[str, ...] = ("rose", "lily")) -> data.Settings:
    """30 pictures with two captions each."""
    rows = []
    for n in range(30):
        Image.fromarray(np.full((PX, PX, 3), 8 * n, np.uint8)).save(root / f"{n}.png")
        row = {"file_name": f"{n}.png", "text": [TEXTS[n % 3], TEXTS[(n + 1) % 3]]}
        rows.append(row | ({"label": labels[n % len(labels)]} if labels else {}))
    (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return data.Settings(kind="folder", folder=str(root), px=(PX,), labels=True)


def encoded(root: Path, *texts: str, size: int = E) -> data.Settings:
    file = root / "vectors.npz"
    np.savez(file, **{text: np.full(size, float(len(text))) for text in texts})
    return replace(pictures(root), condition="vector", embeddings=str(file))


def test_each_picture_comes_with_the_vector_of_its_caption(tmp_path: Path) -> None:
    found = data.open(encoded(tmp_path, *TEXTS, "and more"))
    for dataset in (found, pickle.loads(pickle.dumps(found))):
        for batch in (dataset.batch(0, 12, seed=1), dataset.fixed(4).to("cpu")):
            assert batch.vectors is not None
            lengths = [float(len(text)) for text in batch.captions]
            assert batch.vectors.tolist() == [[length] * E for length in lengths]
            assert len(set(lengths)) > 1
    source = found.source()
    assert (source.vector_size, source.classes) == (E, ("lily", "rose"))
    assert data.open(pictures(tmp_path)).source().vector_size == 0


def test_the_record_tells_which_file_it_was(tmp_path: Path) -> None:
    settings = encoded(tmp_path, *TEXTS)
    before = data.open(settings).describe()
    assert before["condition"] == "vector"
    encoded(tmp_path, *TEXTS, size=E + 1)
    assert data.open(settings).describe()["embeddings"] != before["embeddings"]


def test_captions_without_vectors_are_counted_and_named(tmp_path: Path) -> None:
    settings = encoded(tmp_path, *TEXTS[:2], TEXTS[2].lower())
    with pytest.raises(DataError, match=r"1 of 3 captions have no vector.*'Lilies, yellow") as no:
        data.open(settings)
    assert "letter for letter" in no.value.hint
    report = check(settings, batch_size=2)
    assert not report.good
    assert any("1 of 3 captions have no vector" in line for line in report.lines())
    assert check(encoded(tmp_path, *TEXTS), batch_size=2).good


def test_vectors_of_two_sizes_are_refused(tmp_path: Path) -> None:
    settings = encoded(tmp_path)
    np.savez(tmp_path / "vectors.npz", **{text: np.ones(len(text)) for text in TEXTS})
    with pytest.raises(DataError, match="vectors of 10 numbers and of 19"):
        data.open(settings)


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        ({"embeddings": None}, "none is named", "--set embeddings=FILE"),
        ({"condition": "caption"}, "these settings use none", "--set condition=vector"),
        ({"kind": "birds", "folder": None}, "ever new words", "--data FOLDER"),
        ({"kind": "classes"}, "no captions", "metadata.jsonl"),
    ],
)
def test_settings_that_contradict_each_other_are_wrong_usage(
    tmp_path: Path, change: dict[str, str | None], message: str, hint: str
) -> None:
    settings = replace(encoded(tmp_path, *TEXTS), **change)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=message) as caught:
        data.open(settings)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("labels", "message"), [((), "no labels"), (("rose",), "only the class 'rose'")]
)
def test_classes_that_are_to_be_learnt_must_be_there(
    tmp_path: Path, labels: tuple[str, ...], message: str
) -> None:
    settings = pictures(tmp_path, labels=labels)
    with pytest.raises(DataError, match=message) as caught:
        data.open(settings, ready=False)
    assert '"label": "rose"' in caught.value.hint
    assert data.open(replace(settings, labels=False)).classes == labels
    if not labels:
        assert any("no label" in line for line in check(settings, batch_size=2).lines())


def test_drawn_birds_have_classes() -> None:
    settings = data.Settings(kind="birds", px=(PX,), count=4, labels=True)
    labels = data.open(settings).batch(0, 4, seed=0).labels
    assert torch.all(labels >= 0)
