"""The four resizes: official values, and what must hold of any."""

import numpy as np
import pytest
from golden import Case, cases
from golden_pairs import golden_batch

from t2i.runtime.score.resize import RESIZES

PACKAGES = {
    "inception_tf": "tf",
    "inception_pytorchfid": "pytorch-fid",
    "inception_clean": "clean",
    "preprocess_stackgan": "stackgan",
}
CASES = [case for case in cases("metrics") if case.name.rpartition("_")[0] in PACKAGES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_picture_is_resized_as_by_the_package(case: Case) -> None:
    kind = PACKAGES[case.name.rpartition("_")[0]]
    resize = RESIZES[kind]
    if kind in ("tf", "clean"):  # these are stored before they are brought into the range
        found = [resize.levels(each, 299).transpose(2, 0, 1) for each in golden_batch(case)]
    else:
        found = [resize.prepared(each, 299) for each in golden_batch(case)]
    case.check({"resized": np.stack(found)})


def test_all_four_are_there_at_three_shapes() -> None:
    assert len(CASES) == 12


@pytest.mark.parametrize("kind", RESIZES)
@pytest.mark.parametrize("level", [0, 93, 255])
def test_a_plain_picture_stays_plain(kind: str, level: int) -> None:
    resize = RESIZES[kind]
    found = resize.levels(np.full((5, 9, 3), level, np.uint8), 31)
    assert (found.shape, found.dtype) == ((31, 31, 3), np.float32)
    np.testing.assert_allclose(found, level, atol=1e-4)


@pytest.mark.parametrize("kind", RESIZES)
def test_a_picture_of_the_wanted_size_stays_as_it_is(kind: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (31, 31, 3), np.uint8)
    np.testing.assert_allclose(RESIZES[kind].levels(picture, 31), picture, atol=1e-4)


@pytest.mark.parametrize(("kind", "top"), [("tf", 127 / 128), ("pytorch-fid", 1.0)])
def test_white_is_at_the_top_of_the_packages_range(kind: str, top: float) -> None:
    white = np.full((4, 4, 3), 255, np.uint8)
    assert RESIZES[kind].prepared(white, 8).max() == pytest.approx(top)
