"""The words of the captions: everything that the grammar can say stands in these tables.

Where a table has weights, a phrase is said as often as its number tells.
"""

Said = dict[str, float]
"""Ways to say one thing, and how often each."""

COLOUR: dict[str, Said] = {
    "red": {"red": 12, "bright red": 1, "crimson": 1.5, "scarlet": 1.5, "ruby": 0.5},
    "orange": {"orange": 12, "bright orange": 1, "tangerine": 0.7},
    "yellow": {"yellow": 12, "bright yellow": 1.5, "golden": 1, "lemon yellow": 0.5, "gold": 0.5},
    "green": {"green": 12, "bright green": 1, "emerald": 0.8, "olive": 0.8, "olive green": 0.5},
    "blue": {"blue": 12, "bright blue": 1, "azure": 0.7, "cobalt": 0.7, "navy": 0.5},
    "purple": {"purple": 12, "violet": 2, "lilac": 0.5},
    "pink": {"pink": 12, "rosy": 0.6, "rose": 0.6, "light pink": 0.5},
    "brown": {"brown": 12, "chestnut": 0.8, "tan": 0.8, "dark brown": 0.7, "rufous": 0.5},
    "grey": {"grey": 7, "gray": 7, "silver": 0.7, "ashy": 0.3},
    "black": {"black": 12, "jet black": 0.8, "ebony": 0.4},
    "white": {"white": 12, "snow white": 0.6, "snowy": 0.5, "ivory": 0.4},
}
SIZE: dict[str, Said] = {
    "small": {"small": 5, "little": 3, "tiny": 2.5},
    "large": {"large": 4, "big": 4, "huge": 0.5},
}
BIRD: Said = {"bird": 20, "songbird": 0.6}

PART: dict[str, Said] = {
    "crown": {"crown": 5, "cap": 3},
    "head": {"head": 1},
    "throat": {"throat": 1},
    "wing": {"wings": 9, "wing": 1},
    "breast": {"breast": 5, "chest": 3},
    "belly": {"belly": 7, "abdomen": 1, "stomach": 1},
    "tail": {"tail": 7, "tail feathers": 1},
}
MANY = ("wings", "tail feathers")
BEARING: dict[str, Said] = {
    "crown": {"crowned": 1, "capped": 1},
    "head": {"headed": 1},
    "throat": {"throated": 1},
    "wing": {"winged": 1},
    "breast": {"breasted": 1},
    "belly": {"bellied": 1},
    "tail": {"tailed": 1},
}
"""The part in a compound: a white bellied bird."""

BEAK: Said = {"beak": 1, "bill": 1}
BEAK_SHAPE: dict[str, Said] = {
    "short": {"short": 4, "short pointed": 2, "small": 1, "stubby": 0.5},
    "cone": {"thick": 3, "cone shaped": 2, "stout": 2, "conical": 1},
    "long": {"long": 4, "long pointed": 2, "long thin": 2, "long straight": 1},
    "curved": {"curved": 4, "long curved": 2, "downward curved": 1, "hooked": 0.7},
}
MARK: dict[str, Said] = {
    "wing_bars": {
        "{colour} wing bars": 4,
        "{colour} wingbars": 3,
        "two {colour} wing bars": 1,
        "{colour} bars on its wings": 1,
    },
    "eye_ring": {
        "a {colour} eye ring": 4,
        "{colour} eye rings": 1,
        "a {colour} ring around its eye": 1,
    },
    "eyebrow": {
        "a {colour} eyebrow": 4,
        "{colour} eyebrows": 1,
        "a {colour} stripe above its eye": 1,
    },
    "mask": {
        "a {colour} mask": 3,
        "a {colour} eye stripe": 2,
        "a {colour} stripe through its eye": 1,
    },
    "crest": {"a crest": 4, "a pointed crest": 1, "a crest on its head": 1, "a tall crest": 0.5},
    "spots": {"a spotted breast": 2, "spots on its breast": 2, "a speckled chest": 1},
    "stripes": {
        "a striped breast": 2,
        "stripes on its breast": 2,
        "a streaked chest": 1,
        "streaks on its breast": 1,
    },
    "tail_length": {"a long tail": 1},
}
BARRED_WINGS: Said = {"{wing} with {colour} bars": 2, "{wing} with {colour} wing bars": 1}
LONG = "long"
AND = "and"

