"""What the tests of several recipes share."""

import pytest
from lessons import Lesson

from t2i.train.prerequisites import Needed
from t2i.train.recipes import damsm, dvae


@pytest.fixture(scope="session")
def matcher() -> dict[str, Needed]:
    """A DAMSM that has learnt a little."""
    lesson = Lesson("damsm", damsm.PRESETS["toy"])
    lesson.learn(40)
    return {"damsm": lesson.needed()}


@pytest.fixture(scope="session")
def coder() -> Needed:
    """A dVAE after one step: its tokens mean little, but differ with what they stand for."""
    lesson = Lesson("dvae", dvae.PRESETS["toy"])
    lesson.learn(1)
    return lesson.needed()
