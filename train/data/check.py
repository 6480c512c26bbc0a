"""What is wrong with a data set, in one screen: the report of `t2i-train SYSTEM --check-data`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from t2i.runtime.errors import DataError
from t2i.runtime.terminal import progress
from t2i.runtime.text import words_of
from t2i.train.data.birds import captions as birds
from t2i.train.data.birds.attributes import COLOURS, facts_of
from t2i.train.data.dice import Dice
from t2i.train.data.photographs import Photograph, read_pixels
from t2i.train.data.settings import Settings
from t2i.train.data.sources import collection, require_sense
from t2i.train.data.vectors import vectors_of

EXAMPLES = 3
"""Of one kind of problem, so many are named."""
FREQUENT = 20
"""So many words are shown."""


@dataclass(frozen=True)
class Problem:
    """One kind of trouble."""

    what: str
    count: int
    examples: tuple[str, ...]
    fatal: bool = True
    """Whether training would stop at it."""


@dataclass(frozen=True)
class Report:
    """What a data set holds."""

    kind: str
    folder: str | None
    pictures: int
    """For training."""
    held_out: int
    captions: int
    classes: int
    decoded: int
    """How many picture files were opened, evenly spread over all."""
    words: int
    """Different words in the captions."""
    rare: int
    """Of these, how many occur only once."""
    frequent: tuple[tuple[str, int], ...]
    shortest: int
    """Words of the shortest, the middle and the longest caption."""
    middle: int
    longest: int
    cut: int
    """Captions with more words, or characters, than training reads."""
    problems: tuple[Problem, ...]

    @property
    def good(self) -> bool:
        """Whether training can use these data."""
        return not any(problem.fatal for problem in self.problems)

    def lines(self) -> list[str]:
        """The report as it is shown."""
        frequent = " ".join(f"{word} {count}" for word, count in self.frequent)
        pictures = f"{self.pictures} to train on, {self.held_out} held out; {self.decoded} opened"
        lengths = f"{self.shortest} to {self.longest} words, half of them up to {self.middle}"
        shown = [
            f"data      {self.kind}" + (f" in {self.folder}" if self.folder else ""),
            f"pictures  {pictures}",
            f"classes   {self.classes or 'none'}",
            f"captions  {self.captions}: {lengths}; {self.cut} are cut",
            f"words     {self.words}, {self.rare} of them only once: {frequent}",
        ]
        for problem in self.problems:
            mark = "problem " if problem.fatal else "note    "
            more = ", …" if problem.count > len(problem.examples) else ""
            named = ": " + ", ".join(problem.examples) + more if problem.examples else ""
            shown.append(f"{mark}  {problem.count} × {problem.what}{named}")
        return shown if self.problems else [*shown, "no problems found"]


def check(settings: Settings, *, batch_size: int = 16, decode: int = 2000) -> Report:
    """Look through a data set without stopping at the first fault.

    Args:
        batch_size: so many pictures are needed at least.
        decode: at most so many picture files are opened.
    """
    require_sense(settings)
    if settings.kind == "birds":
        return _birds(settings)
    problems: list[Problem] = []
    train: Sequence[Photograph] = ()
    held_out: Sequence[Photograph] = ()
    try:
        found = collection(settings)
        train, held_out = found.train, found.held_out
    except DataError as error:
        problems.append(Problem("unreadable data set", 1, (f"{error} ({error.hint})",)))
    else:
        problems += _about_labels([*train, *held_out], settings)
        if len(train) < batch_size:
            what = f"too few pictures for a batch of {batch_size}"
            problems.append(Problem(what, 1, (f"there are {len(train)}",)))
    files = [*train, *held_out]
    opened = files[:: max(1, -(-len(files) // decode))]
    problems += _about_files(files, opened, settings.px[-1])
    problems += _about_captions(files, settings)
    problems += _about_vectors(files, settings)
    return _report(
        settings,
        pictures=(len(train), len(held_out), len(opened)),
        texts=[text for each in train for text in each.captions],
        classes=len({each.label for each in files} - {None}),
        problems=problems,
    )


def _birds(settings: Settings) -> Report:
    """Drawn birds have no faults, but words and lengths all the same."""
    texts = [
        birds.phrase(facts_of(settings.seed, "train", n, settings.traits), Dice(n), settings.words)
        for n in range(settings.count)
    ]
    return _report(
        settings,
        pictures=(settings.count, settings.count, 0),
        texts=texts,
        classes=len(COLOURS),
        problems=[],
    )


def _report(
    settings: Settings,
    *,
    pictures: tuple[int, int, int],
    texts: list[str],
    classes: int,
    problems: list[Problem],
) -> Report:
    words = [_words(text, settings) for text in texts]
    lengths = sorted(len(each) for each in words) or [0]
    counts = Counter(word for each in words for word in each)
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return Report(
        kind=settings.kind,
        folder=settings.folder,
        pictures=pictures[0],
        held_out=pictures[1],
        decoded=pictures[2],
        captions=len(texts),
        classes=classes,
        words=len(counts),
        rare=sum(count == 1 for count in counts.values()),
        frequent=tuple(ranked[:FREQUENT]),
        shortest=lengths[0],
        middle=int(median(lengths)),
        longest=lengths[-1],
        cut=sum(len(text) > settings.characters for text in texts)
        if settings.characters
        else sum(length > (settings.tokens or settings.words) for length in lengths),
        problems=tuple(problems),
    )


def _problem(what: str, places: list[str], *, fatal: bool = True) -> Iterator[Problem]:
    if places:
        yield Problem(what, len(places), tuple(places[:EXAMPLES]), fatal)


def _about_labels(files: Sequence[Photograph], settings: Settings) -> Iterator[Problem]:
    without = [str(each.path) for each in files if each.label is None]
    if len(without) < len(files):
        yield from _problem("no label, where others have one", without)
    elif settings.labels:
        yield from _problem("no label, and classes are to be learnt", without)


def _about_vectors(files: Sequence[Photograph], settings: Settings) -> Iterator[Problem]:
    if settings.embeddings is not None:
        try:
            vectors_of(files, Path(settings.embeddings))
        except DataError as error:
            yield Problem("unusable file of vectors", 1, (f"{error} ({error.hint})",))


def _words(text: str, settings: Settings) -> list[str]:
    """What stands between spaces, where byte pairs read any script; else by the word rule."""
    return text.split() if settings.tokens else words_of(text)


def _about_captions(files: Sequence[Photograph], settings: Settings) -> Iterator[Problem]:
    empty, silent = [], []
    for each in files:
        words = [_words(text, settings) for text in each.captions]
        if not any(words):
            silent.append(str(each.path))
        elif not all(words):
            empty.append(str(each.path))
    yield from _problem("no caption with a word", silent, fatal=settings.captions_fraction == 1)
    yield from _problem("empty caption beside others", empty, fatal=False)


def _about_files(
    files: Sequence[Photograph], opened: Sequence[Photograph], px: int
) -> Iterator[Problem]:
    missing = [each.path for each in files if not each.path.is_file()]
    broken, small = [], []
    with progress("opening pictures", len(opened)) as bar:
        for each in opened:
            bar.advance()
            if not each.path.is_file():
                continue
            try:
                pixels = read_pixels(each.path)
            except DataError as error:
                broken.append(str(error))
                continue
            if min(pixels.shape[:2]) < px:
                small.append(_name(each.path))
    yield from _problem("missing file", [str(each) for each in missing])
    yield from _problem("unreadable picture", broken)
    yield from _problem(f"picture smaller than {px} px, to be enlarged", small, fatal=False)


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
