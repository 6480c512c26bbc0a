"""Captions become the same tokens here and in the tokenizers library."""

import json
import time

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from t2i.runtime.bundle import Text
from t2i.runtime.errors import BundleError, DataError, TextError
from t2i.runtime.text import (
    ALPHABET,
    CHARACTERS,
    READ_WORDS,
    Tokenizer,
    character_tokenizer,
    class_name,
    vocabulary_size,
    word_tokenizer,
    words_of,
)

WORDS = ["a", "red", "bird", "with", "white", "wings", "na", "ve", "x_1", "2"]
LENGTH = 6
UNKNOWN_ID = len(WORDS) + 1

# Any text at all, and text in which words of the vocabulary meet what may stand around them.
captions = st.text() | st.lists(
    st.sampled_from([*WORDS, "RED", "Bird", "naïve", "İ", "K", "鳥", "🐦", "\0", "ſ"])
    | st.text(" .,;-'\t\n\u00a0!", min_size=1)
    | st.text(max_size=3)
).map("".join)


def tokenizer(unknown: str = "drop", surplus: str = "cut", length: int = LENGTH) -> Tokenizer:
    return Tokenizer.from_json(word_tokenizer(WORDS), Text("t", "", length, unknown, surplus))


@pytest.fixture(scope="module")
def library() -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_str(word_tokenizer(WORDS).decode())


@given(captions)
def test_words_are_read_as_the_library_reads_them(
    library: tokenizers.Tokenizer, caption: str
) -> None:
    ids = library.encode(caption).ids
    for unknown, expected in (
        ("keep", ids[:LENGTH]),
        ("drop", [each for each in ids if each != UNKNOWN_ID][:LENGTH]),
    ):
        if set(expected) <= {UNKNOWN_ID}:
            with pytest.raises(TextError):
                tokenizer(unknown).read(caption)
        else:
            assert tokenizer(unknown).read(caption).tokens == tuple(expected)


# Letters that have no meaning yet may be lowered differently by a library of another year.
class_names = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=20)


@given(st.lists(class_names, min_size=1, max_size=4), class_names, st.sampled_from(" \t\u3000\x1c"))
def test_class_names_are_read_as_the_library_reads_them(
    names: list[str], other: str, space: str
) -> None:
    classes = sorted({class_name(name) for name in names} - {"", "<end>", "<unk>"})
    data = word_tokenizer(classes, whole=True)
    mine = Tokenizer.from_json(data, Text("t", "", 1, "drop"))
    library = tokenizers.Tokenizer.from_str(data.decode())
    for text in (*names, f"{space}{names[0].upper()}{space}", other):
        ids = library.encode(text).ids
        if ids in ([], [len(classes) + 1]):
            with pytest.raises(TextError):
                mine.read(text)
        else:
            assert mine.read(text).tokens == tuple(ids)


SPELLED = 12


def speller(unknown: str = "keep", surplus: str = "cut") -> Tokenizer:
    return Tokenizer.from_json(character_tokenizer(), Text("t", "", SPELLED, unknown, surplus))


@given(captions | st.text(st.sampled_from(ALPHABET + "ÄK\n")))
def test_characters_are_read_as_the_library_reads_them(caption: str) -> None:
    library = tokenizers.Tokenizer.from_str(character_tokenizer().decode())
    ids = library.encode(caption).ids
    assert len(ids) == len(caption)
    space, unknown = len(CHARACTERS), len(CHARACTERS) + 1
    for rule, wanted in (("keep", ids), ("drop", [each for each in ids if each != unknown])):
        if set(wanted[:SPELLED]) <= {space, unknown}:
            with pytest.raises(TextError):
                speller(rule).read(caption)
        else:
            assert speller(rule).read(caption).tokens == tuple(wanted[:SPELLED])


@given(st.text(min_size=1, max_size=SPELLED))
def test_characters_stand_for_the_columns_of_the_official_alphabet(caption: str) -> None:
    # The official table is filled in order: of a character that comes twice the later place stays.
    official = dict(zip(ALPHABET, range(len(ALPHABET)), strict=True))
    caption = "a" + "".join(each.lower() if each.isascii() else each for each in caption[1:])
    tokens = speller().read(caption).tokens
    known = [CHARACTERS[each - 1] if each <= len(CHARACTERS) else None for each in tokens]
    columns = [None if each is None else ALPHABET.rindex(each) for each in known]
    assert columns == [official.get(each) for each in caption]
    assert 36 not in columns


def test_unknown_characters_keep_their_place_and_are_named() -> None:
    read = speller().read("Naïve\tnest é")
    assert read.unknown == ("ï", "\t", "é")
    assert read.tokens == (14, 1, 70, 22, 5, 70, 14, 5, 19, 20, 69, 70)
    assert read.words == ("na", "ve", "nest")


def test_surplus_characters_are_cut_and_counted() -> None:
    read = speller().read("a red bird with wings")
    assert (len(read.tokens), read.surplus, read.words[-1]) == (SPELLED, 9, "w")
    assert speller().read("ab " * 1_000_000).surplus == 3_000_000 - SPELLED
    with pytest.raises(TextError, match="9 characters too many") as caught:
        speller(surplus="refuse").read("a red bird with wings")
    assert "at most 12 characters" in caught.value.hint


