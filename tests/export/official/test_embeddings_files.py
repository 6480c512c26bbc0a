"""Vectors of captions as data sets hold them: found by caption, or refused in words."""

import io
import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import fill
import numpy as np
import pytest
from lua_files import save_lua
from official_files import refused, save, typed

from t2i.export.official.inspection import inspect
from t2i.runtime.embeddings import Embeddings
from t2i.train.data.photographs import Photograph
from t2i.train.data.vectors import vectors_of

E, K = 6, 3
BIRDS = ("001.Albatross/Albatross_0001_796111", "002.Auklet/Auklet_0002_1")
SAID = ("a white bird{} ", "it has long wings{}", "this bird{} is\twhite.")
"""Templates of captions; one ends with a blank, as some do."""


class Python2(pickle._Pickler):
    """Writes bytes as Python 2 wrote its texts."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_text(self, value: bytes) -> None:
        self.write(pickle.BINSTRING + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    dispatch[bytes] = save_text


def dumped(value: Any) -> bytes:
    """With the names that numpy had then."""
    stream = io.BytesIO()
    Python2(stream, protocol=2).dump(value)
    return stream.getvalue().replace(b"numpy._core.", b"numpy.core.")


def vectors(name: str, *shape: int) -> np.ndarray:
    return fill.tensor(name, shape or (K, E))


def captions(name: str) -> list[str]:
    return [each.format(f" of {name}") for each in SAID]


def data_set(
    root: Path, arrays: Any = None, names: tuple[str, ...] = BIRDS, texts: str = "text_c10"
) -> Path:
    """The folder of a split, as StackGAN's archives have it."""
    split = root / "birds" / "test"
    split.mkdir(parents=True)
    file = split / "char-CNN-RNN-embeddings.pickle"
    file.write_bytes(dumped([vectors(name) for name in names] if arrays is None else arrays))
    (split / "filenames.pickle").write_bytes(dumped([name.encode() for name in names]))
    for name in names:
        text = root / "birds" / texts / f"{name.replace('jpg/', 'class_00077/')}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text("\n".join([*captions(name), ""]))
    return file


def converted(file: Path) -> Embeddings:
    done = typed("--embeddings", file, f"--out={file.with_name('captions.npz')}")
    assert done.exit_code == 0, done.output
    return Embeddings(file.with_name("captions.npz"))


def check(found: Embeddings, names: tuple[str, ...] = BIRDS) -> None:
    for name in names:
        for caption, vector in zip(captions(name), vectors(name), strict=True):
            for typed_so in (caption, caption.strip()):
                read = found.get(typed_so)
                assert read is not None, typed_so
                assert read.tolist() == vector.tolist()
    assert found.get("a red bird") is None


@pytest.mark.parametrize("texts", ["text_c10", "text"])
def test_each_caption_of_a_data_set_leads_to_its_vector(texts: str, tmp_path: Path) -> None:
    check(converted(data_set(tmp_path, texts=texts)))


def test_flowers_whose_texts_lie_in_other_folders_are_found(tmp_path: Path) -> None:
    names = ("jpg/image_06734", "jpg/image_00001")
    check(converted(data_set(tmp_path, names=names)), names)


def test_captions_of_coco_are_listed_beside_the_vectors(tmp_path: Path) -> None:
    names = ("COCO_val2014_000000000042.jpg", "COCO_val2014_000000000073.jpg")
    file = data_set(tmp_path, names=names, texts="elsewhere")
    told = {name: [*captions(name), "one more, without a vector"] for name in names}
    file.with_name("captions.pickle").write_bytes(dumped(told))
    found = converted(file)
    check(found, names)
    assert found.get("one more, without a vector") is None


@pytest.mark.parametrize("write", [dumped, pickle.dumps, lambda each: pickle.dumps(each, 2)])
@pytest.mark.parametrize("kind", ["float32", "float64", "by columns", "one array"])
def test_arrays_of_every_kind_are_read(
    kind: str, write: Callable[[Any], bytes], tmp_path: Path
) -> None:
    arrays: Any = [vectors(name) for name in BIRDS]
    if kind == "float64":
        arrays = [each.astype(np.float64) for each in arrays]
    elif kind == "by columns":
        arrays = [np.asfortranarray(each) for each in arrays]
    elif kind == "one array":
        arrays = np.stack(arrays)
    file = data_set(tmp_path)
    file.write_bytes(write(arrays))
    check(converted(file))


def test_what_stackgans_script_wrote_for_captions_of_ones_own_is_read(tmp_path: Path) -> None:
    said = captions("mine")
    tensors = [vectors("mine")[place : place + 1].copy() for place in range(K)]
    file = save_lua({"raw_txt": said, "fea_txt": tensors}, tmp_path / "captions.t7")
    check(converted(file), ("mine",))
    told = typed("--inspect", file).stdout
    assert told.splitlines() == [
        f"{file}: vectors of 3 captions, 6 numbers each",
        "  t2i-export --embeddings FILE",
    ]


def test_a_training_finds_the_vectors_of_captions_as_it_reads_them(tmp_path: Path) -> None:
    file = data_set(tmp_path)
    path = converted(file).path
    read = [Photograph(Path(name), tuple(captions(name))) for name in BIRDS]
    found = vectors_of(read, path)
    assert len(found) == len(BIRDS) * K


