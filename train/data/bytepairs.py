"""Byte pairs learnt from captions.

The tokenizers library learns too, but settles ties otherwise each time.

Source: Sennrich et al. 2016, algorithm 1.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from tokenizers import Regex
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

from t2i.runtime.bytepairs import (
    BYTES,
    PIECES,
    SPECIAL,
    WORD_END,
    byte_pair_tokenizer,
    clean,
    official_merges,
)
from t2i.runtime.errors import DataError, UsageError

FEWEST = 2 * len(BYTES) + len(SPECIAL)
"""Ids of a vocabulary without a pair."""

Pair = tuple[str, str]


def learn(captions: Iterable[str], most: int) -> bytes:
    """The `tokenizer.json` of the most frequent pairs, with at most so many ids.

    Raises:
        UsageError: single bytes need more.
    """
    if most < FEWEST:
        raise UsageError(
            f"{most} ids are too few for byte pairs", hint=f"pass --set pairs={FEWEST} or more"
        )
    split = Split(Regex(PIECES), behavior="removed", invert=True)
    pieces = Sequence([split, ByteLevel(add_prefix_space=False, use_regex=False)])
    counts = Counter(
        piece for each in captions for piece, _ in pieces.pre_tokenize_str(clean(each))
    )
    return byte_pair_tokenizer([" ".join(pair) for pair in _frequent(counts, most - FEWEST)])


def read(path: Path) -> bytes:
    """The `tokenizer.json` of CLIP's own pairs.

    Raises:
        DataError: the file is missing, or another one.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}",
            hint="pass the path of bpe_simple_vocab_16e6.txt.gz with --set merges=PATH",
        ) from error
    return byte_pair_tokenizer(official_merges(data))


def _frequent(counts: Mapping[str, int], most: int) -> list[Pair]:
    """Pairs in the order in which they are joined: at each time the most frequent, of equally
    frequent ones the first in the alphabet, down to those that occur once."""
    corpus = _Corpus(counts)
    joined: dict[str, Pair] = {}
    for pair in corpus.frequent():
        if len(joined) == most:
            break
        if "".join(pair) not in joined:  # else another pair is joined to the same
            joined["".join(pair)] = pair
            corpus.join(pair)
    return list(joined.values())


class _Corpus:
    """Words as they are spelled so far, and how often each pair stands in them."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.counts = list(counts.values())
        self.words = [[*word[:-1], word[-1] + WORD_END] for word in counts]
        self.often: Counter[Pair] = Counter()
        self.places: defaultdict[Pair, set[int]] = defaultdict(set)
        self.heap: list[tuple[int, Pair]] = []
        for word in range(len(self.words)):
            self._count(word)
        self._offer(self.often)

    def frequent(self) -> Iterator[Pair]:
        """The most frequent pair at each time; what has become rarer is offered again."""
        while self.heap:
            often, pair = heapq.heappop(self.heap)
            if -often == self.often[pair] > 1:
                yield pair

    def join(self, pair: Pair) -> None:
        changed: set[Pair] = set()
        for word in sorted(self.places.pop(pair)):
            changed |= set(pairwise(self.words[word]))
            self._count(word, sign=-1)
            self.words[word] = list(_joined(self.words[word], pair))
            self._count(word)
            changed |= set(pairwise(self.words[word]))
        self._offer(changed - {pair})

    def _count(self, word: int, sign: int = 1) -> None:
        for pair in pairwise(self.words[word]):
            self.often[pair] += sign * self.counts[word]
            self.places[pair].add(word)

    def _offer(self, pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            heapq.heappush(self.heap, (-self.often[pair], pair))


def _joined(parts: list[str], pair: Pair) -> Iterator[str]:
    """The parts of a word, where the pair stands as one."""
    rest = iter(range(len(parts)))
    for place in rest:
        if tuple(parts[place : place + 2]) == pair:
            yield "".join(pair)
            next(rest)
        else:
            yield parts[place]
