"""The Fréchet distance: official values, and what mathematics says must hold."""

from pathlib import Path

import numpy as np
import pytest
from golden import Case, cases
from hypothesis import given
from hypothesis import strategies as st

import t2i
from t2i.runtime.errors import ScoreError
from t2i.runtime.score.frechet import Gaussian, Moments, frechet_distance

FID = [case for case in cases("metrics") if case.name.startswith("fid_")]


def gaussian(features: np.ndarray, batch: int = 64) -> Gaussian:
    moments = Moments()
    for start in range(0, len(features), batch):
        moments.add(features[start : start + batch])
    return moments.gaussian()


def drawn(seed: int, n: int = 60, width: int = 5) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(size=(n, width)) @ random.normal(size=(width, width)) + seed


@pytest.mark.parametrize("case", FID, ids=lambda case: case.name)
def test_the_numbers_are_those_of_official_code(case: Case) -> None:
    inputs = case.inputs()
    a, b = np.abs(inputs["a"]), np.abs(np.float32(1.1) * inputs["b"] + np.float32(0.2))
    of_a, of_b = gaussian(a), gaussian(b)
    distance = np.asarray(frechet_distance(of_a, of_b))
    case.check(
        {
            "fid_pytorchfid": distance,
            "fid_torchfidelity": distance,
            "fid_symmetric": distance,
            "mu_a": of_a.mean,
            "sigma_a_diagonal": np.diag(of_a.covariance),
        }
    )
    assert distance == pytest.approx(float(case.expected["fid_symmetric"]), rel=1e-8)


def test_both_golden_cases_are_there() -> None:
    assert len(FID) == 2


@given(st.integers(0, 20), st.integers(1, 70))
def test_moments_do_not_depend_on_the_batches(seed: int, batch: int) -> None:
    features = drawn(seed) + 1e4  # far from 0, where sums of squares would lose digits
    found = gaussian(features, batch)
    np.testing.assert_allclose(found.mean, features.mean(0))
    np.testing.assert_allclose(found.covariance, np.cov(features, rowvar=False), rtol=1e-6)
    assert found.count == len(features)


@given(st.integers(0, 20))
def test_equal_sets_have_no_distance(seed: int) -> None:
    one = gaussian(drawn(seed))
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("n", [60, 4])
def test_the_order_does_not_count(n: int) -> None:
    a, b = gaussian(drawn(1, n)), gaussian(drawn(2, 60))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-6)


@given(st.lists(st.floats(-3, 3), min_size=5, max_size=5))
def test_a_shift_adds_its_square(shift: list[float]) -> None:
    features = drawn(3)
    distance = frechet_distance(gaussian(features), gaussian(features + shift))
    assert distance == pytest.approx(float(np.square(shift).sum()), abs=1e-9)


def test_independent_features_have_the_distance_of_their_deviations() -> None:
    a, b = np.array([1.0, 2.0, 0.5]), np.array([3.0, 2.0, 0.0])
    found = frechet_distance(
        Gaussian(np.zeros(3), np.diag(a**2)), Gaussian(np.ones(3), np.diag(b**2))
    )
    assert found == pytest.approx(3 + float(np.square(a - b).sum()))


def test_fewer_pictures_than_features_still_give_a_real_distance() -> None:
    a, b = gaussian(drawn(1, n=3, width=40)), gaussian(drawn(2, n=5, width=40))
    found = frechet_distance(a, b)
    assert np.isfinite(found)
    assert found > 0
    assert found == pytest.approx(frechet_distance(b, a), rel=1e-7)


def test_features_of_different_widths_are_an_error() -> None:
    with pytest.raises(ScoreError, match="5 and 4 features"):
        frechet_distance(gaussian(drawn(1)), gaussian(drawn(1, width=4)))


def test_one_picture_has_no_covariance() -> None:
    moments = Moments()
    moments.add(np.zeros((1, 3)))
    with pytest.raises(ScoreError, match="1 picture has no covariance"):
        moments.gaussian()


def test_statistics_are_read_as_pytorch_fid_writes_them(tmp_path: Path) -> None:
    path, one = tmp_path / "real.npz", gaussian(drawn(1))
    np.savez_compressed(path, mu=one.mean, sigma=one.covariance)
    found = Gaussian.read(path)
    np.testing.assert_array_equal(found.mean, one.mean)
    np.testing.assert_array_equal(found.covariance, one.covariance)
    assert (found.count, found.extractor) == (None, None)


@pytest.mark.parametrize(
    "arrays",
    [
        {"mu": np.zeros(3)},
        {"mu": np.zeros(3), "sigma": np.zeros((3, 2))},
        {"mu": np.zeros((3, 1)), "sigma": np.zeros((3, 3))},
        {"mu": np.array(1.0), "sigma": np.zeros((3, 3))},
        {"mu": np.full(3, np.nan), "sigma": np.zeros((3, 3))},
        {"mu": np.zeros(3), "sigma": np.zeros((3, 3)), "n": np.zeros(2)},
        {"mu": np.zeros(2), "sigma": np.array([[1.0, 1.0], [0.0, 1.0]])},
        {"mu": np.zeros(2), "sigma": -np.eye(2)},
        {"mu": np.array(["a"]), "sigma": np.zeros((1, 1))},
    ],
)
def test_what_holds_no_statistics_is_an_error(
    tmp_path: Path, arrays: dict[str, np.ndarray]
) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ScoreError, match="holds no statistics") as caught:
        Gaussian.read(tmp_path / "bad.npz")
    assert "pytorch-fid" in caught.value.hint


def test_a_file_that_is_no_archive_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"mu and sigma")
    with pytest.raises(ScoreError, match="holds no statistics"):
        Gaussian.read(tmp_path / "bad.npz")
    with pytest.raises(ScoreError, match="cannot be read"):
        Gaussian.read(tmp_path / "missing.npz")


def test_the_distance_is_public() -> None:
    assert t2i.score.frechet_distance is frechet_distance
