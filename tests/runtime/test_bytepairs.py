"""Byte pairs: the official ids, on every case of the official tokenizer."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import ftfy
import golden
import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from t2i.runtime.bundle import Text
from t2i.runtime.bytepairs import (
    BYTES,
    PIECES,
    READ_CHARACTERS,
    BytePairs,
    byte_pair_tokenizer,
    clean,
    official_merges,
)
from t2i.runtime.errors import BundleError, DataError, TextError
from t2i.runtime.text import Tokenizer, vocabulary_size

CASES = {case.name: case for case in golden.cases("clip")}
TEXTS: list[dict[str, Any]] = CASES["tokenizer"].spec["tokenizer"]
MERGES = ["r e", "re d</w>", "b i", "r d</w>", "bi rd</w>"]
START, END = 517, 518
RED, BIRD = 513, 516


@pytest.fixture(scope="module")
def official() -> bytes:
    packed = (Path(golden.__file__).parent / "bpe_simple_vocab_16e6.txt.gz").read_bytes()
    return byte_pair_tokenizer(official_merges(packed))


@pytest.fixture(scope="module")
def pairs(official: bytes) -> BytePairs:
    return BytePairs(official)


def small(length: int = 77, surplus: Any = "cut") -> Tokenizer:
    settings = Text("tokenizer.json", "", length, "keep", surplus)
    return Tokenizer.from_json(byte_pair_tokenizer(MERGES), settings)


@pytest.mark.parametrize("case", TEXTS, ids=[case["name"] for case in TEXTS])
def test_each_text_has_its_official_ids(pairs: BytePairs, case: dict[str, Any]) -> None:
    assert pairs.ids(case["text"]) == case["ids"]


@pytest.mark.parametrize("name", ["tokenizer", "tokenizer_short_context"])
def test_captions_have_the_official_rows(official: bytes, name: str) -> None:
    case = CASES[name]
    length = case.settings["context_length"]
    tokenizer = Tokenizer.from_json(official, Text("tokenizer.json", "", length, "keep"))
    tokens = tokenizer.encode(case.inputs()["texts"].tolist())
    rows = np.pad(tokens, ((0, 0), (0, length - tokens.shape[1])))
    assert (rows == case.expected["tokens"]).all()
    if name == "tokenizer":
        assert (rows.argmax(axis=1) == case.expected["argmax"]).all()
        cut = [tokenizer.read(each["text"]).surplus > 0 for each in TEXTS]
        assert cut == [not each["fits_77"] for each in TEXTS]


def test_the_official_vocabulary_has_49408_ids(official: bytes) -> None:
    assert vocabulary_size(official) == 49_408


def test_a_host_with_the_library_alone_reads_plain_texts_alike(
    official: bytes, pairs: BytePairs
) -> None:
    library = tokenizers.Tokenizer.from_str(official.decode())
    plain = [each for each in TEXTS if not each["needs_ftfy"] and "&" not in each["text"]]
    assert len(plain) > 20
    for each in plain:
        ids = library.encode(each["text"]).ids
        assert (ids[0], ids[-1]) == (49_406, 49_407)
        assert ids[1:-1] == each["ids"], each["name"]


plain_text = st.text(st.characters(max_codepoint=126, exclude_categories=["Cc"]))


@given(plain_text)
def test_ftfy_would_change_nothing_in_texts_that_are_read_without_it(text: str) -> None:
    if not re.search(r"&#?\w+;", text):
        assert ftfy.fix_text(text).split() == text.split()


def test_ftfy_is_imported_for_texts_that_need_it_alone() -> None:
    code = (
        "import sys; from t2i.runtime.bytepairs import clean\n"
        "assert clean('A red  bird & its nest\\n') == 'a red bird & its nest'\n"
        "assert 'ftfy' not in sys.modules; clean('caf\u00c3\u00a9'); assert 'ftfy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    read = small(8).read(text)
    assert (read.tokens[0], read.tokens[-1]) == (START, END)
    assert len(read.tokens) <= 8
    assert read.unknown == ()
    assert set(read.words) <= set(clean(text).split()) | {read.words[-1] if read.words else ""}


def test_half_of_a_surrogate_pair_is_no_obstacle() -> None:
    assert len(small().read("red\ud83dbird").tokens) > 4


def test_words_are_joined_in_the_order_of_the_pairs() -> None:
    read = small().read("Red  BIRD")
    assert read.tokens == (START, RED, BIRD, END)
    assert read.words == ("red", "bird")


def test_surplus_tokens_are_cut_and_counted() -> None:
    read = small(5).read("red bird red bird red")
    assert read.tokens == (START, RED, BIRD, RED, END)
    assert (read.surplus, read.words) == (2, ("red", "bird", "red"))
    assert small(5).unit == "token"
    long = small(5).read("red " * READ_CHARACTERS)
    assert long.surplus == READ_CHARACTERS - 3


def test_a_bundle_may_refuse_surplus_tokens() -> None:
    assert small(5, "refuse").read("red bird red").surplus == 0
    with pytest.raises(TextError, match="2 tokens too many") as caught:
        small(5, "refuse").read("red bird red bird red")
    assert "at most 3 tokens" in caught.value.hint


GOOD = byte_pair_tokenizer(MERGES).decode()


@pytest.mark.parametrize(
    "damaged",
    [
        GOOD.replace('"r e"', '"r q"'),
        GOOD.replace('"r e"', '"r"'),
        GOOD.replace('"r e"', "3"),
        GOOD.replace('"red</w>": 513', '"red</w>": 7'),
        GOOD.replace("Lowercase", "NFC"),
        GOOD.replace(json.dumps(PIECES), '"x"'),
        GOOD.replace('"special": true', '"special": false'),
        GOOD.replace('"special": true', '"special": 1'),
        GOOD.replace('"end_of_word_suffix": "</w>"', '"end_of_word_suffix": null'),
    ],
)
def test_another_tokenizer_is_refused(damaged: str) -> None:
    assert damaged != GOOD
    with pytest.raises(BundleError, match="tokenizer") as caught:
        Tokenizer.from_json(damaged.encode(), Text("tokenizer.json", "", 77, "keep"))
    assert caught.value.hint


@pytest.mark.parametrize("merges", [["r e", "r e"], ["re d"], ["r e d"], ["r"]])
def test_pairs_that_contradict_each_other_are_refused(merges: list[str]) -> None:
    with pytest.raises(DataError, match="contradict"):
        byte_pair_tokenizer(merges)


@pytest.mark.parametrize("data", [b"", b"#version: 0.2\nr e\n", b"\x1f\x8b\x08\x00rest"])
def test_what_is_no_file_of_official_pairs_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="48,894") as caught:
        official_merges(data)
    assert "openai/CLIP" in caught.value.hint


def test_every_byte_has_a_character_of_its_own() -> None:
    assert len(set(BYTES)) == 256
    assert BYTES[0] == "!"
    assert not any(each.isspace() for each in BYTES)
