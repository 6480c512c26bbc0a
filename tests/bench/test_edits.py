"""The edits that ship are those that the script makes, and the renderer's masks bear them out."""

import numpy as np

from bench import edits as script
from t2i.runtime.score.edits import EDITS, read_edits, rendered_edits
from t2i.runtime.score.locality import grown, split
from t2i.runtime.text import words_of
from t2i.train.data.birds.attributes import combinations, complete, split_of
from t2i.train.data.birds.cache import Series
from t2i.train.data.birds.render import PARTS, draw

PX = 64


def test_the_edits_that_ship_are_up_to_date() -> None:
    """Else: python -m bench.edits"""
    assert read_edits(EDITS) == script.edits()


def test_one_word_is_said_otherwise_and_neither_bird_was_trained_on() -> None:
    for edit in read_edits():
        one, other = words_of(edit.before), words_of(edit.after)
        assert len(one) == len(other) <= 32
        new = [b for a, b in zip(one, other, strict=True) if a != b and b not in ("a", "an")]
        assert len(new) == 1, edit
        for value in (edit.was, edit.value):
            facts = {**edit.facts, edit.attribute: value}
            kinds = {split_of(each) for each in combinations(facts)}
            assert "test" in kinds
            assert "validation" not in kinds


def test_what_the_renderer_changes_lies_within_the_parts() -> None:
    """Outside its own masks of them, grown as the metric grows them, next to nothing changes."""
    series, stayed = Series("test", PX), []
    for index, edit in enumerate(read_edits()[:40]):
        numbers = [PARTS.index(part) for part in edit.parts]
        drawn = [
            draw(complete({**edit.facts, edit.attribute: value}), series.noise(index), PX)
            for value in (edit.was, edit.value)
        ]
        may = grown(np.logical_or(*(np.isin(each.parts, numbers) for each in drawn)))
        share, outside, inside = split(drawn[0].pixels, drawn[1].pixels, may)
        stayed.append(share)
        assert inside > 4 * outside, edit
    assert np.mean(stayed) > 0.98


def test_the_renderer_beside_a_painter_is_that_of_the_bundles_that_ship() -> None:
    """Else: python -m bench.edits"""
    known = rendered_edits()
    assert known
    judge, parts = (script.Extractor.load(each) for each in ("birds-features", script.PARTS))
    assert (known.looks.judge, known.looks.parts) == (judge.sha256, parts.sha256)
    assert known.looks.found["stayed outside"] > 0.95
    assert known.looks.found["new value seen"] > 0.9
