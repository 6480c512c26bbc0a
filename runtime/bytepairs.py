"""Byte pairs: captions in any script become tokens of a vocabulary of pieces of words.

A text is mended by ftfy where it needs it, its HTML entities are resolved twice, white space
becomes one space, letters become lower case. Words, single digits and runs of signs are spelled as
UTF-8 bytes; neighbours are joined, the earliest pair of the vocabulary first.

`tokenizer.json` says all that but the mending and the entities, which hosts do before.

Source: openai/CLIP, `clip/simple_tokenizer.py`.
"""

import json
import re
import zlib
from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer as Library

from t2i.runtime.archives import AGAIN
from t2i.runtime.bundle import Text
from t2i.runtime.errors import BundleError, DataError, TextError
from t2i.runtime.text import Reading

START, END = "<|startoftext|>", "<|endoftext|>"
SPECIAL = (START, END)
WORD_END = "</w>"
OFFICIAL_MERGES = 48_894
READ_CHARACTERS = 100_000
"""Of a caption, at most this many characters are looked at; of the rest the words are counted."""
MERGES_BYTES = 2**24  # unpacked

PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_LEVEL = {"add_prefix_space": False, "trim_offsets": True}
# Plain ASCII without an entity is left by ftfy as it is, white space aside.
_NEEDS_FTFY = re.compile(r"[^\t\n\f\r -~]|&#?[0-9A-Za-z]+;")
_PRINTED = (*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_HIDDEN = tuple(byte for byte in range(256) if byte not in _PRINTED)
BYTES = tuple(map(chr, (*_PRINTED, *(256 + place for place in range(len(_HIDDEN))))))
"""A character that can be seen for each byte, in the order of their ids."""


class BytePairs:
    """The pairs of one vocabulary, at work."""

    def __init__(self, data: bytes) -> None:
        """
        Raises:
            BundleError: it splits or joins by other rules than ours.
        """
        file = json.loads(data)
        try:
            known = file == _file(file["model"]["merges"])
        except (KeyError, TypeError, AttributeError, DataError):
            known = False
        if not known:
            raise BundleError(
                "the tokenizer reads byte pairs by a rule that this version does not know",
                hint="upgrade t2i, or export the bundle again",
            )
        self._library = opened(data)
        self.start, self.end = (file["model"]["vocab"][each] for each in SPECIAL)

    def ids(self, text: str) -> list[int]:
        """Of a text as it is, without a beginning and an end."""
        ids: list[int] = self._library.encode(clean(text), add_special_tokens=False).ids
        return ids

    def read(self, caption: str, settings: Text) -> Reading:
        """Begin, read as much as fits, and end.

        Raises:
            TextError: the caption is longer than a bundle allows that refuses surplus tokens.
        """
        text, more = clean(caption[:READ_CHARACTERS]), len(caption[READ_CHARACTERS:].split())
        return framed(self._library, text, more, (self.start, self.end), settings)


def opened(data: bytes) -> Library:
    """What reads with this `tokenizer.json`.

    Raises:
        BundleError: a number in it is none that the library takes, though it equals ours.
    """
    try:
        return Library.from_str(data.decode())
    except Exception as error:  # the library has no kind of its own
        raise BundleError(f"the tokenizer is damaged: {error}", hint=AGAIN) from error


def framed(
    library: Library, text: str, more: int, ends: tuple[int, int], settings: Text
) -> Reading:
    """As many tokens of a text as fit between what begins and what ends it.

    Args:
        more: words that follow the text, and are not looked at.

    Raises:
        TextError: there are more, and the bundle allows none.
    """
    found = library.encode(text, add_special_tokens=False)
    room = max(0, settings.length - len(ends))
    surplus = max(0, len(found.ids) - room) + more
    if surplus and settings.surplus == "refuse":
        raise TextError(
            f"the caption has {surplus} tokens too many",
            hint=f"this bundle reads at most {room} tokens, which are words or pieces of them: "
            "shorten the caption",
        )
    kept, (start, end) = found.ids[:room], ends
    read = text[: found.offsets[len(kept) - 1][1]] if kept else ""
    return Reading((start, *kept, end), tuple(read.split()), (), surplus)


def clean(text: str) -> str:
    """Mended, without entities, in lower case, with one space between words."""
    if _NEEDS_FTFY.search(text):
        import ftfy  # slow to import, and seldom needed

        text = ftfy.fix_text(text)
    if "&" in text:
        from html import unescape

        text = unescape(unescape(text))
    return " ".join(text.split()).lower()


def byte_pair_tokenizer(merges: Sequence[str]) -> bytes:
    """The `tokenizer.json` of these pairs, `left right` each, the earliest joined first.

    Ids: 256 bytes within a word, 256 that end one, the joined pairs, the beginning, the end. 0,
    which pads, is the byte `!` too: what follows the end of a text is never read.

    Raises:
        DataError: two pairs are joined to the same, or something is joined that is not there.
    """
    return json.dumps(_file(merges), ensure_ascii=False, indent=1).encode()


def official_merges(data: bytes) -> list[str]:
    """The pairs of CLIP's `bpe_simple_vocab_16e6.txt.gz`.

    Raises:
        DataError: it is another file.
    """
    try:
        unpacked = zlib.decompressobj(wbits=31).decompress(data, MERGES_BYTES)
        lines = unpacked.decode().split("\n")[1 : OFFICIAL_MERGES + 1]
    except (zlib.error, UnicodeDecodeError):
        lines = []
    if len(lines) < OFFICIAL_MERGES or any(len(line.split()) != 2 for line in lines):
        raise DataError(
            f"this is no file of {OFFICIAL_MERGES:,} byte pairs",
            hint="take bpe_simple_vocab_16e6.txt.gz as it lies in openai/CLIP, folder clip",
        )
    return lines


def _file(merges: Sequence[str]) -> dict[str, Any]:
    vocabulary = _vocabulary(merges)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(vocabulary[each], each) for each in SPECIAL],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
                {"type": "Strip", "strip_left": True, "strip_right": True},
                {"type": "Lowercase"},
            ],
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": PIECES},
                    "behavior": "Removed",
                    "invert": True,
                },
                {"type": "ByteLevel", **_LEVEL, "use_regex": False},
            ],
        },
        "post_processor": frame({each: vocabulary[each] for each in SPECIAL}),
        "decoder": {"type": "ByteLevel", **_LEVEL, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": WORD_END,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": vocabulary,
            "merges": list(merges),
        },
    }


