"""What is said of edited birds follows from the renderer's masks and pictures."""

import numpy as np
import pytest

from bench import manipulation as script
from t2i.runtime.score.features import Extractor

PX = 64


@pytest.mark.slow
def test_the_renderers_own_edits_change_the_part_and_no_edit_changes_nothing() -> None:
    judge = Extractor.load(script.JUDGE, device="cpu", threads=1)
    done, idle = script.Findings(judge), script.Findings(judge)
    for bird in script.birds(8, PX):
        assert bird.before.shape == (PX, PX, 3)
        grey = np.full_like(bird.before, 128)
        done.add(bird, bird.before, bird.after)
        idle.add(bird, grey, grey)
    assert all(a > 4 * b for a, b in zip(done.inside, done.outside, strict=True))
    assert np.mean(done.took) > 0.7
    assert set(idle.inside) == set(idle.outside) == {0.0}
    assert max(idle.near) < 20
    said = dict(done.table())
    assert said["the part changes more"] == "100.0 % of the birds"
