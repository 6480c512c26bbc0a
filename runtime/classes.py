"""From what was typed to the name of a class, for bundles that draw classes."""

from collections.abc import Collection, Iterator, Sequence
from difflib import SequenceMatcher, get_close_matches

from t2i.runtime.archives import AGAIN
from t2i.runtime.bundle import Manifest
from t2i.runtime.errors import BundleError, TextError
from t2i.runtime.text import LONGEST_WORD, SHOWN, Tokenizer, class_name, shown, words_of

NEAR = 0.75
"""Words are spelt alike from this share of common letters on: `gray` and `grey`."""
LISTED = 12
"""So many classes are listed where none is near."""


def class_of(text: str, classes: Collection[str], *, nearest: bool) -> str:
    """The class that a text means: the one of this name, or with `nearest` the one it is near to.

    Args:
        classes: names as `class_name` gives them.

    Raises:
        TextError: it means none; the hint names what could have been meant.
    """
    name = class_name(text)
    if name in classes:
        return name
    close = nearest_class(text, classes)
    if close and nearest:
        return close
    more = ", …" if len(classes) > LISTED else ""
    known = f"its classes are {', '.join(list(classes)[:LISTED])}{more}"
    if not name:
        raise TextError("the caption is empty", hint=known)
    if nearest:
        raise TextError(f"the caption {shown(text)} is near to no class of this bundle", hint=known)
    similar = [*get_close_matches(name[:SHOWN], classes, n=1), *([close] if close else [])]
    way = " --nearest-class takes what a caption is near to" if close else ""
    raise TextError(
        f"there is no class {shown(text)} in this bundle",
        hint=f"did you mean {similar[0]!r}?{way}" if similar else known,
    )


def nearest_class(caption: str, classes: Collection[str]) -> str | None:
    """The class whose name a caption contains, else the one spelt most like something in it.

    Of several that it contains the one that comes first, and of these the longest.
    """
    said = words_of(caption[:LONGEST_WORD])
    names = {name: words_of(name) for name in classes}
    found = [
        (place, -len(words), name)
        for name, words in names.items()
        for place, run in enumerate(_runs(said, len(words)))
        if run == words
    ]
    if found:
        return min(found)[2]
    near = [
        (likeness, name)
        for name, words in names.items()
        for run in _runs(said, len(words))
        if (likeness := _likeness(" ".join(run), " ".join(words))) >= NEAR
    ]
    return max(near, key=lambda each: each[0])[1] if near else None


def _runs(words: Sequence[str], length: int) -> Iterator[list[str]]:
    """All that so many words in a row say; nothing where the name has no words."""
    for start in range(len(words) - length + 1 if length else 0):
        yield list(words[start : start + length])


def _likeness(one: str, other: str) -> float:
    """Twice the common letters over all letters; 0 where a quick look tells that it is small."""
    matcher = SequenceMatcher(None, one, other)
    if matcher.real_quick_ratio() < NEAR or matcher.quick_ratio() < NEAR:
        return 0.0
    return matcher.ratio()


def refuse_other_names(manifest: Manifest, tokenizer: Tokenizer) -> None:
    """The tokenizer of a bundle that draws classes knows these classes, in their order.

    Raises:
        BundleError: it knows others, or reads something else than whole names.
    """
    names = [class_name(name) for name in manifest.classes]
    if tokenizer.rule != "whole" or list(tokenizer.vocabulary) != names:
        raise BundleError(
            f"{manifest.name} draws classes, and its tokenizer reads something else", hint=AGAIN
        )
