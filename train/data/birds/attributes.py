"""What can be said about a drawn bird, how often it is said, and what follows from it.

*Facts* are what a caption states: a mapping from names to values (`{"main": "red", "wing":
"black"}`). `complete` turns facts into a whole bird by rules alone, so that facts and noise
numbers together decide the picture and nothing else does.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from t2i.train.data.dice import Dice, mix_text
from t2i.train.data.settings import Split, Traits

Facts = Mapping[str, str]

COLOURS = (
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
    "grey",
    "black",
    "white",
)
NONE = "none"
VALUES: dict[str, tuple[str, ...]] = {
    "crown": COLOURS,
    "head": COLOURS,
    "throat": COLOURS,
    "back": COLOURS,
    "wing": COLOURS,
    "breast": COLOURS,
    "belly": COLOURS,
    "tail": COLOURS,
    "beak": ("short", "cone", "long", "curved"),
    "beak_colour": ("black", "grey", "orange", "yellow", "red"),
    "ground": ("branch", "sky", "water", "grass"),
    "size": ("small", "medium", "large"),
    "wing_bars": (NONE, "white", "black", "yellow"),
    "eye_ring": (NONE, "white", "yellow"),
    "eyebrow": (NONE, "white", "yellow", "black"),
    "mask": (NONE, "black"),
    "crest": (NONE, "crest"),
    "breast_marks": (NONE, "spots", "stripes"),
    "tail_length": ("short", "long"),
}
NAMES = tuple(VALUES)
"""Order of `Batch.attributes`; a value's code is its place in `VALUES[name]`."""
PARTS = ("crown", "head", "throat", "wing", "breast", "belly", "tail")
"""Parts whose colour a caption may state beside the main colour."""


@dataclass(frozen=True)
class Bird:
    """Everything about a bird but its pose and place. `back` is the main colour."""

    crown: str
    head: str
    throat: str
    back: str
    wing: str
    breast: str
    belly: str
    tail: str
    beak: str
    beak_colour: str
    ground: str
    size: str
    wing_bars: str
    eye_ring: str
    eyebrow: str
    mask: str
    crest: str
    breast_marks: str
    tail_length: str

    @property
    def codes(self) -> tuple[int, ...]:
        """Each attribute as a number, in the order of `NAMES`."""
        return tuple(VALUES[name].index(getattr(self, name)) for name in NAMES)

    @property
    def label(self) -> int:
        """The class: the number of the main colour."""
        return COLOURS.index(self.back)


def main_colour(facts: Facts) -> str:
    """The colour of what no word describes: as said, else that of the largest part spoken of."""
    for name in ("main", "wing", "head", "breast", "belly", "crown", "tail", "throat"):
        if name in facts:
            return facts[name]
    return "brown"


def complete(facts: Facts) -> Bird:
    """The bird of which these facts are true and about which nothing unsaid surprises."""
    main = main_colour(facts)
    head = facts.get("head", main)
    wing = facts.get("wing", main)
    breast = facts.get("breast", main)
    plain = {name: values[0] for name, values in VALUES.items() if name not in PARTS}
    followed = {
        "crown": head,
        "head": head,
        "throat": head if "head" in facts else breast,
        "wing": wing,
        "breast": breast,
        "belly": breast,
        "tail": wing,
        "back": main,
        "size": "medium",
        "beak_colour": "black",
    }
    said = {name: value for name, value in facts.items() if name in VALUES}
    return Bird(**{**plain, **followed, **said})


def sample(dice: Dice) -> Facts:
    """Facts as often as captions should state them; one in four names no part at all."""
    facts: dict[str, str] = {}
    plain = dice.chance(0.20)
    if plain or not dice.chance(0.06):
        facts["main"] = dice.choice(COLOURS)
    if not plain:
        facts |= _part_colours(dice)
        facts |= _marks(dice, complete(facts))
    if dice.chance(0.62):
        facts["size"] = dice.weighted({"small": 0.62, "large": 0.38})
    if dice.chance(0.66):
        facts["ground"] = dice.weighted({"branch": 0.22, "sky": 0.26, "water": 0.26, "grass": 0.26})
    if dice.chance(0.22):
        facts["facing"] = dice.choice(("left", "right"))
    return facts


