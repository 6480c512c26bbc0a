"""Pictures that a generator in eight bits is fitted to, tried on, and measured on.

Captions come from the run, which keeps some that were trained on; they are words of its vocabulary
at random where it keeps none, or draws something else than captions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from t2i.export.check import Arrays, Graphs, arrays, start
from t2i.export.fitting import CAPTIONS
from t2i.export.plan import CAPTIONS as KINDS
from t2i.export.plan import Host, Plan
from t2i.export.trained import Trained
from t2i.runtime import noise
from t2i.runtime.bundle import Text
from t2i.runtime.text import Tokenizer

TOGETHER = 8
FITTED, TRIED = 8, 1
"""So many groups of pictures; the others are measured on."""
GROUPS = CAPTIONS // TOGETHER


@dataclass(frozen=True)
class Groups:
    """Inputs of the generator, some pictures each."""

    fitted: tuple[Arrays, ...]
    tried: Arrays
    measured: tuple[Arrays, ...]
    captions: Sequence[str]
    """That these are of; none where they are random."""


def groups(
    trained: Trained, plans: Sequence[Plan], traced: Graphs, host: Host, given: Sequence[str] = ()
) -> Groups:
    """Captions beside noise, given ones or those of the run, else what graphs are checked on."""
    captions = (given or trained.run.captions) if host.condition == "caption" else ()
    captions = captions[:CAPTIONS] if len(captions) >= CAPTIONS else ()
    if captions:
        parts = (captions[i : i + TOGETHER] for i in range(0, len(captions), TOGETHER))
        seeds = range(0, len(captions), TOGETHER)
        made = [
            feeds(trained, plans, traced, host, part, seed)
            for part, seed in zip(parts, seeds, strict=True)
        ]
    else:
        drawing = _of(plans, "generator")
        made = [arrays(drawing.examples(2 + batch, KINDS[0])) for batch in range(GROUPS)]
    return Groups(
        tuple(made[:FITTED]), made[FITTED], tuple(made[FITTED + TRIED :]), tuple(captions)
    )


def feeds(
    trained: Trained,
    plans: Sequence[Plan],
    traced: Graphs,
    host: Host,
    captions: Sequence[str],
    seed: int,
) -> Arrays:
    """What the generator is given to draw captions, as a host does it."""
    given: dict[str, npt.NDArray[Any]] = {"tokens": reader(trained).encode(captions)}
    names = [each.name for each in _of(plans, "text").outputs]
    said = start(traced["text"]).run(names, {"tokens": given["tokens"]})
    given |= dict(zip(names, said, strict=True))
    given |= noise.draw(range(seed, seed + len(captions)), host.noise)
    return {each.name: given[each.name] for each in _of(plans, "generator").inputs}


def reader(trained: Trained) -> Tokenizer:
    """What reads captions in the bundle."""
    text = trained.recipe.text
    return Tokenizer.from_json(trained.tokenizer, Text("", "", text.length, text.unknown))


def _of(plans: Sequence[Plan], role: str) -> Plan:
    (plan,) = (each for each in plans if each.role == role)
    return plan
