"""A name or a path leads to one bundle, the nearest."""

import shutil
import sys
from pathlib import Path

import pytest
from bundles import write_tiny_bundle, zipped

from t2i.runtime import places
from t2i.runtime.errors import BundleError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder and a home of their own."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("T2I_HOME", str(tmp_path / "home"))
    return folder


def test_a_path_is_taken_as_it_is(here: Path, tmp_path: Path) -> None:
    folder = write_tiny_bundle(tmp_path)
    assert places.find(str(folder)) == folder
    archive = zipped(folder)
    assert places.find(str(archive)) == archive
    plain = folder.rename(tmp_path / "no-ending")
    assert places.find(str(plain)) == plain


def test_the_current_folder_comes_before_the_home_and_what_ships(here: Path) -> None:
    yours = write_tiny_bundle(places.home() / "bundles")
    assert places.find("tiny") == places.find("tiny.t2i") == yours
    near = write_tiny_bundle(here)
    assert places.find("tiny").resolve() == near
    found = {each.name: each for each in places.bundles()}
    assert found["tiny"].origin == "here"
    shutil.rmtree(near)
    assert {each.name: each for each in places.bundles()}["tiny"].origin == "yours"


def test_a_zip_is_found_by_its_name(here: Path) -> None:
    archive = zipped(write_tiny_bundle(places.home() / "bundles"))
    assert places.find("zipped") == archive


def test_a_wrong_name_brings_up_the_closest(here: Path) -> None:
    write_tiny_bundle(here, "sparrows")
    with pytest.raises(BundleError, match="'sparows'") as caught:
        places.find("sparows")
    assert "'sparrows'" in caught.value.hint


@pytest.mark.parametrize("model", ["", ".", "some/where", "/no/such.t2i", "x" * 5000, "a\0b"])
def test_what_is_nowhere_is_an_error(here: Path, model: str) -> None:
    with pytest.raises(BundleError) as caught:
        places.find(model)
    assert caught.value.hint


def test_a_folder_without_manifest_is_told_so(here: Path) -> None:
    (here / "data").mkdir()
    with pytest.raises(BundleError, match=r"no manifest\.json"):
        places.find("data")


@pytest.mark.parametrize(
    ("platform", "variables", "data"),
    [
        ("linux", {"XDG_DATA_HOME": "x"}, "x/t2i"),
        ("linux", {"XDG_DATA_HOME": ""}, ".local/share/t2i"),
        ("darwin", {}, "Library/Application Support/t2i"),
        ("win32", {"LOCALAPPDATA": "x"}, "x/t2i"),
    ],
)
def test_each_platform_keeps_its_habits(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    platform: str,
    variables: dict[str, str],
    data: str,
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("T2I_HOME")
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value) if value else "")
    assert places.home() == tmp_path / data
    assert places.cache() != tmp_path


def test_the_home_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("T2I_HOME", str(tmp_path))
    assert places.home() == tmp_path
    assert places.cache().is_relative_to(tmp_path)