def _part_colours(dice: Dice) -> Facts:
    """At most four parts, so that a caption stays a sentence."""
    likely = {
        "wing": 0.36,
        "belly": 0.36,
        "breast": 0.26,
        "crown": 0.26,
        "head": 0.20,
        "tail": 0.18,
        "throat": 0.16,
    }
    named = [part for part, probability in likely.items() if dice.chance(probability)]
    if "head" in named:  # a head in one colour says what crown and throat are
        named = [part for part in named if part not in ("crown", "throat")]
    return {part: dice.choice(COLOURS) for part in named[:4]}


def _marks(dice: Dice, bird: Bird) -> Facts:
    """At most three of bill, bars, rings and the like, none in the colour it lies on."""
    under = _under_marks(bird)
    likely = {
        "beak": 0.40,
        "beak_colour": 0.26,
        "wing_bars": 0.18,
        "tail_length": 0.17,
        "breast_marks": 0.13,
        "crest": 0.12,
        "mask": 0.10,
        "eyebrow": 0.10,
        "eye_ring": 0.10,
    }
    facts: dict[str, str] = {}
    for name, probability in likely.items():
        if len(facts) == 3 or not dice.chance(probability):
            continue
        unremarkable = {NONE} | under.get(name, set())
        values = [value for value in VALUES[name] if value not in unremarkable]
        if values:
            facts[name] = "long" if name == "tail_length" else dice.choice(values)
    if "mask" in facts and facts.get("eyebrow") == "black":
        del facts["eyebrow"]  # the two would run into each other
    return facts


def _under_marks(bird: Bird) -> dict[str, set[str]]:
    """The colours on which a mark of the same colour would not show."""
    return {
        "wing_bars": {bird.wing},
        "eye_ring": {bird.head},
        "mask": {bird.head},
        "eyebrow": {bird.head, bird.crown},
    }


def sample_free(dice: Dice) -> Facts:
    """Facts of which none can be guessed from another, and none is seldom: for learning to see.

    A part has the main colour somewhat more often, because plain birds are common elsewhere.
    """
    main = dice.choice(COLOURS)
    free = {name: dice.choice(values) for name, values in VALUES.items()}
    free |= {part: main for part in PARTS if dice.chance(0.25)} | {"back": main}
    for name, colours in _under_marks(Bird(**free)).items():
        if free[name] in colours:
            free[name] = NONE
    if free["mask"] != NONE and free["eyebrow"] == "black":
        free["eyebrow"] = NONE  # the two would run into each other
    unsaid = complete({})
    said = {name: free[name] for name in VALUES if free[name] != getattr(unsaid, name)}
    return {"main": main, **{part: free[part] for part in PARTS}, **said}


SAMPLE: dict[Traits, Callable[[Dice], Facts]] = {"told": sample, "free": sample_free}


def combinations(facts: Facts) -> Iterator[str]:
    """Each pairing of the main colour with another stated part's colour: `red-wing-black`."""
    main = main_colour(facts)
    for part in PARTS:
        if part in facts and facts[part] != main:
            yield f"{main}-{part}-{facts[part]}"


def split_of(combination: str) -> Split:
    """Which split may show this combination: one in ten is for tests, one in twenty for choices."""
    place = mix_text(combination) % 20
    return "test" if place < 2 else "validation" if place == 2 else "train"


@lru_cache(maxsize=2**16)
def facts_of(seed: int, split: Split, index: int, traits: Traits = "told") -> Facts:
    """The facts of one picture.

    Training pictures show no held-out combination; test (and validation) pictures each show at
    least one of their own and none of the other's.
    """
    dice = Dice(seed, mix_text(split), index)
    while True:
        facts = SAMPLE[traits](dice)
        splits = {split_of(combination) for combination in combinations(facts)}
        allowed = {"train", split}
        if splits <= allowed and (split == "train" or split in splits):
            return facts
