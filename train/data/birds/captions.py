"""Captions in the manner of CUB: many sentence shapes and synonyms for the same facts."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from t2i.runtime.text import words_of
from t2i.train.data.birds import words
from t2i.train.data.birds.attributes import PARTS, Facts
from t2i.train.data.dice import Dice

_TRIES = 8


def phrase(facts: Facts, dice: Dice, longest: int) -> str:
    """Say exactly these facts, in at most `longest` words where that is possible.

    Some shapes are wordier than others: a sentence that is too long is said again in another way.
    """
    said = [_sentence(facts, dice)]
    while _length(said[-1]) > longest and len(said) < _TRIES:
        said.append(_sentence(facts, dice))
    return said[-1] if _length(said[-1]) <= longest else min(said, key=_length)


@cache
def vocabulary() -> tuple[str, ...]:
    """Every word that a caption can contain, in alphabetical order."""
    tables = (table for name, table in vars(words).items() if name.isupper())
    slots = re.compile(r"\{\w+\}")
    return tuple(
        sorted({word for text in _texts(tables) for word in words_of(slots.sub(" ", text))})
    )


def _texts(table: Any) -> list[str]:
    """All that can be said of a nested table: its weighted phrases, not its names."""
    if isinstance(table, str):
        return [table]
    if not isinstance(table, Mapping):
        return [text for entry in table for text in _texts(entry)]
    if all(isinstance(value, int | float) for value in table.values()):
        return list(table)
    return [text for value in table.values() for text in _texts(value)]


def _length(caption: str) -> int:
    return len(words_of(caption))


def _sentence(facts: Facts, dice: Dice) -> str:
    """One sentence: choose a shape, fill its slots, mend the spaces."""
    facts, epithet = _epithet(facts, dice)
    features = dice.shuffled(_features(facts, dice))
    size = dice.weighted(words.SIZE[facts["size"]]) if "size" in facts else ""
    main = _colour(facts["main"], dice) if "main" in facts else ""
    place = dice.weighted(words.PLACE[facts["ground"]]) if "ground" in facts else ""
    facing = dice.weighted(words.FACING[facts["facing"]]) if "facing" in facts else ""
    bird = dice.weighted(words.BIRD)
    where = [place, facing] if dice.chance(0.8) else [facing, place]
    shape = _shape(facts, features, place, dice)
    wing = _colour(facts["wing"], dice) if "{wing}" in shape else ""
    sentence = shape.format(
        det=dice.weighted(words.DETERMINER),
        this=dice.weighted(words.THIS),
        bird=" ".join((size, epithet, main, bird)),
        plain=" ".join((size, epithet, bird)),
        main=main,
        wing=wing,
        where=" ".join(where),
        place=place,
        facing=facing,
        **{"with": dice.weighted(words.WITH)},
        list=_list([each.whole for each in features], dice),
        bare=", ".join(each.bare for each in features),
        clauses=_list([each.clause for each in features], dice),
    )
    return _mend(sentence)


def _shape(facts: Facts, features: list["_Feature"], place: str, dice: Dice) -> str:
    if "main" not in facts:
        return dice.weighted(words.UNNAMED_SHAPES if features else words.NOTHING_SHAPES)
    if not features:
        shapes = words.PLAIN_SHAPES
    elif set(PARTS) & facts.keys() == {"wing"} and len(features) == 1 and dice.chance(0.12):
        shapes = words.PAIR_SHAPES if "wing_bars" not in facts else words.SHAPES
    else:
        shapes = words.SHAPES
    return dice.weighted(
        {
            shape: often
            for shape, often in shapes.items()
            if place or not shape.startswith("{place}")
        }
    )


class _Feature:
    """One thing that a bird has, as it stands in a list, in a telegram, and as a clause."""

    def __init__(self, noun: str, colour: str = "", *, many: bool = False) -> None:
        article = "" if many or noun.startswith(("a ", "an ")) else "a "
        self.whole = f"{article}{colour} {noun}"
        self.bare = f"{colour} {noun}".replace(" a ", " ").removeprefix("a ")
        if colour and not noun.startswith("a "):
            verb = words.CLAUSE["are" if many else "is"]
            self.clause = verb.format(part=noun, colour=colour)
        else:
            self.clause = words.CLAUSE["has"].format(thing=self.whole)


def _features(facts: Facts, dice: Dice) -> list[_Feature]:
    features = []
    facts = dict(facts)
    parts = [part for part in PARTS if part in facts]
    while parts:
        part = parts.pop(0)
        alike = [other for other in parts if facts[other] == facts[part] and other != "wing"]
        if alike and part != "wing" and dice.chance(0.5):
            parts.remove(alike[0])
            features.append(_pair(part, alike[0], facts, dice))
        else:
            features.append(_part(part, facts, dice))
    features += _beak(facts, dice)
    for name in ("wing_bars", "eye_ring", "eyebrow", "mask", "crest", "tail_length"):
        if name in facts:
            said = dice.weighted(words.MARK[name])
            coloured = "{colour}" in said
            thing = said.format(colour=_colour(facts[name], dice)) if coloured else said
            features.append(_Feature(thing, many=True))
    if "breast_marks" in facts:
        features.append(_Feature(dice.weighted(words.MARK[facts["breast_marks"]]), many=True))
    return features


def _pair(first: str, second: str, facts: dict[str, str], dice: Dice) -> _Feature:
    """Two parts of one colour: a white throat and belly."""
    single = [
        {noun: often for noun, often in words.PART[part].items() if noun not in words.MANY}
        for part in (first, second)
    ]
    nouns = f" {words.AND} ".join(map(dice.weighted, single))
    return _Feature(nouns, _colour(facts[first], dice))


def _part(part: str, facts: dict[str, str], dice: Dice) -> _Feature:
    """A part with its colour, and with what else is said of it."""
    noun = dice.weighted(words.PART[part])
    colour = _colour(facts[part], dice)
    many = noun in words.MANY
    if part == "wing" and "wing_bars" in facts and many and dice.chance(0.6):
        bars = dice.weighted(words.BARRED_WINGS)
        barred = bars.format(wing=noun, colour=_colour(facts.pop("wing_bars"), dice))
        feature = _Feature(f"{colour} {barred}", many=True)
    elif part == "tail" and "tail_length" in facts and dice.chance(0.7):
        del facts["tail_length"]
        feature = _Feature(f"{'' if many else 'a '}{words.LONG} {colour} {noun}", many=many)
    else:
        feature = _Feature(noun, colour, many=many)
    return feature


def _beak(facts: dict[str, str], dice: Dice) -> list[_Feature]:
    if "beak" not in facts and "beak_colour" not in facts:
        return []
    shape = dice.weighted(words.BEAK_SHAPE[facts["beak"]]) if "beak" in facts else ""
    colour = facts.get("beak_colour", "")
    return [_Feature(f"a {shape} {colour} {dice.weighted(words.BEAK)}")]


def _epithet(facts: Facts, dice: Dice) -> tuple[Facts, str]:
    """Sometimes a part becomes an adjective: a white bellied bird."""
    parts = [part for part in PARTS if part in facts]
    if not parts or not dice.chance(0.10):
        return facts, ""
    part = dice.choice(parts)
    rest = {name: value for name, value in facts.items() if name != part}
    return rest, f"{_colour(facts[part], dice)} {dice.weighted(words.BEARING[part])}"


def _colour(name: str, dice: Dice) -> str:
    return dice.weighted(words.COLOUR[name])


def _list(things: list[str], dice: Dice) -> str:
    if len(things) < 2:
        return "".join(things)
    comma = "," if len(things) > 2 and dice.chance(0.3) else ""
    return f"{', '.join(things[:-1])}{comma} {words.AND} {things[-1]}"


def _mend(sentence: str) -> str:
    """Close the gaps of empty slots, and say `an` before a vowel."""
    sentence = re.sub(r"\s+", " ", sentence)
    sentence = re.sub(r" ([,.])", r"\1", sentence)
    sentence = re.sub(r"\b(a|an) (?=([a-z]))", _article, sentence)
    return sentence.strip(" ,.")


def _article(found: re.Match[str]) -> str:
    return "an " if found[2] in "aeiou" else "a "
