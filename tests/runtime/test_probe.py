"""Logistic regression by mathematics: at the least value the gradient is zero."""

import numpy as np
import pytest

from t2i.runtime.probe import fit, minimise, probabilities


def test_a_quadratic_is_minimised_where_its_gradient_is_zero() -> None:
    dice = np.random.default_rng(0)
    factor = dice.standard_normal((20, 20))
    matrix, wanted = factor @ factor.T + 0.1 * np.eye(20), dice.standard_normal(20)

    def bowl(place: np.ndarray) -> tuple[float, np.ndarray]:
        away = place - wanted
        return float(0.5 * away @ matrix @ away), matrix @ away

    found = minimise(bowl, np.zeros(20))
    assert np.abs(matrix @ (found - wanted)).max() <= 1e-4


@pytest.mark.parametrize("weight", [0.01, 0.316, 10.0])
def test_no_weight_could_be_better_by_a_little(weight: float) -> None:
    dice = np.random.default_rng(1)
    classes = dice.integers(0, 4, 120)
    features = dice.standard_normal((120, 6)) + 0.7 * np.eye(4, 6)[classes]
    probe = fit(features.astype(np.float32), classes, weight)
    # The gradient of weight · cross-entropy + half the squares, written out once more.
    wrong = probe.probabilities(features) - np.eye(4)[classes]
    assert np.abs(weight * wrong.T @ features + probe.weights).max() < 1e-3
    assert np.abs(weight * wrong.sum(axis=0)).max() < 1e-3


def test_two_points_give_the_weights_that_can_be_worked_out() -> None:
    """By symmetry the classes' weights are w and -w, with w = C · σ(-2w) · 1 for points at ±1."""
    probe = fit(np.array([[1.0], [-1.0]]), np.array([0, 1]), weight=1.0)
    (w,), (v,) = probe.weights
    assert w == pytest.approx(-v, abs=1e-6)
    assert w == pytest.approx(2 / (1 + np.exp(2 * w)), abs=1e-4)
    assert probe.bias == pytest.approx([0, 0], abs=1e-6)


def test_what_can_be_told_apart_is_told_apart() -> None:
    dice = np.random.default_rng(2)
    classes = np.repeat([0, 1, 2], 30)
    features = 5 * np.eye(3, 8)[classes] + dice.standard_normal((90, 8))
    guessed = fit(features, classes).probabilities(features).argmax(axis=1)
    assert (guessed == classes).mean() > 0.95


def test_probabilities_are_safe_for_large_logits() -> None:
    assert probabilities(np.array([[1000.0, 0.0]])).tolist() == [[1.0, 0.0]]
    assert probabilities(np.zeros((2, 4), np.float32)) == pytest.approx(np.full((2, 4), 0.25))
