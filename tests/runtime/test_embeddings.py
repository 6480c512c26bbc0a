"""Files of vectors: what is found under a caption, and what is refused."""

import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from t2i.runtime.embeddings import LARGEST, Embeddings
from t2i.runtime.errors import DataError

CAPTIONS = ("a red bird", "A red bird.", "un oiseau rouge, où?", "black/white wings", "")


def saved(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_each_caption_has_its_own_vector_letter_for_letter(tmp_path: Path, dtype: str) -> None:
    vectors = {text: np.arange(5, dtype=dtype) + n for n, text in enumerate(CAPTIONS)}
    found = Embeddings(saved(tmp_path / "v.npz", **vectors))
    for text, vector in vectors.items():
        read = found.get(text)
        assert read is not None
        assert read.dtype == np.float32
        assert read.tolist() == vector.tolist()
    for text in ("a red bir", "A RED BIRD", "a red bird.npy", "../v"):
        assert found.get(text) is None


class Explosive:
    """Unpickling it runs code."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("this was unpickled",))

    def __repr__(self) -> str:
        return "Explosive()"  # an address would call the test otherwise in each process


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 3), np.float32),
        np.zeros(0, np.float32),
        np.float32(1.0),
        np.arange(3),
        np.array([1.0, np.nan]),
        np.array(["a"]),
        np.zeros(LARGEST + 1, np.float16),
        np.array([Explosive()], dtype=object),
    ],
    ids=str,
)
def test_what_is_no_vector_is_refused(tmp_path: Path, wrong: Any) -> None:
    found = Embeddings(saved(tmp_path / "v.npz", **{"a red bird": wrong}))
    with pytest.raises(DataError, match="'a red bird' is no vector") as caught:
        found.get("a red bird")
    assert caught.value.hint


def test_a_damaged_array_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "v.npz", "w") as archive:
        archive.writestr("a red bird.npy", pickle.dumps(Explosive()))
    with pytest.raises(DataError, match="is no vector"):
        Embeddings(tmp_path / "v.npz").get("a red bird")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.npz", None, "there is no file"),
        ("v.npz", b"no zip", "cannot be read"),
        ("v.pkl", pickle.dumps([1.0]), "not read from v.pkl"),
        ("v", b"", "not read from v"),
    ],
)
def test_other_files_are_refused(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        Embeddings(tmp_path / name)
    assert caught.value.hint


@pytest.mark.parametrize(("offset", "odd"), [(6, b"\x63"), (48, b"\xff")])
def test_a_zip_with_an_odd_table_of_contents_is_refused(
    tmp_path: Path, offset: int, odd: bytes
) -> None:
    """Of a version that nobody writes; with a name that is no text."""
    path = saved(tmp_path / "v.npz", grün=np.zeros(3))
    data = path.read_bytes()
    place = data.index(b"PK\1\2") + offset
    path.write_bytes(data[:place] + odd + data[place + 1 :])
    with pytest.raises(DataError, match="cannot be read"):
        Embeddings(path)


@pytest.mark.parametrize("ending", [".h5", ".hdf5", ".HDF5"])
def test_hdf5_is_read_too(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"v{ending}"
    with h5py.File(path, "w") as file:
        file["a red bird"] = np.arange(3, dtype=np.float32)
        file["a/group"] = np.arange(3, dtype=np.float32)
        file["3"] = np.arange(3)
    found = Embeddings(path)
    read = found.get("a red bird")
    assert read is not None
    assert read.tolist() == [0, 1, 2]
    assert found.get("a blue bird") is None
    assert found.get("a") is None
    with pytest.raises(DataError, match="is no vector"):
        found.get("3")


def test_what_is_no_hdf5_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.h5").write_bytes(b"something else")
    with pytest.raises(DataError, match="signature not found"):
        Embeddings(tmp_path / "v.h5")


def test_hdf5_leads_to_no_other_file(tmp_path: Path) -> None:
    secret = np.arange(3, dtype=np.float32)
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["key"] = secret
    secret.tofile(tmp_path / "secret.raw")
    elsewhere = h5py.VirtualLayout((3,), np.float32)
    elsewhere[:] = h5py.VirtualSource(tmp_path / "secret.h5", "key", (3,))
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["linked"] = h5py.ExternalLink("secret.h5", "key")
        file.create_virtual_dataset("virtual", elsewhere)
        raw = [(str(tmp_path / "secret.raw"), 0, 12)]
        file.create_dataset("raw", (3,), np.float32, external=raw)
    found = Embeddings(tmp_path / "v.h5")
    assert found.get("linked") is None
    for name in ("virtual", "raw"):
        with pytest.raises(DataError, match="it lies in another file"):
            found.get(name)


def test_without_h5py_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "v.h5").write_bytes(b"hdf5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match="h5py is needed") as caught:
        Embeddings(tmp_path / "v.h5")
    assert "pip install 't2i[hdf5]'" in caught.value.hint
