"""Byte pairs are learnt by the book, and data sets read with them."""

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import golden
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from t2i.runtime.bundle import Text
from t2i.runtime.errors import DataError, UsageError
from t2i.runtime.text import Tokenizer, vocabulary_size
from t2i.train import data
from t2i.train.data.bytepairs import FEWEST, learn
from t2i.train.data.check import check

OFFICIAL = Path(golden.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"


def by_the_book(texts: list[str], most: int) -> list[str]:
    """Count all pairs again for each that is joined."""
    counts = Counter(word for text in texts for word in text.split())
    words = {word: [*word[:-1], f"{word[-1]}</w>"] for word in counts}
    merges: dict[str, str] = {}
    while len(merges) < most:
        often = Counter[tuple[str, str]]()
        for word, parts in words.items():
            for pair in pairwise(parts):
                often[pair] += counts[word]
        left = [(-n, pair) for pair, n in often.items() if n > 1 and "".join(pair) not in merges]
        if not left:
            break
        _, pair = min(left)
        merges["".join(pair)] = " ".join(pair)
        for parts in words.values():
            place = 0
            while place < len(parts) - 1:
                if tuple(parts[place : place + 2]) == pair:
                    parts[place : place + 2] = ["".join(pair)]
                place += 1
    return list(merges.values())


@given(st.lists(st.text("abc ", max_size=30), max_size=8), st.integers(0, 12))
def test_the_most_frequent_pair_is_joined_first(texts: list[str], most: int) -> None:
    file = json.loads(learn(texts, FEWEST + most))
    assert file["model"]["merges"] == by_the_book(texts, most)


def test_too_few_ids_are_refused() -> None:
    with pytest.raises(UsageError, match="513 ids") as caught:
        learn(["a bird"], 513)
    assert "pairs=514" in caught.value.hint


def birds(pairs: int = 700, tokens: int = 77) -> data.Settings:
    return data.Settings(kind="birds", px=(16,), count=4, tokens=tokens, pairs=pairs)


def test_drawn_birds_are_read_with_the_same_pairs_in_every_split() -> None:
    train, test = (data.open(birds(), split, ready=False) for split in ("train", "test"))
    assert train.tokenizer == test.tokenizer
    assert vocabulary_size(train.tokenizer) == train.source().vocabulary == 700
    assert (train.text.length, train.text.unknown) == (77, "keep")


def test_every_word_of_the_birds_can_be_a_token() -> None:
    tokenizer = data.open(birds(pairs=1024), ready=False).tokenizer
    reader = Tokenizer.from_json(tokenizer, Text("tokenizer.json", "", 77, "keep"))
    assert len(reader.read("a tiny crimson songbird").tokens) == 6


def test_captions_of_a_batch_begin_end_and_are_cut() -> None:
    batch = data.open(birds(tokens=6)).batch(0, 4, seed=0)
    assert batch.tokens.shape == (4, 6)
    assert (batch.tokens[:, 0] == 698).all()
    assert (batch.tokens.argmax(dim=1) == (batch.tokens != 0).sum(dim=1) - 1).all()


@pytest.fixture
def photographs(tmp_path: Path) -> data.Settings:
    lines, train = [], tmp_path / "train"
    train.mkdir()
    for place, text in enumerate(["一只红色的鸟", "красная птица", "a red bird"]):
        Image.new("RGB", (20, 20), "red").save(train / f"{place}.png")
        lines.append(json.dumps({"file_name": f"{place}.png", "text": text}))
    (train / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return data.Settings(kind="folder", folder=str(tmp_path), px=(16,), tokens=77, pairs=600)


def test_photographs_may_have_captions_in_any_script(photographs: data.Settings) -> None:
    dataset = data.open(photographs)
    assert len(dataset) == 3
    assert min(len(dataset.item(n, 0).tokens) for n in range(3)) > 2


def test_captions_in_any_script_are_no_problem(photographs: data.Settings) -> None:
    report = check(photographs, batch_size=2)
    assert report.good
    assert (report.longest, report.cut) == (3, 0)
    assert not check(replace(photographs, tokens=None), batch_size=2).good


def test_the_official_pairs_may_be_taken(photographs: data.Settings, tmp_path: Path) -> None:
    dataset = data.open(replace(photographs, merges=str(OFFICIAL)))
    assert dataset.source().vocabulary == 49_408
    with pytest.raises(DataError, match="cannot be read") as caught:
        data.open(replace(photographs, merges=str(tmp_path / "none.gz")))
    assert "merges=PATH" in caught.value.hint
