"""A generator in eight bits, from the captions of its run to what the manifest says of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from t2i.export.calibration import TOGETHER, Groups, feeds, groups, reader
from t2i.export.check import Graphs
from t2i.export.fitting import Fitting
from t2i.export.pages import is_known
from t2i.export.plan import Host, Plan
from t2i.export.quantise import FLOOR_DB, drawn, psnr, quantised
from t2i.export.trained import Trained
from t2i.runtime import terminal
from t2i.runtime.bundle import Rounding, Score
from t2i.runtime.captions import Line, read_captions
from t2i.runtime.errors import ExportError
from t2i.runtime.pictures import Pixels, to_pixels
from t2i.runtime.score.attributes import READ_AS
from t2i.runtime.score.confidence import wilson
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.references import CAPTIONS

DRAWING = "generator"
JUDGE = "birds-features"
JUDGED = 96
"""So many of the test captions."""


@dataclass(frozen=True)
class Eight:
    """A generator in eight bits, and how it came to them."""

    model: onnx.ModelProto
    rounding: Rounding
    groups: Groups


def generator(
    trained: Trained, plans: Sequence[Plan], traced: Graphs, host: Host, fitting: Fitting
) -> Eight:
    """
    Raises:
        ExportError: it has no convolutions, or too few can be in eight bits.
    """
    chosen = fitting.chosen
    has = "adds products of eight bits" if chosen == "full" else "shows no VNNI"
    terminal.say(
        f"weights of {chosen} range" + ("" if fitting.range else f": this processor {has}")
    )
    pictures = groups(trained, plans, traced, host, fitting.captions)
    made = quantised(traced[DRAWING], pictures.fitted, pictures.tried, chosen)
    return Eight(made.model, Rounding(chosen, len(pictures.captions), made.kept), pictures)


def distance(traced: Graphs, rounded: Graphs, pictures: Groups) -> Score:
    """PSNR to float32, on pictures that nothing was chosen by.

    Raises:
        ExportError: it is less than what is published.
    """
    before, after = (
        np.concatenate([drawn(graphs[DRAWING], each) for each in pictures.measured])
        for graphs in (traced, rounded)
    )
    found = psnr(before, after)
    if found < FLOOR_DB:
        raise ExportError(
            f"pictures in eight bits are {found:.1f} dB from those in float32, and {FLOOR_DB:.0f} "
            "are the least",
            hint="nothing was written: export without --int8",
        )
    captions = "captions" if pictures.captions else "words at random"
    protocol = {
        "pictures": len(before),
        "extractor": f"all values together, of {captions}",
        "reference": "the same in float32",
    }
    return Score("psnr", found, None, protocol)


def attributes(
    trained: Trained, plans: Sequence[Plan], host: Host, traced: Graphs, rounded: Graphs
) -> Iterator[Score]:
    """What the judge sees of what test captions state, where a bundle draws its birds."""
    if trained.recipe.data.get("kind") != "birds" or host.condition != "caption":
        return
    words = reader(trained)
    lines = [line for line in read_captions(str(CAPTIONS)) if is_known(words, line.caption)]
    if not lines:
        return
    lines = lines[:JUDGED]
    judge = Extractor.load(JUDGE, device="cpu")
    hits = dict.fromkeys(("fp32", "int8"), 0)
    for first in range(0, len(lines), TOGETHER):
        some = lines[first : first + TOGETHER]
        given = feeds(trained, plans, traced, host, [line.caption for line in some], first)
        for name, graphs in (("fp32", traced), ("int8", rounded)):
            pictures = to_pixels(drawn(graphs[DRAWING], given), host.pixels)
            hits[name] += _hits(judge, some, list(pictures))
    count = sum(len(line.facts or ()) for line in lines)
    shares = {name: each / count for name, each in hits.items()}
    protocol = {
        "pictures": len(lines),
        "extractor": f"{JUDGE}; {shares['fp32']:.3f} in float32",
        "reference": "what the captions state",
    }
    yield Score("attributes", shares["int8"], wilson(hits["int8"], count), protocol, shares)


def _hits(judge: Extractor, lines: Sequence[Line], pictures: Sequence[Pixels]) -> int:
    """How many of the statements of captions are seen in their pictures."""
    seen = judge.look(pictures, ("attributes",))["attributes"]
    values, count = judge.manifest.attributes, 0
    for row, line in zip(seen, lines, strict=True):
        for said, value in (line.facts or {}).items():
            name = READ_AS.get(said, said)
            count += values[name][int(row[judge.attribute(name)].argmax())] == value
    return count
