"""Whether pictures show what their captions say, as a judge reads them."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from t2i.runtime.errors import ScoreError, did_you_mean
from t2i.runtime.score.confidence import wilson
from t2i.runtime.score.protocol import Part, Value
from t2i.runtime.score.references import Rendered
from t2i.runtime.score.sets import Captions, Setting
from t2i.runtime.score.sources import Caption
from t2i.runtime.sessions import Arrays

MAIN = "back"
"""The attribute that is the main colour of a drawn bird."""
READ_AS = {"main": MAIN}
"""Attributes that captions call otherwise."""
GROUPS = {
    "large parts": (MAIN, "head", "wing", "breast", "belly"),
    "patterns": ("breast_marks", "wing_bars", "eyebrow", "eye_ring", "mask", "crest"),
}
"""Attributes of drawn birds that are summed up together."""

Counts = npt.NDArray[np.int64]


class Attributes:
    """Counts, for every attribute, which value was said and which is seen."""

    outputs = ("attributes",)
    ranked_by = "share of what its caption states that the judge sees"

    def __init__(self, setting: Setting) -> None:
        """Raises ScoreError where a caption states nothing, or what the judge does not know."""
        self.judge = setting.extractor
        self.judge.require(*self.outputs)
        self.values = self.judge.manifest.attributes
        self.places = {name: self.judge.attribute(name) for name in self.values}
        captions, count = setting.source.captions, len(setting.source)
        self.said = [self._codes(caption) for caption in _stating(captions, count)]
        self.counts: dict[str, Counts] = {
            name: np.zeros((len(values), len(values)), np.int64)
            for name, values in self.values.items()
        }
        """(said, seen) by attribute."""
        self.shares: list[float] = []
        """Of what is said of each picture, how much is seen; 1 where nothing is."""
        self.rendered = _fitting(setting)

    def see(self, captions: Captions, seen: Arrays) -> None:
        for place, logits in zip(captions, seen["attributes"], strict=True):
            assert place is not None, "its source has captions"
            said, hits = self.said[place], 0
            for name, code in said.items():
                seen_code = int(logits[self.places[name]].argmax())
                self.counts[name][code, seen_code] += 1
                hits += code == seen_code
            self.shares.append(hits / len(said) if said else 1.0)

    def by_picture(self) -> Sequence[float]:
        return self.shares

    def value(self) -> Value:
        """The share of all statements, and beside it those of groups and of each attribute."""
        stated = [name for name, counts in self.counts.items() if counts.any()]
        groups = {
            group: [name for name in names if name in stated] for group, names in GROUPS.items()
        }
        parts = [self._part(group, names) for group, names in groups.items() if names]
        parts += [self._part(name, [name]) for name in stated]
        everything = self._part("all", stated)
        return Value(
            value=everything.value,
            interval=everything.interval,
            parts=(everything, *parts),
            reference="what the captions state",
            options={"read as": READ_AS},
            inputs=(self.rendered.input,) if self.rendered else (),
        )

    def _part(self, name: str, attributes: Sequence[str]) -> Part:
        hits = sum(int(np.trace(self.counts[each])) for each in attributes)
        count = sum(int(self.counts[each].sum()) for each in attributes)
        rendered = _share(self.rendered.seen, attributes) if self.rendered else None
        return Part(name, hits / count, count, wilson(hits, count), rendered)

    def _codes(self, caption: Caption) -> dict[str, int]:
        """The number of the value that is stated of each attribute."""
        codes = {}
        for said, value in (caption.facts or {}).items():
            name = READ_AS.get(said, said)
            if name not in self.values:
                raise ScoreError(
                    f"{caption.where}: {self.judge.name} does not read {said!r} in pictures",
                    hint=did_you_mean(said, [*self.values, *READ_AS]),
                )
            if value not in self.values[name]:
                raise ScoreError(
                    f"{caption.where}: {self.judge.name} knows no {said!r} that is {value!r}",
                    hint=did_you_mean(value, self.values[name]),
                )
            codes[name] = self.values[name].index(value)
        return codes


def _stating(captions: Sequence[Caption], pictures: int) -> Sequence[Caption]:
    """The captions, if all of them tell what they state, and any that is drawn states something."""
    silent = [caption for caption in captions if caption.facts is None]
    if silent or not any(caption.facts for caption in captions[:pictures]):
        raise ScoreError(
            f"{silent[0].where}: it does not tell what the caption states"
            if silent
            else "attributes compares pictures with what their captions state, and none does",
            hint='--captions FILE.jsonl with lines like {"text": "a red bird", "facts": '
            '{"main": "red"}}; without --captions, bundles of drawn birds have their own',
        )
    return captions


def _fitting(setting: Setting) -> Rendered | None:
    """What the same judge saw in rendered pictures."""
    rendered = setting.rendered
    return (
        rendered if rendered and rendered.features.extractor == setting.extractor.sha256 else None
    )


def _share(seen: Mapping[str, tuple[int, int]], attributes: Sequence[str]) -> float | None:
    known = [seen[name] for name in attributes if name in seen]
    hits, count = (sum(each) for each in zip(*known, strict=True)) if known else (0, 0)
    return hits / count if count else None