PLACE: dict[str, Said] = {
    "branch": {
        "on a branch": 4,
        "sitting on a branch": 2,
        "perched on a branch": 2,
        "in a tree": 1,
        "perched in a tree": 0.7,
    },
    "sky": {
        "against the sky": 3,
        "under the sky": 2,
        "on a twig under the sky": 2,
        "in front of the sky": 1,
        "in the sky": 1,
    },
    "water": {
        "on the water": 4,
        "on water": 2,
        "swimming on the water": 2,
        "swimming": 1,
        "in the water": 1,
        "floating on a lake": 1,
        "on a pond": 0.7,
    },
    "grass": {
        "on the grass": 4,
        "on grass": 2,
        "standing in the grass": 2,
        "in the grass": 1,
        "in a meadow": 1,
        "on a lawn": 0.6,
    },
}
FACING: dict[str, Said] = {
    "left": {
        "facing left": 5,
        "looking left": 2,
        "looking to the left": 1,
        "facing to the left": 1,
    },
    "right": {
        "facing right": 5,
        "looking right": 2,
        "looking to the right": 1,
        "facing to the right": 1,
    },
}

DETERMINER: Said = {
    "a": 7,
    "this": 4,
    "the": 2,
    "this is a": 1,
    "a picture of a": 0.4,
    "a drawing of a": 0.3,
}
THIS: Said = {"this": 4, "the": 2, "a": 1}
WITH: Said = {"with": 5, "that has": 2, "which has": 1, "has": 0.6}

# Sentences. Empty slots vanish; doubled spaces too. {bird} carries adjectives and colour, {plain}
# only adjectives; {list} is "a black crown, white wings and …", {bare} the same without articles,
# {clauses} "its wings are white and …".
PLAIN_SHAPES: Said = {
    "{det} {bird} {where}": 10,
    "{bird} {where}": 4,
    "{det} {bird} {place} {facing}": 2,
    "{this} {plain} is {main} {where}": 1.5,
    "{det} {plain} that is {main} {where}": 1,
    "{this} {plain} is {main} all over {where}": 0.7,
    "{this} {plain} is completely {main} {where}": 0.7,
    "{this} {plain} is all {main} {where}": 0.5,
    "an all {main} {plain} {where}": 0.5,
    "{this} {plain} has a {main} body {where}": 0.7,
    "{this} {plain} has {main} feathers {where}": 0.4,
    "{place}, {det} {bird} {facing}": 0.8,
}
SHAPES: Said = {
    "{det} {bird} {with} {list} {where}": 12,
    "{bird} {with} {list} {where}": 2.5,
    "{det} {bird} {where}, {with} {list}": 1.5,
    "{this} {bird} has {list} {where}": 3,
    "{this} {plain} is {main} with {list} {where}": 2.5,
    "{this} {plain} is {main} and has {list} {where}": 2,
    "{det} {plain} that is {main} with {list} {where}": 2,
    "{det} {plain} that is mostly {main} with {list} {where}": 0.7,
    "{this} {plain} has a {main} body, {list} {where}": 2.5,
    "{det} {plain} with a {main} body and {list} {where}": 1.5,
    "{bird}, {bare} {where}": 2.5,
    "{det} {bird} {where}. {clauses}": 2,
    "{det} {bird}, {clauses}, {where}": 1,
    "{place}, {det} {bird} with {list} {facing}": 1.2,
}
UNNAMED_SHAPES: Said = {
    "{det} {plain} {with} {list} {where}": 5,
    "{this} {plain} has {list} {where}": 6,
    "{plain} with {list} {where}": 2,
    "{det} {plain} {where}. {clauses}": 1,
}
NOTHING_SHAPES: Said = {"{det} {plain} {where}": 3, "{plain} {where}": 1}
PAIR_SHAPES: Said = {
    "{det} {main} and {wing} {plain} {where}": 2,
    "{main} and {wing} {plain} {where}": 1,
}
"""For a bird of which only the colour of its wings is said besides."""
CLAUSE = {"is": "its {part} is {colour}", "are": "its {part} are {colour}", "has": "it has {thing}"}
ARTICLES = ("a", "an")
