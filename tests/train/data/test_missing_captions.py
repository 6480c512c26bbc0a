"""Pictures without captions: which they are, and how systems come to see them."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from t2i.runtime.errors import DataError, UsageError
from t2i.train import data
from t2i.train.batches import parts
from t2i.train.data import check
from t2i.train.data.dataset import Dataset

BIRDS = data.Settings(kind="birds", px=(8,), words=32, count=40)


def a_folder(root: Path, told: int, silent: int) -> data.Settings:
    """Grey pictures, the first ones with a caption; the level of grey is their number."""
    rows = []
    for n in range(told + silent):
        Image.fromarray(np.full((8, 8, 3), n, np.uint8)).save(root / f"{n}.png")
        rows.append({"file_name": f"{n}.png"} | ({"text": f"bird {n}"} if n < told else {}))
    (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("train", "test"):
        (root / name).mkdir()
        for path in root.glob("*.*"):
            (root / name / path.name).write_bytes(path.read_bytes())
    return data.Settings(kind="folder", folder=str(root), px=(8,), words=6, crop=False)


def seen(dataset: Dataset, steps: int, batch_size: int) -> tuple[Counter[int], Counter[int]]:
    """How often each level of grey is seen with a caption, and by itself."""
    with_caption, alone = Counter[int](), Counter[int]()
    for step in range(steps):
        batch = dataset.batch(step, batch_size, seed=3)
        for images, counter in ((batch.images, with_caption), (batch.unpaired, alone)):
            for image in images[-1:]:
                counter.update(((image[:, 0, 0, 0] + 1) * 127.5).round().int().tolist())
    return with_caption, alone


def test_captions_of_a_fixed_share_are_known_whatever_the_seed() -> None:
    tenth = data.open(replace(BIRDS, captions_fraction=0.1))
    assert len(tenth) == 40
    assert len(tenth.captioned) == 4
    assert tenth.describe()["captioned"] == 4
    pictures = [
        {image.sum().item() for step in range(4) for image in tenth.batch(step, 2, seed).images[0]}
        for seed in (0, 1)
    ]
    assert pictures[0] == pictures[1]
    assert len(pictures[0]) == 4


def test_pictures_by_themselves_leave_those_with_captions_as_they_are() -> None:
    plain, more = data.open(BIRDS), data.open(replace(BIRDS, unpaired=True))
    one, other = plain.batch(3, 8, seed=5), more.batch(3, 8, seed=5)
    assert one.captions == other.captions
    assert torch.equal(one.images[0], other.images[0])
    assert one.unpaired == ()
    assert other.unpaired[0].shape == other.images[0].shape
    assert not torch.equal(other.unpaired[0], other.images[0])
    halves = parts(other, 2)
    assert torch.equal(torch.cat([half.unpaired[0] for half in halves]), other.unpaired[0])


def test_pictures_of_a_folder_that_have_no_caption_are_seen_by_themselves(tmp_path: Path) -> None:
    settings = replace(a_folder(tmp_path, told=6, silent=18), captions_fraction=0.25, unpaired=True)
    with_caption, alone = seen(data.open(settings), steps=12, batch_size=2)
    assert with_caption == dict.fromkeys(range(6), 4)
    assert alone == dict.fromkeys(range(24), 1)
    captions = data.open(settings).fixed(8).captions
    assert captions == tuple(f"bird {n % 6}" for n in range(8))
    assert check.check(settings, batch_size=2).good


def test_a_missing_caption_is_an_error_until_a_share_is_named(tmp_path: Path) -> None:
    settings = a_folder(tmp_path, told=6, silent=2)
    with pytest.raises(DataError, match=r"6\.png has no caption") as caught:
        data.open(settings)
    assert "captions_fraction" in (caught.value.hint or "")
    assert not check.check(settings, batch_size=2).good
    with pytest.raises(DataError, match="asks for 7 pictures with captions, and 6 of 8") as caught:
        data.open(replace(settings, captions_fraction=0.9)).describe()
    assert "captions_fraction=0.750" in (caught.value.hint or "")


@pytest.mark.parametrize("share", [0, -1, 1.5])
def test_what_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="is no share of the pictures") as caught:
        data.open(replace(BIRDS, captions_fraction=share))
    assert caught.value.hint
