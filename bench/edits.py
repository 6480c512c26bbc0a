"""The edits that ship with `t2i-score edit`, and what it says of rendered pictures of them.

    python -m bench.edits         # writes runtime/score/birds/edits.jsonl and edits.json

The captions before are those of birds of the test split; those after say another colour of one part
in the same words. Either has a combination of colours that no training shows. What may change are
the parts that the renderer paints otherwise, for what a caption leaves unsaid follows what it says.
To be run again whenever `birds-features`, `birds-parts`, the captions or the renderer change.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice

from bench.captions import SEED, WORDS
from bench.references import BATCH, SERIES, rendered
from t2i.runtime import terminal
from t2i.runtime.pictures import write_whole
from t2i.runtime.records import dumps, encode
from t2i.runtime.score.edits import EDITS, RENDERED, Edit, Looks, described
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.locality import PARTS, Locality
from t2i.runtime.score.metrics import METRICS
from t2i.runtime.score.parts import Shown
from t2i.runtime.score.protocol import Input
from t2i.runtime.score.sets import SetMetric, Setting, show
from t2i.runtime.score.sources import Caption, Whole
from t2i.runtime.text import words_of
from t2i.train.data.birds import attributes
from t2i.train.data.birds.attributes import Facts, combinations, complete, facts_of, split_of
from t2i.train.data.birds.captions import phrase
from t2i.train.data.birds.words import ARTICLES
from t2i.train.data.dice import Dice, mix, mix_text

COUNT = 500
EDITABLE = ("main", *attributes.PARTS, "beak_colour")
"""What has a colour and no shape of its own that a colour could change."""
KEY = mix_text("edit")


def edits(number: int = COUNT) -> tuple[Edit, ...]:
    """The first birds of the test split that can be edited, each in one way."""
    made = (edit_of(index) for index in count())
    return tuple(islice((each for each in made if each), number))


def edit_of(index: int) -> Edit | None:
    """The edit of one bird; None where one word does not do it, or nothing new comes of it."""
    facts, dice = facts_of(SEED, "test", index), Dice(index, KEY)
    known = [name for name in EDITABLE if name in facts]
    if not known:
        return None
    name = dice.choice(known)
    values = attributes.VALUES["back" if name == "main" else name]
    value = dice.choice([each for each in values if each != facts[name]])
    other = {**facts, name: value}
    before, after = (phrase(each, Dice(mix(index)), WORDS) for each in (facts, other))
    splits = {split_of(each) for each in combinations(other)}
    if not differ_in_one_word(before, after) or "test" not in splits or "validation" in splits:
        return None
    kept = {said: known for said, known in facts.items() if said != name}
    parts = changed_parts(facts, other)
    return Edit(before, after, name, facts[name], value, parts, kept)


def differ_in_one_word(before: str, after: str) -> bool:
    """But for articles, which the word may want otherwise."""
    one, other = (
        [word for word in words_of(text) if word not in ARTICLES] for text in (before, after)
    )
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1


def changed_parts(facts: Facts, other: Facts) -> tuple[str, ...]:
    """The parts that the renderer paints otherwise: legs have the colour of a coloured bill."""
    one, two = complete(facts), complete(other)
    differing = [name for name in attributes.NAMES if getattr(one, name) != getattr(two, name)]
    parts = [("beak", "legs") if name == "beak_colour" else (name,) for name in differing]
    return tuple(part for each in parts for part in each)


@dataclass(frozen=True)
class Renderer(Whole):
    """Edits as the renderer draws them, either picture with the noise of the same test bird."""

    edits: tuple[Edit, ...]
    name: str = "rendered birds"
    seed: int = SEED
    captions: tuple[Caption, ...] = ()

    @property
    def inputs(self) -> tuple[Input, ...]:
        return (described(self.edits),)

    def __len__(self) -> int:
        return 2 * len(self.edits)

    @property
    def identity(self) -> str:
        return self.inputs[0].sha256

    def batches(self, size: int, start: int = 0) -> Iterator[list[Shown]]:
        for first in range(start, len(self), size):
            yield [self._shown(index) for index in range(first, min(first + size, len(self)))]

    def _shown(self, index: int) -> Shown:
        edit = self.edits[index // 2]
        facts = {**edit.facts, edit.attribute: (edit.was, edit.value)[index % 2]}
        return Shown(rendered(facts, SERIES.noise(index // 2)), index)


def measure(judge: Extractor, parts: Extractor, source: Renderer) -> Looks:
    """What the metric says of the renderer."""
    locality = Locality(Setting(judge, source), parts)
    show(source, [(judge, locality)], BATCH)
    found = {part.name: round(part.value, 6) for part in locality.value().parts}
    return Looks(judge.sha256, parts.sha256, found)


def main() -> None:
    entry = METRICS["edit"]
    assert isinstance(entry, SetMetric)
    made = edits()
    write_whole(EDITS, "".join(json.dumps(encode(each)) + "\n" for each in made).encode())
    terminal.report(f"wrote {EDITS}")
    judge, parts = (Extractor.load(name) for name in (entry.bundle, PARTS))
    known = measure(judge, parts, Renderer(made))
    write_whole(RENDERED, dumps(known).encode())
    for name, share in known.found.items():
        terminal.say(f"{name}: {100 * share:.1f} %")
    terminal.report(f"wrote {RENDERED}")


if __name__ == "__main__":
    main()
