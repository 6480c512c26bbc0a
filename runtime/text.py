"""Captions become tokens: here alone, so that training and inference cannot drift apart.

The word rule, the same in Python, C++, JavaScript and the graph: characters that are not ASCII
become spaces, letters lower case, and words are `[a-z0-9_]+`.

The character rule: letters of ASCII become lower case, and every character is a token. One that is
not in the alphabet is the unknown character, so that those around it keep their places.

Byte pairs have rules of their own, in `bytepairs.py`, and min-dalle's in `asciipairs.py`.
"""

import json
import re
import string
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from t2i.runtime.archives import AGAIN
from t2i.runtime.bundle import Text
from t2i.runtime.errors import BundleError, DataError, TextError

if TYPE_CHECKING:
    from t2i.runtime.asciipairs import AsciiPairs
    from t2i.runtime.bytepairs import BytePairs

PADDING, UNKNOWN = "<end>", "<unk>"
PADDING_ID = 0
# Of a caption, at most this many words are looked at, whatever its size; the rest is counted.
READ_WORDS = 10_000
LONGEST_WORD = 1_000  # characters; no vocabulary has longer ones
SHOWN = 40  # characters of a caption in an error

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-,;.!?:'\"/\\|_@#$%^&*~`+-=<>()[]{} "
"""The 70 columns of char-CNN-RNN, Reed et al. 2016; of the two for "-" the later one counts."""
CHARACTERS = tuple(sorted(set(ALPHABET), key=ALPHABET.rindex))
"""Those characters once each, in the order of their columns."""

Rule = Literal["words", "whole", "characters", "pairs"]

_WORD = re.compile(rb"[a-z0-9_]+")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_INSIDE = bytes(bool(_WORD.fullmatch(bytes([each]))) for each in range(256))
# What the tokenizers library strips; str.strip() takes four control characters more.
SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
# What the file must say so that a host without the tokenizers library may apply the rule itself.
_RULES: dict[Rule, dict[str, Any]] = {
    "words": {
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Replace", "pattern": {"Regex": "[^\\x00-\\x7F]"}, "content": " "},
                {"type": "Lowercase"},
            ],
        },
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": "[^a-z0-9_]+"},
            "behavior": "Removed",
            "invert": False,
        },
    },
    "whole": {
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Strip", "strip_left": True, "strip_right": True},
                {"type": "Lowercase"},
            ],
        },
        "pre_tokenizer": None,
    },
    "characters": {
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Replace", "pattern": {"Regex": "[^\\x00-\\x7F]"}, "content": "\ufffd"},
                {"type": "Lowercase"},
            ],
        },
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": "[\\s\\S]"},
            "behavior": "Isolated",
            "invert": False,
        },
    },
}


@dataclass(frozen=True)
class Reading:
    """What a tokenizer made of one caption."""

    tokens: tuple[int, ...]
    words: tuple[str, ...]
    """The word behind each token; where tokens are characters, the words that these spell."""
    unknown: tuple[str, ...]
    """Words, or characters, that are not in the vocabulary, each once, in their order."""
    surplus: int
    """How many of them were cut because the caption was too long."""


@dataclass(frozen=True)
class Tokenizer:
    """A vocabulary and the rule by which captions are read with it."""

    settings: Text
    rule: Rule
    vocabulary: dict[str, int]
    """Id of each word, without those of padding and the unknown word; of each byte pair, without
    those that begin and end a text."""
    pairs: "BytePairs | AsciiPairs | None" = None
    """What joins them, where the rule is that of byte pairs."""

    @classmethod
    def from_json(cls, data: bytes, settings: Text) -> "Tokenizer":
        """Read a `tokenizer.json`.

        Raises:
            BundleError: it is damaged, or of a kind that this version cannot read.
        """
        file, vocabulary = _parse(data)
        if file["model"]["type"] == "BPE":
            return cls(settings, "pairs", vocabulary, _pairs(file, data))
        for rule, wanted in _RULES.items():
            if all(file.get(key) == value for key, value in wanted.items()):
                return cls(settings, rule, vocabulary)
        raise BundleError(
            "the tokenizer splits captions by a rule that this version does not know",
            hint="upgrade t2i, or export the bundle again",
        )

    @property
    def unknown_id(self) -> int:
        return len(self.vocabulary) + 1

    @property
    def unit(self) -> Literal["word", "character", "token"]:
        """What is read one by one."""
        units: dict[Rule, Literal["character", "token"]] = {
            "characters": "character",
            "pairs": "token",
        }
        return units.get(self.rule, "word")

    def read(self, caption: str) -> Reading:
        """Look the words, or characters, of one caption up.

        Raises:
            TextError: nothing in it can be drawn, or it is longer than a bundle allows that
                refuses surplus words.
        """
        if self.pairs:
            return self.pairs.read(caption, self.settings)
        words, more = self._split(caption)
        kept: list[str] = []
        unknown: dict[str, None] = {}
        surplus = more
        for position, word in enumerate(words):
            if len(kept) == self.settings.length:
                surplus += len(words) - position
                break
            if word not in self.vocabulary:
                unknown[word] = None
            if word in self.vocabulary or self.settings.unknown == "keep":
                kept.append(word)
        if not any(word in self.vocabulary and not word.isspace() for word in kept):
            raise self._nothing_to_draw(caption, words)
        if surplus and self.settings.surplus == "refuse":
            most = f"{self.settings.length} {self.unit}s"
            raise TextError(
                f"the caption has {surplus} {self.unit}s too many",
                hint=f"this bundle reads at most {most}: shorten the caption",
            )
        tokens = tuple(self.vocabulary.get(word, self.unknown_id) for word in kept)
        if self.rule == "characters":
            kept = "".join(each if each in self.vocabulary else " " for each in kept).split()
        return Reading(tokens, tuple(kept), tuple(unknown), surplus)

    def encode(self, captions: Iterable[str | Reading]) -> npt.NDArray[np.int64]:
        """Tokens (B, T) of several captions, padded with 0 to the longest of them."""
        read = [self.read(each) if isinstance(each, str) else each for each in captions]
        longest = max((len(each.tokens) for each in read), default=0)
        tokens = np.full((len(read), longest), PADDING_ID, np.int64)
        for row, each in zip(tokens, read, strict=True):
            row[: len(each.tokens)] = each.tokens
        return tokens

    def _split(self, caption: str) -> tuple[list[str], int]:
        """The first words of a caption, and how many more there are."""
        if self.rule == "whole":
            name = class_name(caption)
            return ([name] if name else []), 0
        if self.rule == "characters":
            characters = caption[:READ_WORDS].translate(_LOWER)
            return list(characters), len(caption) - len(characters)
        letters = caption.encode("ascii", "replace").lower()
        words, end = [], 0
        for match in islice(_WORD.finditer(letters), READ_WORDS):
            words.append(match.group()[:LONGEST_WORD].decode())
            end = match.end()
        inside = np.frombuffer(letters[end:].translate(_INSIDE), np.uint8)
        more = np.count_nonzero(np.diff(inside) == 1)  # a step from 0 to 1 begins a word
        return words, int(more)

    def _nothing_to_draw(self, caption: str, words: list[str]) -> TextError:
        if not caption.strip():
            message = "the caption is empty"
        elif words:
            message = f"no {self.unit} of the caption {shown(caption)} is known to this bundle"
        else:
            message = f"there are no words in the caption {shown(caption)}"
        # An emoji is no word, but its name may be one.
        names = " ".join(unicodedata.name(each, "") for each in caption[:SHOWN]).lower()
        meant = words or names.split() if self.unit == "word" else []
        close: list[str] = []
        for word in meant[:5]:  # each is compared with the whole vocabulary
            close += get_close_matches(word[:SHOWN], self.vocabulary, n=2)
        if close:
            hint = f"did you mean {', '.join(map(repr, dict.fromkeys(close)))}?"
        else:
            hint = f"it knows {self.unit}s such as {', '.join(islice(self.vocabulary, 8))}"
        return TextError(message, hint=hint)


