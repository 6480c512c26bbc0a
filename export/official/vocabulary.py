"""The vocabularies that checkpoints were trained with, as they are published."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t2i.export.official import pickles
from t2i.export.official.natures import Damaged, explained, head_of
from t2i.export.official.published import PUBLISHED_WORDS, Reads
from t2i.runtime.asciipairs import ascii_pair_tokenizer
from t2i.runtime.bytepairs import byte_pair_tokenizer, official_merges
from t2i.runtime.errors import ExportError
from t2i.runtime.runs import TextSettings
from t2i.runtime.text import (
    PADDING,
    UNKNOWN,
    character_tokenizer,
    vocabulary_size,
    word_tokenizer,
)

FROM_FILES: dict[Reads, str] = {
    "words": "captions.pickle",
    "pairs": "bpe_simple_vocab_16e6.txt.gz",
    "pieces": "vocab.json",
}
"""What the file is called from which a vocabulary is read; the alphabet is known."""
PICKLE = b"\x80"
"""Begins pickles of protocol 2 and later; those of protocol 0 are text."""
WORDS = 25
"""Most words of a caption, as many as AttnGAN's code keeps of one at evaluation (CUB)."""
LETTERS, PIECES = 201, 64


@dataclass(frozen=True)
class Vocabulary:
    """How captions are read."""

    tokenizer: bytes
    """The `tokenizer.json`."""
    text: TextSettings

    @property
    def size(self) -> int:
        """Ids, those of the padding and the unknown word included."""
        return vocabulary_size(self.tokenizer)


def read(reads: Reads, path: Path | None, length: int | None) -> Vocabulary | None:
    """The vocabulary of a system; None where it reads no captions.

    Args:
        length: most tokens of a caption, where its weights tell.

    Raises:
        ExportError: the file lists no vocabulary.
    """
    if reads == "characters":
        return Vocabulary(character_tokenizer(), TextSettings(length or LETTERS, "keep"))
    if reads == "nothing" or path is None:
        return None
    if reads == "words":
        return Vocabulary(tokenizer_of(read_words(path)), TextSettings(length or WORDS, "drop"))
    if reads == "pieces":  # which lie beside each other
        with explained(path):
            merged = path.with_name("merges.txt").read_bytes()
            tokenizer = ascii_pair_tokenizer(path.read_bytes(), merged)
        return Vocabulary(tokenizer, TextSettings(length or PIECES, "keep"))
    with explained(path):
        merges = official_merges(path.read_bytes())
    return Vocabulary(byte_pair_tokenizer(merges), TextSettings(length or len(merges), "keep"))


def check(words: Vocabulary, ids: int, vocabulary: Path | None, encoder: Path) -> None:
    """
    Args:
        ids: for how many the networks have embeddings.

    Raises:
        ExportError: the vocabulary has another number of words.
    """
    if words.size == ids or vocabulary is None:
        return
    unit, extra = ("words", 1) if words.text.unknown == "drop" else ("ids", 0)
    # Their files of words count the end of a caption, but no unknown word.
    read, listed = ids - extra, words.size - extra
    likely = PUBLISHED_WORDS.get(read, "the vocabulary that was published with the encoder")
    raise ExportError(
        f"{encoder} reads {read:,} {unit}, and {vocabulary} lists {listed:,}",
        hint=f"pass {likely}; one that is built again from captions has other words, in another "
        "order",
    )


def read_words(path: Path) -> list[str]:
    """Words in the order of their ids, of a `captions.pickle`; the first is the end of a caption.

    Raises:
        ExportError: it is none.
    """
    head = head_of(path)
    with explained(path), path.open("rb") as file:
        try:
            value = pickles.load(file)
        except Damaged:
            if head.startswith(PICKLE):
                raise
            value = None  # it is something else
    if (listed := words_in(value)) is not None:
        return listed
    raise ExportError(
        f"{path} is no vocabulary: captions of two splits, words by id, and ids by word",
        hint="pass the captions.pickle that was published with the text encoder",
    )


def words_in(value: Any) -> list[str] | None:
    """The same of what a pickle holds; None where that is something else."""
    match value:
        case [_, _, dict() as words, dict() as ids]:
            listed = [words.get(place) for place in range(len(words))]
            if listed and all(_agree(place, word, ids) for place, word in enumerate(listed)):
                return [str(word) for word in listed]
    return None


def tokenizer_of(words: list[str]) -> bytes:
    """The `tokenizer.json` of such a vocabulary.

    Entries that no caption can spell keep their ids, under names that are free.
    """
    taken = {PADDING, UNKNOWN}
    return word_tokenizer(
        [f"<{place}>" if word in taken else word for place, word in enumerate(words)][1:]
    )


def _agree(place: int, word: Any, ids: dict[Any, Any]) -> bool:
    return isinstance(word, str) and ids.get(word) == place
