"""The captions that ship are those that the script makes, and say what the judges can read."""

from bench import captions
from t2i.runtime.captions import read_captions
from t2i.runtime.score.references import CAPTIONS
from t2i.runtime.text import words_of
from t2i.train.data.birds.attributes import VALUES, combinations, split_of


def test_the_captions_that_ship_are_up_to_date() -> None:
    """Else: python -m bench.captions"""
    made = "".join(captions.lines())
    assert CAPTIONS.read_text(encoding="utf-8") == made


def test_they_are_2000_and_no_longer_than_32_words() -> None:
    lines = read_captions(str(CAPTIONS))
    assert len(lines) == 2000
    assert max(len(words_of(line.caption)) for line in lines) <= 32
    assert len({line.caption for line in lines}) > 1990, "hardly any is said twice"


def test_each_states_what_a_judge_can_read_and_no_training_shows() -> None:
    values = {**VALUES, "main": VALUES["back"], "facing": ("left", "right")}
    for line in read_captions(str(CAPTIONS)):
        assert line.facts
        assert all(value in values[name] for name, value in line.facts.items())
        assert "test" in map(split_of, combinations(line.facts))