def shown(caption: str) -> str:
    """A caption as an error quotes it."""
    return repr(caption if len(caption) <= SHOWN else caption[:SHOWN] + "…")


def words_of(caption: str) -> list[str]:
    """All words of a caption, known or not, by the word rule."""
    return [word.decode() for word in _WORD.findall(caption.encode("ascii", "replace").lower())]


def class_name(text: str) -> str:
    """The one token of a class: the whole string, trimmed and in lower case."""
    # Letter by letter, as the tokenizers library does it: str.lower() looks at neighbours.
    return "".join(letter.lower() for letter in text[:LONGEST_WORD].strip(SPACES))


def word_tokenizer(words: Sequence[str], *, whole: bool = False) -> bytes:
    """The `tokenizer.json` of a word vocabulary, or with `whole` of class names.

    Ids: 0 is padding, 1 … n are the words in their order, n + 1 is the unknown word.
    """
    names = [class_name(word) for word in words] if whole else list(words)
    return _written(names, "whole" if whole else "words")


def character_tokenizer() -> bytes:
    """The `tokenizer.json` of `CHARACTERS`, with ids as in `word_tokenizer`."""
    return _written(CHARACTERS, "characters")


def _written(names: Sequence[str], rule: Rule) -> bytes:
    """
    Raises:
        DataError: a name stands twice among them.
    """
    vocabulary = {word: index for index, word in enumerate([PADDING, *names, UNKNOWN])}
    if len(vocabulary) != len(names) + 2:
        raise DataError(
            "the vocabulary has the same word twice",
            hint=f"list each word once, and neither {PADDING} nor {UNKNOWN}",
        )
    file = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        **_RULES[rule],
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": UNKNOWN},
    }
    return json.dumps(file, ensure_ascii=False, indent=1).encode()


def vocabulary_size(data: bytes) -> int:
    """How many ids a `tokenizer.json` gives out, padding and the unknown word included, or what
    begins and ends a text."""
    _, vocabulary = _parse(data)
    return len(vocabulary) + 2


def _pairs(file: dict[str, Any], data: bytes) -> "BytePairs | AsciiPairs":
    """What joins the pairs of a vocabulary: bytes are all known, characters are not."""
    # Both import the library, which takes time.
    if file["model"].get("unk_token"):
        from t2i.runtime.asciipairs import AsciiPairs

        return AsciiPairs(data)
    from t2i.runtime.bytepairs import BytePairs

    return BytePairs(data)


def _parse(data: bytes) -> tuple[dict[str, Any], dict[str, int]]:
    """The whole file, and the ids of its words."""
    try:
        file = json.loads(data)
        ids = {**file["model"]["vocab"]}
        if file["model"]["type"] == "BPE":
            ends = file["post_processor"]["special_tokens"]
            return file, {name: number for name, number in ids.items() if name not in ends}
        padding, unknown = ids.pop(PADDING), ids.pop(UNKNOWN)
        in_order = list(ids.values()) == list(range(1, len(ids) + 1))
        good = file["model"]["type"] == "WordLevel" and in_order and padding == PADDING_ID
        if good and unknown == len(ids) + 1 and not file.get("added_tokens"):
            return file, ids
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise BundleError(
        "the tokenizer is damaged, or no vocabulary of words or byte pairs",
        hint=AGAIN,
    )
