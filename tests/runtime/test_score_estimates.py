"""How sure a number is, and where FID goes: against what statistics knows of plain cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2i.runtime.errors import ScoreError
from t2i.runtime.score.confidence import NORMAL_95
from t2i.runtime.score.estimates import bootstrapped, gaussian_at, unbiased_distance
from t2i.runtime.score.frechet import Gaussian, frechet_distance


def drawn(seed: int, n: int, width: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, width))


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    values = drawn(0, 400, 1)[:, 0]
    mean = float(values.mean())
    low, high = bootstrapped(mean, 400, 2000, 0, lambda places: float(values[places].mean()))
    half = NORMAL_95 * values.std() / np.sqrt(400)
    assert high - mean == pytest.approx(half, rel=0.1)
    assert mean - low == pytest.approx(half, rel=0.1)


def test_the_interval_lies_around_the_value_though_repeats_move_what_is_drawn() -> None:
    """The least distance of two pictures is 0 wherever one was drawn twice."""
    rows = drawn(1, 60)
    reference = Gaussian(np.zeros(6), np.eye(6))
    value = frechet_distance(reference, gaussian_at(rows, np.arange(60)))
    low, high = bootstrapped(
        value, 60, 200, 0, lambda places: frechet_distance(reference, gaussian_at(rows, places))
    )
    assert low < value < high


def test_the_same_seed_draws_the_same_interval() -> None:
    values = drawn(0, 50, 1)[:, 0]

    def interval(seed: int) -> tuple[float, float]:
        return bootstrapped(0.0, 50, 30, seed, lambda places: float(values[places].mean()))

    assert interval(1) == interval(1)
    assert interval(1) != interval(2)


@given(st.integers(0, 10))
def test_some_rows_have_the_covariance_of_those_rows(seed: int) -> None:
    rows, places = drawn(seed, 3000, 3), np.random.default_rng(seed).integers(0, 3000, 2500)
    found = gaussian_at(rows, places)
    np.testing.assert_allclose(found.covariance, np.cov(rows[places], rowvar=False))
    assert found.count == 2500


def test_fid_without_bias_is_nearer_to_the_truth_than_fid() -> None:
    """Pictures that are drawn from the reference itself: FID should be 0, and is more."""
    reference, biased, unbiased = Gaussian(np.zeros(20), np.eye(20)), [], []
    for seed in range(10):
        rows = drawn(seed, 300, 20)
        biased.append(frechet_distance(reference, gaussian_at(rows, np.arange(300))))
        unbiased.append(unbiased_distance(reference, rows, seed))
    assert np.mean(biased) > 0.3
    assert abs(np.mean(unbiased)) < 0.3 * np.mean(biased)


def test_a_line_in_one_over_n_is_followed_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from t2i.runtime.score import estimates

    monkeypatch.setattr(estimates, "frechet_distance", lambda a, b: 3.0 + 100.0 / b.count)
    found = estimates.unbiased_distance(Gaussian(np.zeros(2), np.eye(2)), drawn(0, 200, 2), 0)
    assert found == pytest.approx(3.0)


def test_too_few_pictures_have_no_end() -> None:
    with pytest.raises(ScoreError, match="10 pictures have no samples of 15 sizes") as caught:
        unbiased_distance(Gaussian(np.zeros(2), np.eye(2)), drawn(0, 10, 2), 0)
    assert "--extrapolate" in caught.value.hint
