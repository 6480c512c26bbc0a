"""min-dalle's pairs: the official ids, by its own words."""

import json
from typing import Any

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from t2i.runtime.asciipairs import AsciiPairs, ascii_pair_tokenizer
from t2i.runtime.bundle import Text
from t2i.runtime.errors import BundleError, DataError, TextError
from t2i.runtime.text import Tokenizer, vocabulary_size

MERGES = ["\u0120 b", "r e", "i r", "re d", "\u0120b ir", "\u0120bir d", "e d", "d d", "dd d"]
PIECES = [*"\u0120abdeir.", *(merge.replace(" ", "") for merge in MERGES)]
IDS = {name: place for place, name in enumerate(["<s>", "<pad>", "</s>", "<unk>", *PIECES])}
VOCABULARY = json.dumps(IDS).encode()
LINES = "\n".join(["#version: 0.2", *MERGES, ""]).encode()
FILE = ascii_pair_tokenizer(VOCABULARY, LINES)


def spelled(word: str) -> list[int]:
    """By the definition: the earliest pair is joined where it stands first, again and again."""
    parts = ["\u0120", *word]
    ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(MERGES)}
    while True:
        pairs = [(parts[at], parts[at + 1]) for at in range(len(parts) - 1)]
        known = [(ranks[pair], at) for at, pair in enumerate(pairs) if pair in ranks]
        if not known:
            return [IDS.get(part, IDS["<unk>"]) for part in parts]
        _, at = min(known)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def official(text: str) -> list[int]:
    """A text without emoji, between spaces and nothing else."""
    plain = text.lower().encode("ascii", errors="ignore").decode()
    return [each for word in plain.split(" ") if word for each in spelled(word)]


def reader(length: int = 64, surplus: Any = "cut") -> Tokenizer:
    return Tokenizer.from_json(FILE, Text("tokenizer.json", "", length, "keep", surplus))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a red bird",
        "  A  RED   bird ",
        "birdbird dddddd reddd",
        "a\tred\nbird",
        "caf\u00e9 \u0130re \u212a \u0120b \u4e00 bird",
        "</s> <s>",
        "\u0120",
    ],
)
def test_each_text_has_the_ids_of_the_definition(text: str) -> None:
    assert AsciiPairs(FILE).ids(text) == official(text)


@given(st.text(st.sampled_from("abdeir .\n\u00e9\u0130X")))
def test_any_text_has_the_ids_of_the_definition(text: str) -> None:
    found = reader(200).read(text)
    assert found.tokens == (0, *official(text)[:198], 2)


def test_a_host_with_the_library_alone_reads_alike() -> None:
    library = tokenizers.Tokenizer.from_str(FILE.decode())
    ids = library.encode("A red caf\u00e9.").ids
    assert ids == [0, *official("A red caf\u00e9."), 2]


def test_what_is_left_out_of_a_caption_is_named() -> None:
    read = reader().read("a Red \u00e9\u00e9 bird \u2603")
    assert read.unknown == ("\u00e9", "\u2603")
    assert read.tokens == (0, *official("a red bird"), 2)


def test_surplus_tokens_are_cut_before_the_end_and_counted() -> None:
    read = reader(5).read("bird bird bird a red")
    bird = IDS["\u0120bird"]
    assert read.tokens == (0, bird, bird, bird, 2)
    assert (read.surplus, read.words) == (len(official("a red")), ("bird",) * 3)
    with pytest.raises(TextError, match="tokens too many"):
        reader(5, "refuse").read("bird bird bird a red")


def test_all_ids_are_counted() -> None:
    assert vocabulary_size(FILE) == len(IDS)
    assert "</s>" not in reader().vocabulary
    assert reader().unit == "token"


@pytest.mark.parametrize(
    ("vocabulary", "merges"),
    [
        (b"", LINES),
        (b"[1, 2]", LINES),
        (b"\xff", LINES),
        (json.dumps({**IDS, "a": "b"}).encode(), LINES),
        (json.dumps({**IDS, "a": 0}).encode(), LINES),
        (
            json.dumps({name: place for name, place in IDS.items() if name != "</s>"}).encode(),
            LINES,
        ),
        (json.dumps({name: place for name, place in IDS.items() if name != "red"}).encode(), LINES),
        (VOCABULARY, b"#version: 0.2\na b\n"),
        (VOCABULARY, b"#version: 0.2\na b d\n"),
        (VOCABULARY, b"#version: 0.2\nab\n"),
    ],
)
def test_files_that_contradict_each_other_are_refused(vocabulary: bytes, merges: bytes) -> None:
    with pytest.raises(DataError) as caught:
        ascii_pair_tokenizer(vocabulary, merges)
    assert "vocab.json and merges.txt" in caught.value.hint


TEXT = FILE.decode()


@pytest.mark.parametrize(
    "damaged",
    [
        TEXT.replace("Lowercase", "NFC"),
        TEXT.replace('"always"', '"never"'),
        TEXT.replace('"r e"', '"r q"'),
        TEXT.replace(f'"red": {IDS["red"]}', '"red": 7'),
        TEXT.replace(f'"red": {IDS["red"]}', f'"red": {IDS["red"]}.0'),
        TEXT.replace('"<unk>": 3', '"<unknown>": 3'),
    ],
)
def test_another_tokenizer_is_refused(damaged: str) -> None:
    assert damaged != TEXT
    with pytest.raises(BundleError, match="tokenizer") as caught:
        Tokenizer.from_json(damaged.encode(), Text("tokenizer.json", "", 64, "keep"))
    assert caught.value.hint
