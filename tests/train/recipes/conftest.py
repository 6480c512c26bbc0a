"""What the tests of several recipes share."""

import pytest
from lessons import Lesson

from t2i.train.prerequisites import Needed
from t2i.train.recipes import damsm


@pytest.fixture(scope="session")
def matcher() -> dict[str, Needed]:
    """A DAMSM that has learnt a little."""
    lesson = Lesson("damsm", damsm.PRESETS["toy"])
    lesson.learn(40)
    return {"damsm": lesson.needed()}
