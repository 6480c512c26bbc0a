"""MS-SSIM: the numbers of both official ways, and what must hold of any such number."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from golden import Case, cases
from golden_pairs import golden_pair, golden_set
from PIL import Image

import t2i
from t2i.runtime.errors import ScoreError
from t2i.runtime.score.metrics import choose
from t2i.runtime.score.multiscale import EXPONENTS, LEAST_PX, SCALES
from t2i.runtime.score.pairs import Options, PairMetric, compare, match

Similarity = Callable[..., float]
BOTH: tuple[Similarity, ...] = (t2i.score.ms_ssim, t2i.score.small_ms_ssim)
PAIRS = [case for case in cases("metrics") if "msssim_piq" in case.spec["outputs"]]
SETS = [case for case in cases("metrics") if case.name.startswith("diversity_")]
# Float32 there, float64 here.
BOUNDED = {"rel": 2e-6, "abs": 1e-12}


def noise(px: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (px, px, 3), np.uint8)


@pytest.mark.parametrize("case", PAIRS, ids=lambda case: case.name)
def test_the_numbers_of_pairs_are_those_of_the_official_codes(case: Case) -> None:
    x, y = golden_pair(case)
    expected = {name: float(value) for name, value in case.expected.items() if "msssim" in name}
    assert t2i.score.ms_ssim(x, y) == pytest.approx(expected["msssim_piq"], rel=1e-12)
    small = t2i.score.small_ms_ssim(x, y)
    if "msssim_tf" in expected:  # where it is not, the official code takes a root of less than 0
        assert small == pytest.approx(expected["msssim_tf"], rel=1e-12)
    if "msssim_pggan" in expected:
        assert small == pytest.approx(expected["msssim_pggan"], **BOUNDED)


@pytest.mark.parametrize("case", SETS, ids=lambda case: case.name)
def test_the_numbers_of_small_pictures_are_those_of_the_official_codes(case: Case) -> None:
    pictures = golden_set(case)
    found = [t2i.score.small_ms_ssim(pictures[n], pictures[n + 1]) for n in range(0, 8, 2)]
    assert found == pytest.approx(case.expected["msssim_tf"].tolist(), rel=1e-6)
    assert found == pytest.approx(case.expected["msssim_pggan"].tolist(), **BOUNDED)


def test_all_golden_cases_are_there() -> None:
    assert (len(PAIRS), len(SETS)) == (6, 2)


@pytest.mark.parametrize("ms_ssim", BOTH)
def test_equal_pictures_have_one_and_the_order_does_not_count(ms_ssim: Similarity) -> None:
    a, b = noise(LEAST_PX), noise(LEAST_PX, seed=1)
    assert ms_ssim(a, a) == pytest.approx(1.0)
    assert ms_ssim(a, b) == ms_ssim(b, a)
    assert 0 <= ms_ssim(a, b) < 0.1


@pytest.mark.parametrize("ms_ssim", BOTH)
def test_flat_pictures_have_their_luminance_at_the_coarsest_scale(ms_ssim: Similarity) -> None:
    a, b, c1 = 100.0, 150.0, (0.01 * 255) ** 2
    luminance = (2 * a * b + c1) / (a * a + b * b + c1)
    flat = [np.full((LEAST_PX, LEAST_PX, 3), level, np.uint8) for level in (a, b)]
    assert ms_ssim(*flat) == pytest.approx(luminance ** EXPONENTS[-1])


def test_what_is_lost_only_in_the_finest_detail_costs_less_than_in_ssim() -> None:
    """Noise of single pixels is gone after one halving."""
    picture = np.asarray(Image.fromarray(noise(24)).resize((192, 192), Image.Resampling.BICUBIC))
    grain = np.random.default_rng(2).normal(0, 20, picture.shape)
    noisy = np.clip(np.rint(picture + grain), 0, 255).astype(np.uint8)
    assert t2i.score.ms_ssim(picture, noisy) > t2i.score.ssim(picture, noisy) + 0.1


def test_a_picture_and_its_negative_have_nothing_in_common() -> None:
    picture = noise(LEAST_PX)
    for ms_ssim in BOTH:
        assert ms_ssim(picture, 255 - picture) == 0.0


def test_grey_levels_are_compared_on_request() -> None:
    a, b = noise(LEAST_PX), noise(LEAST_PX, seed=1)
    grey = [np.asarray(Image.fromarray(each).convert("L")) for each in (a, b)]
    assert t2i.score.ms_ssim(a, b, luma=True) == t2i.score.ms_ssim(*grey)


def test_a_picture_too_small_for_the_window_is_an_error_that_knows_a_way() -> None:
    with pytest.raises(ScoreError, match=f"{LEAST_PX - 1} × {LEAST_PX - 1}") as caught:
        t2i.score.ms_ssim(noise(LEAST_PX - 1), noise(LEAST_PX - 1))
    assert "small_ms_ssim" in caught.value.hint
    least = 2 ** (SCALES - 1)
    assert t2i.score.small_ms_ssim(noise(least), noise(least)) == pytest.approx(1.0)
    with pytest.raises(ScoreError, match="halved"):
        t2i.score.small_ms_ssim(noise(least - 1), noise(least - 1))


def test_it_is_a_metric_of_pairs(tmp_path: Path) -> None:
    for folder, seed in (("a", 0), ("b", 1)):
        (tmp_path / folder).mkdir()
        Image.fromarray(noise(LEAST_PX, seed)).save(tmp_path / folder / "one.png")
    metric = choose(["ms-ssim"])["ms-ssim"]
    assert isinstance(metric, PairMetric)
    files = tmp_path / "a", tmp_path / "b"
    options = Options(luma=True)
    (found,) = compare({"ms-ssim": metric}, match(*files), options, names=("a", "b")).results()
    pictures = [noise(LEAST_PX, seed) for seed in (0, 1)]
    assert found.value == t2i.score.ms_ssim(*pictures, luma=True)
    assert found.protocol.options == {"luma": True}
