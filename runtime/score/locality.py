"""Edit: whether a caption changed in one word changes that in its picture, and only that."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from t2i.runtime.difference import Difference
from t2i.runtime.errors import ScoreError, UsageError, did_you_mean
from t2i.runtime.pictures import Pixels
from t2i.runtime.score.attributes import READ_AS
from t2i.runtime.score.confidence import of_mean, wilson
from t2i.runtime.score.edits import EDITS, Edit, Edited, Editing, read_edits, rendered_edits
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.looking import CHUNK
from t2i.runtime.score.protocol import Part, Value
from t2i.runtime.score.sets import Captions, Setting
from t2i.runtime.score.sources import Drawn, Source
from t2i.runtime.sessions import Arrays

PARTS = "birds-parts"
"""The bundle that tells which part of a bird a pixel shows."""
MARGIN = 32
"""One such share of the side is added around a part: borders are soft, and maps coarse."""
LEVELS = 255

Mask = npt.NDArray[np.bool_]


def draws(source: Source) -> Source:
    """The edits that ship, as many as pictures were asked for, each drawn before and after.

    Raises:
        UsageError: the source does not draw.
    """
    if isinstance(source, Drawn):
        return Edited(source.painter, read_edits()[: len(source)], source.seed)
    raise UsageError(
        f"edit draws captions before and after, which {source.name} cannot do",
        hint="`t2i-score edit --model NAME`",
    )


@dataclass(frozen=True)
class Outcome:
    """What one edit did."""

    attribute: str
    stayed: float
    """Share of the pixels outside the changed parts."""
    outside: float
    """Mean absolute difference there, as a share of all levels."""
    inside: float
    """The same within the changed parts."""
    took: bool
    """Whether the judge sees the new value, and saw another before."""
    kept: int
    """How much of what is said before and after alike the judge reads alike."""
    said: int
    """How much that is."""

    @property
    def value(self) -> float:
        """What stayed, if the edit took; a picture that never changes is no success."""
        return self.stayed if self.took else 0.0


class Locality:
    """Compares the two pictures of each edit."""

    outputs = ("attributes",)
    ranked_by = "share that stayed where a changed word took, of both pictures of an edit"

    def __init__(self, setting: Setting, parts: Extractor | None = None) -> None:
        """
        Raises:
            BundleError: the bundle that tells the parts is missing or damaged.
            ScoreError: the judge does not read what is edited, or the parts are others.
        """
        assert isinstance(setting.source, Editing), "`draws` makes it so"
        self.edits, self.judge = setting.source.edits, setting.extractor
        self.judge.require(*self.outputs)
        self.parts = parts or Extractor.load(
            PARTS, device=self.judge.device, threads=self.judge.threads
        )
        self.parts.require("parts")
        for edit in self.edits:
            self._refuse_unknown(edit)
        self.outcomes: list[Outcome] = []
        self._pictures: Sequence[Pixels] = ()
        self._before: _Look | None = None

    def look(self, pictures: Sequence[Pixels]) -> None:
        self._pictures = pictures

    def see(self, captions: Captions, seen: Arrays) -> None:
        pictures = self._pictures
        maps = self.parts.look_at_chunk(pictures, ["parts"], CHUNK)["parts"].argmax(1)
        for pixels, logits, parts in zip(pictures, seen["attributes"], maps, strict=True):
            look = _Look(pixels, logits, parts)
            if self._before is None:
                self._before = look
                continue
            self.outcomes.append(self._outcome(self._before, look))
            self._before = None

    def by_picture(self) -> Sequence[float]:
        return [each.value for each in self.outcomes for _ in ("before", "after")]

    def value(self) -> Value:
        """What stays outside, over all edits that took, and what it is made of."""
        everything, *further = self._parts()
        known = rendered_edits()
        fits = known and (known.looks.judge, known.looks.parts) == (
            self.judge.sha256,
            self.parts.sha256,
        )
        rendered = known.looks.found if known and fits else {}
        return Value(
            everything.value,
            interval=everything.interval,
            parts=tuple(
                replace(part, rendered=rendered.get(part.name)) for part in (everything, *further)
            ),
            reference="the picture of the caption before, of the same seed",
            options={
                "edits": len(self.outcomes),
                "parts": f"{self.parts.name} {self.parts.bundle.sha256}",
                "margin": f"1/{MARGIN} of the side",
            },
            inputs=(known.input,) if known and fits else (),
        )

    def _parts(self) -> list[Part]:
        """All edits together, what that is made of, and the edits of each attribute."""
        outcomes, n = self.outcomes, len(self.outcomes)
        took, said = sum(each.took for each in outcomes), sum(each.said for each in outcomes)
        kept = sum(each.kept for each in outcomes)
        parts = [
            _mean("all", [each.value for each in outcomes]),
            Part("new value seen", took / n, n, wilson(took, n)),
            _mean("stayed outside", [each.stayed for each in outcomes]),
            _mean("change outside", [each.outside for each in outcomes]),
            _mean("change inside", [each.inside for each in outcomes]),
        ]
        if said:
            parts.append(Part("rest read as before", kept / said, said, wilson(kept, said)))
        for name in dict.fromkeys(each.attribute for each in outcomes):
            parts.append(_mean(name, [each.value for each in outcomes if each.attribute == name]))
        return parts

    def _outcome(self, before: "_Look", after: "_Look") -> Outcome:
        edit = self.edits[len(self.outcomes)]
        numbers = [self.parts.manifest.parts.index(part) for part in edit.parts]
        may = grown(np.isin(before.parts, numbers) | np.isin(after.parts, numbers))
        stayed, outside, inside = split(before.pixels, after.pixels, may)
        old, new = (self._read(look, edit.attribute) for look in (before, after))
        alike = [self._read(before, fact) == self._read(after, fact) for fact in edit.facts]
        took = old != new == edit.value
        return Outcome(
            edit.attribute, stayed, outside, inside, took, kept=sum(alike), said=len(alike)
        )

    def _read(self, look: "_Look", said: str) -> str:
        name = READ_AS.get(said, said)
        logits = look.logits[self.judge.attribute(name)]
        return self.judge.manifest.attributes[name][int(logits.argmax())]

    def _refuse_unknown(self, edit: Edit) -> None:
        for said in (edit.attribute, *edit.facts):
            self.judge.attribute(READ_AS.get(said, said))
        name = READ_AS.get(edit.attribute, edit.attribute)
        if edit.value not in self.judge.manifest.attributes[name]:
            raise ScoreError(
                f"{self.judge.name} knows no {name!r} that is {edit.value!r}",
                hint=did_you_mean(edit.value, self.judge.manifest.attributes[name]),
            )
        for part in edit.parts:
            if part not in self.parts.manifest.parts:
                raise ScoreError(
                    f"{self.parts.name} tells no {part!r}, which an edit of {EDITS.name} changes",
                    hint=did_you_mean(part, self.parts.manifest.parts),
                )


@dataclass(frozen=True)
class _Look:
    """One picture, and what was seen in it."""

    pixels: Pixels
    logits: npt.NDArray[np.floating]
    """Of all values of all attributes."""
    parts: npt.NDArray[np.intp]
    """(h, w)."""


def _mean(name: str, shares: Sequence[float]) -> Part:
    return Part(name, float(np.mean(shares)), len(shares), of_mean(shares))


def grown(mask: Mask) -> Mask:
    """What a mask (h, w) covers, and what is nearer to it than the margin, along the sides."""
    near = max(1, round(mask.shape[0] / MARGIN))
    padded = np.pad(mask, near)
    for axis in (0, 1):
        shifted = [np.roll(padded, by, axis) for by in range(-near, near + 1)]
        padded = np.logical_or.reduce(shifted)
    return padded[near:-near, near:-near]


def split(before: Pixels, after: Pixels, may: Mask) -> tuple[float, float, float]:
    """What happened outside a mask (h, w), and inside it.

    Returns:
        share of the pixels outside that stayed; mean absolute difference outside, and inside, as
        shares of all levels. Of no pixels all stay, and none differs.
    """
    H, W, _ = before.shape
    h, w = may.shape
    inside = may[np.arange(H) * h // H][:, np.arange(W) * w // W]
    difference = Difference.between(before, after)
    stayed = ~difference.changed[~inside]
    levels = [difference.levels[where] / LEVELS for where in (~inside, inside)]
    away, within = (float(each.mean()) if each.size else 0.0 for each in levels)
    return float(stayed.mean()) if stayed.size else 1.0, away, within
