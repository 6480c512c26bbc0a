"""Bundles that draw classes: a name is asked for, and captions only when somebody says so."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundles import file, manifest, save_manifest
from commands import differ, failed, names, pixels, records
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

import t2i
from t2i.runtime import rules
from t2i.runtime.bundle import Bundle, Text
from t2i.runtime.classes import class_of, nearest_class
from t2i.runtime.cli.run import app
from t2i.runtime.errors import BundleError, TextError, UsageError
from t2i.runtime.text import word_tokenizer

CLASSES = ("Black footed Albatross", "Blue jay", "Blue", "wren")
KNOWN = ("black footed albatross", "blue jay", "blue", "wren")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def aviary(own_bundle: Path) -> Path:
    """A bundle that draws classes."""
    return into_classes(own_bundle)


def into_classes(bundle: Path, *, known: tuple[str, ...] = CLASSES, whole: bool = True) -> Path:
    (bundle / "tokenizer.json").write_bytes(word_tokenizer(known, whole=whole))
    about = replace(
        manifest(bundle, "own"),
        condition="class",
        classes=CLASSES,
        text=Text("tokenizer.json", file(bundle, "tokenizer.json").sha256, 1, "drop"),
    )
    save_manifest(bundle, about)
    return bundle


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--device=cpu", "--threads=1"])


@pytest.mark.parametrize(
    ("caption", "meant"),
    [
        ("a wren", "wren"),
        ("A WREN, or a blue jay?", "wren"),
        ("a blue jay or a wren", "blue jay"),
        ("a blue bird that is no jay", "blue"),
        ("the black-footed albatross", "black footed albatross"),
        ("wrens", "wren"),
        ("a blu bird", "blue"),
        ("a small blue jy", "blue"),
        ("black foted albatros", "black footed albatross"),
        ("a bird", None),
        ("", None),
        ("鳥", None),
    ],
)
def test_a_caption_means_the_class_it_names_first_or_spells_most_alike(
    caption: str, meant: str | None
) -> None:
    assert nearest_class(caption, KNOWN) == meant


@given(st.sampled_from(KNOWN), st.sampled_from(["", "a ", "the small "]), st.booleans())
def test_a_caption_that_holds_one_name_means_it(name: str, before: str, loud: bool) -> None:
    caption = f"{before}{name} on a branch"
    assert nearest_class(caption.upper() if loud else caption, KNOWN) == name


@given(st.text(max_size=60), st.lists(st.text(max_size=12), max_size=5))
def test_any_text_means_a_class_or_none(caption: str, classes: list[str]) -> None:
    assert nearest_class(caption, classes) in [None, *classes]


def test_a_long_caption_and_many_classes_take_no_time() -> None:
    many = [f"class number {n}" for n in range(1000)]
    begun = time.process_time()
    assert nearest_class("bird " * 2_000_000, many) is None
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("text", "nearest", "message", "hint"),
    [
        ("wen", False, "there is no class 'wen'", "did you mean 'wren'? --nearest-class takes"),
        ("rewn", False, "there is no class 'rewn'", "did you mean 'wren'?"),
        ("blue jai", False, "there is no class 'blue jai'", "did you mean 'blue jay'?"),
        ("a blue bird", False, "there is no class 'a blue bird'", "'blue'? --nearest-class takes"),
        ("dodo", False, "there is no class 'dodo'", "its classes are black footed albatross, "),
        ("dodo", True, "'dodo' is near to no class", "its classes are black footed albatross, "),
        (" ", True, "the caption is empty", "its classes are"),
        ("x" * 5000, False, "there is no class", "its classes are"),
    ],
)
def test_what_is_no_class_is_an_error_that_helps(
    text: str, nearest: bool, message: str, hint: str
) -> None:
    with pytest.raises(TextError) as caught:
        class_of(text, KNOWN, nearest=nearest)
    assert message in str(caught.value)
    assert hint in caught.value.hint
    assert len(str(caught.value) + caught.value.hint) < 250


def test_many_classes_are_not_all_listed() -> None:
    with pytest.raises(TextError) as caught:
        class_of("dodo", [f"number {n}" for n in range(1000)], nearest=True)
    assert caught.value.hint.endswith("number 11, …")


def test_a_class_is_asked_for_by_its_whole_name_in_capitals_or_not(aviary: Path) -> None:
    done = run(" blue JAY", "--model", aviary, "--json")
    assert done.exit_code == 0, done.stderr
    assert records(done.stdout)[0]["words"] == ["blue jay"]
    assert "did you mean 'blue jay'" in failed(run("blue jai", "--model", aviary))


def test_captions_are_drawn_as_classes_only_when_asked(here: Path, aviary: Path) -> None:
    said = failed(run("a wren on a branch", "--model", aviary))
    assert "there is no class 'a wren on a branch' in this bundle" in said
    assert names(here) == []
    done = run("a wren on a branch", "blue jay", "--nearest-class", "--model", aviary, "--json")
    assert done.exit_code == 0, done.stderr
    assert "'a wren on a branch' is drawn as the class 'wren'\n" in done.stderr
    assert "'blue jay' is" not in done.stderr, "it is the name itself"
    first, second = records(done.stdout)
    assert (first["caption"], first["words"]) == ("a wren on a branch", ["wren"])
    assert second["words"] == ["blue jay"]
    drawn = t2i.load(aviary, device="cpu", threads=1).draw(["wren", "blue jay"])
    for record, picture in zip((first, second), drawn, strict=True):
        assert differ(pixels(here / record["file"]), picture) <= 1


def test_a_file_of_captions_tells_its_classes_and_goes_on(here: Path, aviary: Path) -> None:
    lines = ["a dodo", "wren", *["a blue bird"] * 3, *(f"wren number {n}" for n in range(12))]
    (here / "captions.txt").write_text("\n".join(lines), encoding="utf-8")
    order = ("--captions=captions.txt", "--out=drawn", "--model", aviary)
    done = run(*order, "--nearest-class")
    said = failed(done)
    assert "captions.txt, line 1: the caption 'a dodo' is near to no class" in said
    assert "'wren number 0' is drawn as the class 'wren'" in said
    assert "and so on, 13 captions: wren 12, blue 1\n" in said
    index = records((here / "drawn" / "index.jsonl").read_text())
    assert [entry["words"] for entry in index[:3]] == [[], ["wren"], ["blue"]]
    assert "it was drawn with --nearest-class" in failed(run(*order, "--resume"))
    assert "1 of 17 captions" in failed(run(*order, "--resume", "--nearest-class"))


def test_a_bundle_that_reads_captions_knows_no_classes(tiny_bundle: Path) -> None:
    said = failed(run("a red bird", "--nearest-class", "--model", tiny_bundle), status=2)
    assert "tiny draws captions, and knows no classes" in said
    with pytest.raises(UsageError):
        t2i.load(tiny_bundle, nearest_class=True)


@pytest.fixture
def loads() -> Callable[[Path], t2i.Painter]:
    return lambda path: t2i.load(path, device="cpu", threads=1, nearest_class=True)


def test_python_takes_captions_for_classes_too(
    aviary: Path, loads: Callable[[Path], t2i.Painter]
) -> None:
    painter = loads(aviary)
    near, exact = painter("a wren", seed=3), painter("wren", seed=3)
    assert differ(np.asarray(near), np.asarray(exact)) <= 1
    painted = painter.paint(["a wren"], seeds=[3]).pictures[0]
    assert differ(painted, np.asarray(exact)) <= 1


def test_a_class_bundle_needs_its_classes(aviary: Path) -> None:
    sound = Bundle.load(aviary).manifest
    assert sound.text
    assert list(rules.problems(replace(sound, classes=())))
    long = replace(sound.text, length=2)
    assert list(rules.problems(replace(sound, text=long))), "a name is one token"


@pytest.mark.parametrize(
    ("known", "whole"), [(CLASSES[::-1], True), (CLASSES[:3], True), (("a", "b", "c", "d"), False)]
)
def test_a_tokenizer_of_other_classes_is_refused(
    own_bundle: Path, known: tuple[str, ...], whole: bool
) -> None:
    into_classes(own_bundle, known=known, whole=whole)
    assert Bundle.load(own_bundle)
    with pytest.raises(BundleError, match="its tokenizer reads something else"):
        t2i.load(own_bundle, device="cpu", threads=1)


def test_the_list_says_what_a_bundle_draws(here: Path, aviary: Path) -> None:
    aviary.rename(here / "own.t2i")
    done = run("--list")
    assert (
        "class" in next(row for row in done.stdout.splitlines() if row.startswith("own ")).split()
    )
    assert 'next: t2i-run --model own "Black footed Albatross"' in done.stderr
    listed = {each["name"]: each for each in records(run("--list", "--json").stdout)}
    assert listed["own"]["condition"] == "class"
    assert listed["own"]["classes"] == list(CLASSES)