def test_a_file_tells_what_it_holds_and_what_was_made_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = data_set(tmp_path)
    record = inspect(file)
    assert (record["vectors"], record["size"], record["tables"]) == (2 * K, E, [])
    assert "vectors of 6 captions of 2 pictures, 6 numbers each" in typed("--inspect", file).stdout
    monkeypatch.chdir(tmp_path)
    done = typed("--embeddings", file)
    name = "char-CNN-RNN-embeddings.npz"
    # Two of the captions end with a blank, and are found without it too.
    assert f"wrote {name}: vectors of 8 captions, 6 numbers each" in done.stdout
    assert f"--embeddings {name}" in done.stdout
    assert "is there already" in refused("--embeddings", file)
    again = json.loads(typed("--embeddings", file, "--force", "--json").stdout)
    assert again == {"path": name, "captions": 8, "size": E}


def test_a_folder_gives_the_vectors_of_all_its_splits(tmp_path: Path) -> None:
    file = data_set(tmp_path)
    split = file.parent.rename(tmp_path / "birds" / "train")
    data_set(tmp_path / "other", names=("jpg/image_00001",))
    (tmp_path / "other" / "birds" / "test").rename(tmp_path / "birds" / "test")
    (tmp_path / "other" / "birds" / "text_c10" / "class_00077").rename(
        tmp_path / "birds" / "text_c10" / "class_00077"
    )
    out = tmp_path / "all.npz"
    done = typed("--embeddings", tmp_path / "birds", f"--out={out}")
    assert done.exit_code == 0, done.output
    check(Embeddings(out), (*BIRDS, "jpg/image_00001"))
    wide = [vectors(name, K, E + 1) for name in BIRDS]
    (split / file.name).write_bytes(dumped(wide))
    assert "have 7 numbers" in refused(
        "--embeddings", tmp_path / "birds", f"--out={out}", "--force"
    )
    assert "there is no char-CNN-RNN-embeddings.pickle" in refused("--embeddings", split)


class Call:
    def __reduce__(self) -> Any:
        return os.mkdir, ("trap",)


def nothing_of(file: Path) -> None:
    file.with_name("filenames.pickle").unlink()


def too_few(file: Path) -> None:
    file.with_name("filenames.pickle").write_bytes(dumped([BIRDS[0].encode()]))


def silent(file: Path) -> None:
    (file.parents[1] / "text_c10").rename(file.parents[1] / "away")


def short(file: Path) -> None:
    (file.parents[1] / "text_c10" / f"{BIRDS[1]}.txt").write_text("one line\n")


def lost(file: Path) -> None:
    (file.parents[1] / "text_c10" / f"{BIRDS[1]}.txt").unlink()


def astray(file: Path) -> None:
    names = [BIRDS[0].encode(), b"../../secret"]
    (file.parents[2] / "secret.txt").write_text("a\nb\nc\n")
    file.with_name("filenames.pickle").write_bytes(dumped(names))


def holding(arrays: Any) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(dumped(arrays))


def lying(file: Path) -> None:
    """Of 3 × 6 numbers it says that they are 3 × 7."""
    data = file.read_bytes()
    shape = pickle.BININT1 + bytes([K]) + pickle.BININT1 + bytes([E]) + pickle.TUPLE2
    assert shape in data
    file.write_bytes(data.replace(shape, shape.replace(bytes([E]), bytes([E + 1]))))


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "names are missing": (nothing_of, "filenames.pickle cannot be read: No such file"),
    "names are too few": (too_few, "vectors of 2 pictures, and"),
    "captions are missing": (silent, "there are no captions for the vectors in"),
    "a text is missing": (lost, f"there are no captions of '{BIRDS[1]}'"),
    "a text is short": (short, "picture 2 has 3 vectors, and 1 captions"),
    "a name leads astray": (astray, "there are no captions of '../../secret'"),
    "numbers are not finite": (holding([np.full((K, E), np.nan)] * 2), "are not finite"),
    "an array lies": (lying, "is not as large as it says"),
    "sizes differ": (holding([vectors("a"), vectors("b", K, E + 1)]), "differ in size"),
    "whole numbers": (holding([np.ones((K, E), np.int64)] * 2), "holds no vectors of captions"),
    "big-endian": (holding([np.ones((K, E), ">f4")] * 2), "holds no vectors of captions"),
    "objects": (holding([np.array([None])] * 2), "holds no vectors of captions"),
    "a list of texts": (holding([b"a", b"b"]), "holds no vectors of captions"),
    "nothing": (holding([]), "holds no vectors of captions"),
    "a call": (holding([Call()]), "asks for posix.mkdir"),
    "cut off": (lambda file: file.write_bytes(file.read_bytes()[:-90]), "is damaged"),
    "a checkpoint": (lambda file: save({"epoch": 3}, file), "holds no vectors of captions"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_does_not_go_together_is_refused_and_leaves_nothing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spoil, wanted = WRONG[kind]
    file = data_set(tmp_path)
    spoil(file)
    assert wanted in refused("--embeddings", file)
    left = {each.name for each in tmp_path.rglob("*")}
    assert not any(name == "trap" or ".npz" in name for name in left)


def test_captions_of_lua_without_vectors_are_refused(tmp_path: Path) -> None:
    file = save_lua({"raw_txt": ["a"], "fea_txt": []}, tmp_path / "captions.t7")
    assert "captions in it have no vectors" in refused("--embeddings", file)


def test_vectors_are_made_by_themselves_and_written_where_that_can_be(tmp_path: Path) -> None:
    file = data_set(tmp_path)
    for other in ("attngan", "--fp16", "--single-file", "--bundle=birds"):
        assert "makes a file of vectors" in refused("--embeddings", file, other, status=2)
    out = tmp_path / "nowhere" / "captions.npz"
    assert "No such file or directory" in refused("--embeddings", file, f"--out={out}")
