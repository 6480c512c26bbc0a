"""min-dalle's pairs: captions in plain letters become tokens of a vocabulary of pieces of words.

Letters become lower case, and what is not ASCII then is left out. Words lie between spaces; each is
spelled in characters behind a mark, and neighbours are joined, the earliest pair of the
vocabulary first. A character that the vocabulary lacks is the unknown token.

Source: kuprel/min-dalle, `min_dalle/text_tokenizer.py`, which also spells the names of emoji.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from t2i.runtime.bundle import Text
from t2i.runtime.bytepairs import READ_CHARACTERS, frame, framed, opened
from t2i.runtime.errors import BundleError, DataError
from t2i.runtime.text import Reading

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
MARK = "\u0120"
"""Stands before each word."""


class AsciiPairs:
    """The pairs of one vocabulary, at work."""

    def __init__(self, data: bytes) -> None:
        """
        Raises:
            BundleError: it splits or joins by other rules than min-dalle's.
        """
        file = json.loads(data)
        try:
            known = file == _file(file["model"]["vocab"], file["model"]["merges"])
        except (KeyError, TypeError, AttributeError, DataError):
            known = False
        if not known:
            raise BundleError(
                "the tokenizer reads pairs of characters by a rule that this version does not know",
                hint="upgrade t2i, or export the bundle again",
            )
        self._library = opened(data)
        self.start, self.end = (file["model"]["vocab"][each] for each in (START, END))

    def ids(self, text: str) -> list[int]:
        """Of a text as it is, without a beginning and an end."""
        ids: list[int] = self._library.encode(text, add_special_tokens=False).ids
        return ids

    def read(self, caption: str, settings: Text) -> Reading:
        """Begin, read as much as fits, and end; characters that are left out are unknown.

        Raises:
            TextError: the caption is longer than a bundle allows that refuses surplus tokens.
        """
        lower, rest = caption[:READ_CHARACTERS].lower(), caption[READ_CHARACTERS:]
        text = lower.encode("ascii", "ignore").decode()
        reading = framed(self._library, text, len(rest.split()), (self.start, self.end), settings)
        left_out = (each for each in lower if not each.isascii())
        return replace(reading, unknown=tuple(dict.fromkeys(left_out)))


def ascii_pair_tokenizer(vocabulary: bytes, merges: bytes) -> bytes:
    """The `tokenizer.json` of min-dalle's `vocab.json` and `merges.txt`, with the same ids.

    Raises:
        DataError: these are other files, or they contradict each other.
    """
    try:
        ids, pairs = json.loads(vocabulary), merges.decode().split("\n")[1:-1]
        return json.dumps(_file(ids, pairs), ensure_ascii=False, indent=1).encode()
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise DataError(
            f"these are no pairs of min-dalle: {error}",
            hint="take vocab.json and merges.txt of the same size as they were published",
        ) from error


def _file(vocabulary: Mapping[str, int], merges: Sequence[str]) -> dict[str, Any]:
    _refuse_contradictions(vocabulary, merges)
    mark = {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "always", "split": False}
    space = {"type": "Split", "pattern": {"String": " "}, "behavior": "Removed", "invert": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Lowercase"},
                {"type": "Replace", "pattern": {"Regex": "[^\\x00-\\x7F]"}, "content": ""},
            ],
        },
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [space, mark]},
        "post_processor": frame({each: vocabulary[each] for each in (START, END)}),
        "decoder": mark,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": UNKNOWN,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": dict(vocabulary),
            "merges": list(merges),
        },
    }


def _refuse_contradictions(vocabulary: Mapping[str, int], merges: Sequence[str]) -> None:
    pairs = [merge.split(" ") for merge in merges]
    known = all(len(pair) == 2 and {*pair, "".join(pair)} <= vocabulary.keys() for pair in pairs)
    ids = sorted(vocabulary.values())
    if not known or UNKNOWN not in vocabulary or ids != sorted(set(ids)) or ids[0] < 0:
        raise DataError(
            "the pairs contradict the vocabulary",
            hint="take vocab.json and merges.txt of the same size as they were published",
        )
