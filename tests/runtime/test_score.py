"""PSNR and SSIM: the numbers of scikit-image, and what the papers say must hold of them."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import Case, cases
from golden_pairs import golden_pair
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

import t2i
from t2i.runtime.errors import PictureError, ScoreError, UsageError
from t2i.runtime.score.metrics import METRICS, choose
from t2i.runtime.score.pairs import Options, PairMetric, compare, match
from t2i.runtime.score.similarity import C2, TAPS, ssim_map
from t2i.runtime.score.sources import Stored

PAIRS = [case for case in cases("metrics") if case.name.startswith("similarity_pair")]


def flat(level: int) -> np.ndarray:
    return np.full((TAPS, TAPS, 3), level, np.uint8)


pictures = arrays.arrays(np.uint8, (TAPS + 2, TAPS + 1, 3))
# Far apart, a little apart, flat: SSIM treats them differently.
pairs = st.one_of(
    st.tuples(pictures, pictures),
    st.tuples(pictures, st.integers(-3, 3)).map(
        lambda pair: (pair[0], np.clip(pair[0].astype(int) + pair[1], 0, 255).astype(np.uint8))
    ),
    st.tuples(*[st.integers(0, 255).map(flat)] * 2),
)


@pytest.mark.parametrize("case", PAIRS, ids=lambda case: case.name)
def test_the_numbers_are_those_of_scikit_image(case: Case) -> None:
    x, y = golden_pair(case)
    found: dict[str, Any] = {
        "psnr": t2i.score.psnr(x, y),
        "ssim": t2i.score.ssim(x, y),
        "ssim_map": ssim_map(x, y).squeeze(),
    }
    if x.shape[2] == 3:
        found["psnr_luma"] = t2i.score.psnr(x, y, luma=True)
        found["ssim_luma"] = t2i.score.ssim(x, y, luma=True)
    assert set(case.expected) & {"psnr", "ssim", "ssim_map", "psnr_luma", "ssim_luma"} == set(found)
    case.check({name: np.asarray(value) for name, value in found.items()})
    for name in set(found) - {"ssim_map"}:  # to the last digits, beyond what the case asks for
        assert found[name] == pytest.approx(float(case.expected[name]), rel=1e-12)


def test_all_golden_pairs_are_there() -> None:
    assert len(PAIRS) == 6


@given(pairs)
def test_ssim_does_not_depend_on_the_order(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = pair
    assert t2i.score.ssim(a, b) == t2i.score.ssim(b, a)


@given(pairs)
def test_ssim_lies_within_minus_one_and_one(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert np.abs(ssim_map(*pair)).max() <= 1 + 1e-12


@given(pairs)
def test_ssim_is_one_for_equal_pictures_and_only_for_them(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    a, b = pair
    assert t2i.score.ssim(a, a) == 1.0
    assert (t2i.score.ssim(a, b) == 1.0) == bool((a == b).all())


def test_one_level_in_one_corner_is_seen() -> None:
    a = flat(128)
    b = a.copy()
    b[0, 0, 0] += 1
    assert t2i.score.ssim(a, b) < 1.0


@given(pairs)
def test_the_general_form_with_exponents_of_one_is_the_short_form(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    nearly_one = 1.0 + 1e-15  # takes the long way
    long = ssim_map(*pair, exponents=(nearly_one, 1.0, 1.0))
    np.testing.assert_allclose(long, ssim_map(*pair), atol=1e-9)


@given(pairs)
def test_each_part_of_the_general_form_is_bounded(pair: tuple[np.ndarray, np.ndarray]) -> None:
    for exponents in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 2.0), (0.5, 0.5, 0.5)):
        part = ssim_map(*pair, exponents=exponents)
        assert part.min() >= -1e-12, "a negative structure counts as 0"
        assert part.max() <= 1 + 1e-9


def test_only_structure_can_be_negative() -> None:
    a = np.tile(np.array([[0], [255]], np.uint8), (8, 16))[:, :, None].repeat(3, axis=2)
    assert ssim_map(a, 255 - a, exponents=(0.0, 0.0, 1.0)).max() < 0
    assert (ssim_map(a, 255 - a, exponents=(0.0, 0.0, 2.0)) == 0).all()


def test_flat_pictures_have_the_ssim_of_their_luminance() -> None:
    a, b, c1 = 100.0, 150.0, (0.01 * 255) ** 2
    expected = (2 * a * b + c1) / (a * a + b * b + c1)
    assert t2i.score.ssim(flat(100), flat(150)) == pytest.approx(expected)
    assert C2 == (0.03 * 255) ** 2


@given(st.integers(1, 255))
def test_psnr_of_a_shift_is_what_the_formula_says(shift: int) -> None:
    assert t2i.score.psnr(flat(0), flat(shift)) == pytest.approx(20 * math.log10(255 / shift))


def test_psnr_of_equal_pictures_is_infinite() -> None:
    assert t2i.score.psnr(flat(3), flat(3)) == math.inf


def test_pictures_come_as_arrays_images_or_files(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    other = 255 - colours
    Image.fromarray(colours).save(tmp_path / "a.png")
    expected = t2i.score.psnr(colours, other)
    for same in (Image.fromarray(colours), tmp_path / "a.png", str(tmp_path / "a.png")):
        assert t2i.score.psnr(same, other) == expected
    grey = colours[:, :, 0]
    assert t2i.score.psnr(grey, grey[:, :, None]) == math.inf


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (flat(0), np.zeros((12, 11, 3), np.uint8), "11 × 11 and 11 × 12"),
        (flat(0), flat(0)[:, :, 0], "colours"),
        (flat(0).astype(float), flat(0), "float64"),
        (flat(0)[:, :, :2], flat(0), "no picture"),
    ],
)
def test_what_cannot_be_compared_is_an_error(a: np.ndarray, b: np.ndarray, message: str) -> None:
    for metric in (t2i.score.psnr, t2i.score.ssim):
        with pytest.raises(ScoreError, match=message):
            metric(a, b)


def test_a_picture_smaller_than_the_window_is_an_error() -> None:
    small = np.zeros((TAPS - 1, 50, 3), np.uint8)
    with pytest.raises(ScoreError, match="50 × 10"):
        t2i.score.ssim(small, small)


def chosen(*names: str) -> dict[str, PairMetric]:
    return {name: each for name, each in choose(names).items() if isinstance(each, PairMetric)}


def save(folder: Path, **levels: int) -> Path:
    folder.mkdir()
    for name, level in levels.items():
        Image.fromarray(flat(level)).save(folder / f"{name}.png")
    return folder


def test_pictures_are_matched_by_name_and_what_is_alone_is_listed(tmp_path: Path) -> None:
    a = save(tmp_path / "a", one=1, two=2, only=3)
    b = save(tmp_path / "b", two=4, one=5, more=6)
    for stray in ("index.jsonl", ".hidden.png"):
        (b / stray).touch()
    found = match(a, b)
    assert [(pair.name, pair.a.where, pair.b.where) for pair in found.pairs] == [
        ("one.png", str(a / "one.png"), str(b / "one.png")),
        ("two.png", str(a / "two.png"), str(b / "two.png")),
    ]
    assert [item.where for item in found.alone] == [str(a / "only.png"), str(b / "more.png")]
    assert found.tell_alone().startswith("2 without a partner: ")


def test_two_files_are_a_pair_whatever_their_names(tmp_path: Path) -> None:
    a, b = save(tmp_path / "a", one=1) / "one.png", save(tmp_path / "b", two=2) / "two.png"
    (pair,) = match(a, b).pairs
    assert (pair.a.where, pair.b.where) == (str(a), str(b))


@pytest.mark.parametrize("other", ["missing", "empty", "strangers", "a/one.png"])
def test_nothing_to_compare_is_an_error(tmp_path: Path, other: str) -> None:
    a = save(tmp_path / "a", one=1)
    save(tmp_path / "empty")
    save(tmp_path / "strangers", two=2)
    with pytest.raises(ScoreError) as caught:
        match(a, tmp_path / other)
    assert caught.value.hint


def test_a_picture_that_is_listed_twice_has_no_one_partner(tmp_path: Path) -> None:
    a = save(tmp_path / "a", one=1)
    listing = tmp_path / "b.txt"
    listing.write_text("a/one.png\na/one.png\n")
    with pytest.raises(ScoreError, match=r"b\.txt has one\.png twice"):
        match(a, listing)


def test_a_folder_scores_the_mean_of_its_pairs(tmp_path: Path) -> None:
    a = save(tmp_path / "a", one=100, two=100)
    b = save(tmp_path / "b", one=110, two=150)
    found = compare(chosen("psnr", "ssim"), match(a, b), Options(), names=("a", "b"))
    psnr, ssim = found.results()
    each = [20 * math.log10(25.5), 20 * math.log10(5.1)]
    assert psnr.value == pytest.approx(np.mean(each))
    assert psnr.spread == pytest.approx(np.std(each))
    assert (psnr.metric, psnr.unit, ssim.metric) == ("psnr", "dB", "ssim")
    about = ssim.protocol
    assert about.pictures == 2
    assert about.pixel_range == (0.0, 255.0)
    assert (about.resize, about.extractor, about.seed) == ("none", None, None)
    assert (about.reference, about.options) == ("a", {"luma": False})
    assert [(each.name, each.count) for each in about.inputs] == [("a", 2), ("b", 2)]
    assert about.software["t2i"] == t2i.__version__


def test_an_infinite_mean_has_no_spread(tmp_path: Path) -> None:
    a = save(tmp_path / "a", one=1, two=2)
    b = save(tmp_path / "b", one=1, two=3)
    (psnr,) = compare(chosen("psnr"), match(a, b), Options(), names=("a", "b")).results()
    assert (psnr.value, psnr.spread) == (math.inf, None)


def test_the_hash_of_a_set_is_that_of_names_and_bytes(tmp_path: Path) -> None:
    a = save(tmp_path / "a", one=1, two=2)
    again = save(tmp_path / "again", two=2, one=1)
    other = save(tmp_path / "other", one=1, two=3)
    renamed = save(tmp_path / "renamed", one=1, three=2)
    first, same, *others = (
        Stored(folder).inputs[0].sha256 for folder in (a, again, other, renamed)
    )
    assert first == same
    assert first not in others


def test_a_bad_pair_is_named(tmp_path: Path) -> None:
    a, b = save(tmp_path / "a", one=1), save(tmp_path / "b", one=1)
    Image.new("RGB", (50, 40)).save(b / "one.png")
    with pytest.raises(ScoreError, match=r"one\.png: the pictures differ in size"):
        compare(chosen("psnr"), match(a, b), Options(), names=("a", "b"))
    (b / "one.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"b/one\.png"):
        compare(chosen("psnr"), match(a, b), Options(), names=("a", "b"))


def test_a_map_is_white_where_pictures_are_equal(tmp_path: Path) -> None:
    a, b = save(tmp_path / "a", one=0), save(tmp_path / "b", one=0)
    size = (40, 20)
    Image.new("RGB", size).save(a / "one.png")
    half = Image.new("RGB", size)
    half.paste("white", (20, 0, 40, 20))
    half.save(b / "one.png")
    compare(chosen("ssim"), match(a, b), Options(), names=("a", "b"), maps=tmp_path / "maps")
    with Image.open(tmp_path / "maps" / "one.png") as drawn:
        levels = np.asarray(drawn)
    assert levels.shape == (20 - TAPS + 1, 40 - TAPS + 1)
    assert (levels[:, :10] == 255).all()
    assert (levels[:, -10:] < 5).all()


def test_a_metric_is_asked_for_by_its_name_and_computed_once() -> None:
    assert list(choose(["ssim", "psnr", "ssim"])) == ["ssim", "psnr"]
    with pytest.raises(UsageError) as caught:
        choose(["ssmi"])
    assert caught.value.hint == "did you mean 'ssim'?"
    for metric in METRICS.values():
        assert metric.definition
