"""A zip is a bundle only if it is small, plain and whole."""

import random
import zipfile
from pathlib import Path

import pytest
from bundles import problem, refused, zipped

from t2i.runtime import archives
from t2i.runtime.bundle import Bundle
from t2i.runtime.errors import BundleError


def test_a_truncated_zip_is_refused_wherever_it_ends(own_bundle: Path) -> None:
    path = zipped(own_bundle)
    data = path.read_bytes()
    for end in range(0, len(data), max(1, len(data) // 200)):
        path.write_bytes(data[:end])
        refused(path)


def test_a_zip_with_a_flipped_byte_is_refused_or_unharmed(own_bundle: Path) -> None:
    path = zipped(own_bundle)
    data, sha256 = path.read_bytes(), Bundle.load(path).sha256
    chance = random.Random(0)
    for _ in range(300):
        place = chance.randrange(len(data))
        path.write_bytes(data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :])
        found = problem(Bundle.load, path)
        assert found.hint if found else Bundle.load(path).sha256 == sha256


def test_a_zip_bomb_is_not_unpacked(own_bundle: Path) -> None:
    path = zipped(own_bundle)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(50_000_000))
    assert "would grow" in refused(path)


def test_a_zip_that_lies_about_a_size_gives_no_more_than_it_says(own_bundle: Path) -> None:
    (own_bundle / "card.md").write_bytes(bytes(100_000))
    path = zipped(own_bundle)
    honest, lie = (100_000).to_bytes(4, "little"), (35).to_bytes(4, "little")
    assert path.read_bytes().count(honest) == 2  # before the file and in the table of contents
    path.write_bytes(path.read_bytes().replace(honest, lie))
    assert "card.md" in refused(path) or "damaged zip" in refused(path)


def test_odd_zips_are_refused(own_bundle: Path) -> None:
    path = zipped(own_bundle)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"hello"
    assert "plain zip" in refused(path)
    refused(zipped(own_bundle, zipfile.ZIP_BZIP2))

    path = zipped(own_bundle)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("card.md", "another")
    assert "same name" in refused(path)

    with zipfile.ZipFile(path, "w") as archive:
        for file in own_bundle.iterdir():
            archive.write(file, f"own.t2i/{file.name}")
    with pytest.raises(BundleError, match=r"no manifest\.json") as caught:
        Bundle.load(path)
    assert "without their folder" in caught.value.hint


def test_an_encrypted_zip_is_refused(own_bundle: Path) -> None:
    path = zipped(own_bundle)
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + flags] |= 1
            at = data.find(signature, at + 4)
    path.write_bytes(data)
    assert "encrypted" in refused(path)


def test_a_huge_table_of_contents_is_not_read(
    own_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(own_bundle)
    monkeypatch.setattr(archives, "DIRECTORY_BYTES", 100)
    assert "plain zip" in refused(path)