@pytest.mark.parametrize(
    ("caption", "message"),
    [("", "is empty"), (" \n ", "is empty"), ("鳥 🐦", "no character of the caption '鳥 🐦'")],
)
def test_a_caption_without_a_known_character_is_an_error(caption: str, message: str) -> None:
    with pytest.raises(TextError, match=message) as caught:
        speller().read(caption)
    assert caught.value.hint == "it knows characters such as a, b, c, d, e, f, g, h"


@given(captions)
def test_words_of_a_caption_are_those_that_the_library_splits(
    library: tokenizers.Tokenizer, caption: str
) -> None:
    assert len(words_of(caption)) == len(library.encode(caption).ids)


def test_half_of_a_surrogate_pair_is_no_letter() -> None:
    assert tokenizer().read("red\ud83dbird").words == ("red", "bird")


def test_unknown_words_are_dropped_or_kept_but_always_named() -> None:
    caption = "a purple bird, a PURPLE dodo"
    dropped, kept = tokenizer("drop").read(caption), tokenizer("keep").read(caption)
    assert dropped.unknown == kept.unknown == ("purple", "dodo")
    assert dropped.words == ("a", "bird", "a")
    assert dropped.tokens == (1, 3, 1)
    assert kept.words == ("a", "purple", "bird", "a", "purple", "dodo")
    assert kept.tokens == (1, UNKNOWN_ID, 3, 1, UNKNOWN_ID, UNKNOWN_ID)


@given(st.integers(1, 30))
def test_surplus_words_are_cut_and_counted(count: int) -> None:
    read = tokenizer().read("red " * count)
    assert len(read.tokens) == min(count, LENGTH)
    assert read.surplus == max(0, count - LENGTH)


@pytest.mark.parametrize("count", [10_000, READ_WORDS + 1, 2_500_000])
def test_a_caption_of_any_size_is_read_quickly_and_counted_exactly(count: int) -> None:
    caption = "red " * count
    start = time.process_time()
    assert tokenizer().read(caption).surplus == count - LENGTH
    assert time.process_time() - start < 3


def test_a_word_of_ten_megabytes_is_unknown_like_any_other() -> None:
    read = tokenizer().read("red " + "x" * 10_000_000)
    assert read.tokens == (2,)
    assert len(read.unknown[0]) <= 1000


def test_a_bundle_may_refuse_surplus_words() -> None:
    with pytest.raises(TextError, match="1 words too many") as caught:
        tokenizer(surplus="refuse").read("red " * (LENGTH + 1))
    assert str(LENGTH) in caught.value.hint


@pytest.mark.parametrize("unknown", ["drop", "keep"])
@pytest.mark.parametrize(
    ("caption", "message", "hint"),
    [
        ("", "is empty", "such as a, red, bird"),
        (" \n\t", "is empty", "such as"),
        ("?!", "no words in", "such as"),
        ("🐦", "no words in", "did you mean 'bird'"),
        ("whit wingz", "no word of", "did you mean 'white', 'with', 'wings'"),
        ("zzzz", "no word of", "such as"),
        ("zzzz " * 1000, "no word of", "such as"),
    ],
)
def test_a_caption_with_nothing_to_draw_is_an_error_that_names_known_words(
    unknown: str, caption: str, message: str, hint: str
) -> None:
    with pytest.raises(TextError, match=message) as caught:
        tokenizer(unknown).read(caption)
    assert hint in caught.value.hint
    assert len(str(caught.value)) < 150


def test_a_batch_is_padded_with_zero_to_its_longest() -> None:
    mine = tokenizer()
    tokens = mine.encode(["red", "a red bird", mine.read("bird bird")])
    assert tokens.dtype == np.int64
    assert tokens.tolist() == [[2, 0, 0], [1, 2, 3], [3, 3, 0]]


def test_the_vocabulary_counts_padding_and_the_unknown_word() -> None:
    assert vocabulary_size(word_tokenizer(WORDS)) == len(WORDS) + 2
    assert vocabulary_size(character_tokenizer()) == 71
    assert tokenizer().unknown_id == len(WORDS) + 1


@pytest.mark.parametrize("words", [["a", "a"], ["<unk>"], ["<end>", "a"]])
def test_a_vocabulary_with_a_word_twice_is_refused(words: list[str]) -> None:
    with pytest.raises(DataError):
        word_tokenizer(words)


GOOD = word_tokenizer(WORDS).decode()
FILE = json.loads(GOOD)
PAIRS = {**FILE["model"], "vocab": [["<end>", 0], [7, 1], ["<unk>", 2]]}
PAIRED = json.dumps({**FILE, "model": PAIRS})


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "[]",
        '{"model": 3}',
        "[" * 100_000,
        GOOD[:-10],
        GOOD.replace('"red": 2', '"red": 99'),
        GOOD.replace('"red": 2', '"red": 1'),
        GOOD.replace('"<end>": 0', '"<end>": -1'),
        PAIRED,
        GOOD.replace("WordLevel", "BPE"),
        GOOD.replace("Lowercase", "NFC"),
        GOOD.replace("[^a-z0-9_]+", "\\\\s+"),
        GOOD.replace('"added_tokens": []', '"added_tokens": [{"id": 3, "content": "x"}]'),
    ],
)
def test_another_tokenizer_is_refused(damaged: str) -> None:
    assert damaged != GOOD
    with pytest.raises(BundleError):
        Tokenizer.from_json(damaged.encode(), Text("t", "", LENGTH, "drop"))
