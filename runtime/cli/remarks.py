"""What commands that draw say beside their results."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from t2i.runtime import terminal
from t2i.runtime.captions import Line, named
from t2i.runtime.draw import Painter
from t2i.runtime.jobs import Job
from t2i.runtime.pictures import Pixels
from t2i.runtime.text import class_name, shown

NAMED = 10  # at most so many lines, or words, of a file; its index has all


def introduce(painter: Painter, seed: int | None) -> None:
    """Which bundle draws, on what, and from which seed, if any matters."""
    threads = f"{painter.threads} thread{'s' if painter.threads > 1 else ''}"
    device = f"cpu, {threads}" if painter.device == "cpu" else painter.device
    from_seed = "" if seed is None else f" · seed {seed}"
    terminal.say(f"{painter.manifest.name} · {device}{from_seed}")
    for note in painter.notes:
        terminal.warn(note)


def tell_what_is_alike(painter: Painter, hold: Collection[str], count: int) -> None:
    """Warn where nothing is left that could make a caption's pictures differ."""
    free = [each.name for each in painter.manifest.noise if each.name not in hold]
    if count > 1 and hold and not free:
        terminal.warn(
            f"all noise of {painter.manifest.name} is held: the {count:,} pictures of a caption "
            "are all the same",
            hint="hold less, or leave out --count",
        )


def tell_what_is_resized(painter: Painter, picture: Pixels, path: Path | None) -> None:
    """Say where a picture has another size than what is drawn."""
    height, width, _ = picture.shape
    px = painter.manifest.image_px
    if (height, width) != (px, px):
        middle = "" if height == width else "the square in its middle is "
        terminal.say(f"{path} is {width} × {height}: {middle}resized to {px} × {px}")


def tell_what_was_not_read(
    painter: Painter, jobs: Sequence[Job], bad: Mapping[int, Line], source: str | None
) -> None:
    """Name unknown words, count surplus ones, and say which lines cannot be drawn."""
    file = named(source) if source else ""
    for line in islice(bad.values(), NAMED):
        terminal.warn(f"{file}, line {line.number}: {line.problem}")
    if len(bad) > NAMED:
        terminal.warn(f"{file}: {len(bad) - NAMED:,} more lines cannot be drawn")
    readings = {job.line: job.reading for job in jobs}.values()
    unknown = Counter(word for reading in readings for word in reading.unknown)
    if unknown:
        words = terminal.first_of([repr(word[:40]) for word, _ in unknown.most_common()], NAMED)
        terminal.warn(
            f"{painter.manifest.name} does not know {words}", hint=_closest(painter, unknown)
        )
    surplus = [reading.surplus for reading in readings if reading.surplus]
    if surplus and painter.manifest.text:
        cut = f"{sum(surplus):,} {painter.unit}{'s' if sum(surplus) > 1 else ''} cut"
        captions = f", from {len(surplus):,} captions" if len(surplus) > 1 else ""
        length = painter.manifest.text.length
        terminal.warn(f"{cut}{captions}: {painter.manifest.name} reads {length} of a caption")


def tell_classes(painter: Painter, jobs: Sequence[Job]) -> None:
    """Which class each caption was taken for, where it is not the name of one."""
    taken = {job.caption: job.reading.words[0] for job in jobs if painter.nearest_class}
    near = {text: name for text, name in taken.items() if class_name(text) != name}
    for text, name in islice(near.items(), NAMED):
        terminal.say(f"{shown(text)} is drawn as the class {name!r}")
    if len(near) > NAMED:
        counts = Counter(near.values()).most_common(NAMED)
        most = ", ".join(f"{name} {count:,}" for name, count in counts)
        terminal.say(f"and so on, {len(near):,} captions: {most}{' …' * (len(counts) == NAMED)}")


def _closest(painter: Painter, unknown: Counter[str]) -> str | None:
    """Known words that may have been meant."""
    close = [
        match
        for word, _ in unknown.most_common(NAMED)
        for match in get_close_matches(word[:40], painter.vocabulary, n=1)
    ]
    if not close:
        return None
    return f"did you mean {', '.join(map(repr, dict.fromkeys(close)))}?"