def _vocabulary(merges: Sequence[str]) -> dict[str, int]:
    names = [*BYTES, *(each + WORD_END for each in BYTES)]
    names += [merge.replace(" ", "") for merge in merges]
    vocabulary = {name: place for place, name in enumerate([*names, *SPECIAL])}
    pairs = [merge.split(" ") for merge in merges]
    sound = all(len(pair) == 2 and vocabulary.keys() >= set(pair) for pair in pairs)
    if len(vocabulary) != len(names) + len(SPECIAL) or not sound:
        raise DataError(
            "the byte pairs contradict each other",
            hint="take a file as it was published, or learn pairs from the captions",
        )
    return vocabulary


def _added(index: int, content: str) -> dict[str, Any]:
    switches = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": index, "content": content, **switches, "special": True}


def frame(special: dict[str, int]) -> dict[str, Any]:
    """Begin each text with the first of these tokens, and end it with the other."""
    start, end = ({"SpecialToken": {"id": each, "type_id": 0}} for each in special)
    texts = [{"Sequence": {"id": each, "type_id": 0}} for each in ("A", "B")]
    return {
        "type": "TemplateProcessing",
        "single": [start, texts[0], end],
        "pair": [start, *texts, end],
        "special_tokens": {
            each: {"id": each, "ids": [number], "tokens": [each]}
            for each, number in special.items()
        },
    }
