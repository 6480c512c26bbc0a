"""KID, precision and recall, density and coverage: official values, and what must hold of any."""

import numpy as np
import pytest
from golden import Case, cases
from hypothesis import given
from hypothesis import strategies as st

from t2i.runtime.score.kernel import cubic, kernel_distance, squared_distance
from t2i.runtime.score.neighbours import overlap, squared_distances, squared_radii
from t2i.runtime.score.rows import Rows, blocks


def golden(name: str) -> Case:
    (case,) = (case for case in cases("metrics") if case.name == name)
    return case


def drawn(seed: int, n: int, width: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, width))


# KID


def test_kid_is_that_of_official_code() -> None:
    case = golden("kid")
    inputs, settings = case.inputs(), case.settings
    a, b = np.abs(inputs["a"]), np.abs(inputs["b"] + np.float32(0.15))
    mean, spread = kernel_distance(a, b, settings["subsets"], settings["subset_size"])
    wide = [each[:300].astype(np.float64) for each in (a, b)]
    case.check({"kid_mean": mean, "kid_std": spread, "kid_first_m": squared_distance(*wide)})
    assert mean == pytest.approx(float(case.expected["kid_mean"]), rel=1e-6)
    assert spread == pytest.approx(float(case.expected["kid_std"]), rel=1e-6)


@given(st.integers(0, 20))
def test_the_estimate_is_the_mean_over_all_pairs_of_different_pictures(seed: int) -> None:
    x, y = drawn(seed, 6), drawn(seed + 1, 6)
    pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    within = [np.mean([(each[i] @ each[j] / 4 + 1) ** 3 for i, j in pairs]) for each in (x, y)]
    across = np.mean([(one @ other / 4 + 1) ** 3 for one in x for other in y])
    assert squared_distance(x, y) == pytest.approx(sum(within) - 2 * across)


def test_the_estimate_has_no_bias() -> None:
    """Over subsets of one set it is nothing in the mean, and as often below as above."""
    rows = drawn(0, 4000, width=16)
    found = [squared_distance(rows[n : n + 20], rows[n + 20 : n + 40]) for n in range(0, 4000, 40)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))
    assert min(found) < 0 < max(found)


def test_the_kernel_of_nothing_is_one() -> None:
    assert (cubic(np.zeros((2, 3)), np.ones((4, 3))) == 1).all()


# Precision, recall, density, coverage


def test_precision_and_recall_are_those_of_official_code() -> None:
    case = golden("precision_recall")
    inputs = case.inputs()
    fake = np.float32(0.8) * inputs["generated"] + np.float32(0.25)
    found = overlap(inputs["real"], fake)
    for name in ("precision", "recall", "f_score"):  # stored as float32
        assert getattr(found, name) == pytest.approx(float(case.expected[name]), abs=1e-7)


def test_equal_sets_overlap_wholly() -> None:
    rows = drawn(0, 50)
    found = overlap(rows, rows)
    assert (found.precision, found.recall, found.coverage, found.f_score) == (1, 1, 1, 1)


def test_sets_far_apart_do_not_overlap() -> None:
    found = overlap(drawn(0, 50), drawn(1, 40) + 100)
    assert (found.precision, found.recall, found.density, found.coverage) == (0, 0, 0, 0)
    assert found.f_score == 0


def test_one_kind_of_two_is_precise_but_recalls_half() -> None:
    one, other = drawn(0, 60), drawn(1, 60) + 100
    found = overlap(np.concatenate([one, other]), one[::2])
    assert found.precision == 1
    assert found.recall <= 0.5
    assert found.coverage <= 0.5


def test_density_and_coverage_by_hand() -> None:
    """On a line: the ball of 0 reaches to its second neighbour, at 2; so do those of 1 and 2."""
    real, fake = np.array([[0.0], [1.0], [2.0]]), np.array([[2.0], [9.0], [-1.0]])
    found = overlap(real, fake, k=1, k_density=2)
    # Radii to the second neighbour: 2, 1, 2. Within: 2 in all three, 9 in none, -1 in the first.
    assert found.density == pytest.approx((3 + 0 + 1) / 3 / 2)
    assert found.coverage == 1
    # Radii to the first: 1, 1, 1. 2 is in the balls of 1 and 2, -1 in that of 0.
    assert found.precision == pytest.approx(2 / 3)


@given(st.integers(2, 40), st.integers(1, 5))
def test_radii_do_not_depend_on_the_blocks(n: int, k: int) -> None:
    rows = drawn(n, n + k)
    apart = np.sqrt(((rows[:, None] - rows) ** 2).sum(2))
    np.testing.assert_allclose(np.sqrt(squared_radii(rows, k)), np.sort(apart, axis=1)[:, k])


def test_blocks_of_thousands_give_what_one_block_gives() -> None:
    rows, others = drawn(0, 1500, 3), drawn(1, 1100, 3)
    whole = overlap(rows, others)
    apart = np.sqrt(((rows[:, None] - others) ** 2).sum(2))
    own = np.sqrt(((rows[:, None] - rows) ** 2).sum(2))
    radius = np.sort(own, axis=1)[:, 3]
    assert whole.precision == pytest.approx((apart <= radius[:, None]).any(0).mean())


def test_equal_rows_have_no_distance_though_they_are_long() -> None:
    rows = 1e3 + drawn(0, 20, 64)
    apart = squared_distances(rows, rows)
    assert (np.diag(apart) == 0).all()
    assert (apart >= 0).all()


# Rows on disk


@given(st.lists(st.integers(1, 5), max_size=6))
def test_rows_come_back_as_they_were_given(sizes: list[int]) -> None:
    rows, given_rows = Rows(), [drawn(n, size).astype(np.float32) for n, size in enumerate(sizes)]
    for each in given_rows:
        rows.add(each)
    assert len(rows) == sum(sizes)
    wanted = np.concatenate(given_rows) if given_rows else np.zeros((0, 0))
    np.testing.assert_array_equal(rows.all(), wanted)


def test_blocks_cover_all_rows_once() -> None:
    rows = drawn(0, 10)
    found = list(blocks(rows, 4))
    assert [(place.start, place.stop) for place, _ in found] == [(0, 4), (4, 8), (8, 10)]
    np.testing.assert_array_equal(np.concatenate([each for _, each in found]), rows)
