"""AC-GAN's two questions about classes, asked of pictures whose answers are known beforehand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from judges import PRIMARY, write_judge

import t2i
from t2i.runtime.errors import ScoreError
from t2i.runtime.score.classes import ByAttribute, random_pairs, seen_at
from t2i.runtime.score.confidence import wilson
from t2i.runtime.score.features import Extractor

PX = 32


def stripes(width: int) -> np.ndarray:
    """Black and white, so many pixels wide."""
    row = np.arange(PX) // width % 2 * 255
    return np.broadcast_to(row[None, :, None], (PX, PX, 3)).astype(np.uint8)


def flat(*level: int) -> np.ndarray:
    return np.full((PX, PX, 3), level, np.uint8)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (PX, PX, 3), np.uint8)


class Contrast:
    """Calls a picture striped in which neighbours differ."""

    name = "contrast"

    def classify(self, pictures: Sequence[np.ndarray]) -> Sequence[str]:
        return ["striped" if each.std() > 50 else "plain" for each in pictures]


def accuracies(pictures: list[np.ndarray], wanted: list[str], *resolutions: int) -> list[float]:
    found = t2i.score.accuracy_by_resolution(
        pictures, wanted, Contrast(), resolutions=resolutions, batch_size=2
    )
    assert found.value == found.parts[-1].value
    return [part.value for part in found.parts]


def test_detail_is_known_as_long_as_it_is_there() -> None:
    fine, coarse = ([stripes(width), flat(128), stripes(width)] for width in (1, 8))
    wanted = ["striped", "plain", "striped"]
    assert accuracies(fine, wanted, 16, 32) == [1 / 3, 1.0]
    assert accuracies(coarse, wanted, 2, 16, 32) == [1 / 3, 1.0, 1.0]


def test_each_share_has_its_resolution_its_count_and_its_interval() -> None:
    found = t2i.score.accuracy_by_resolution(
        [stripes(1), flat(0)], ["striped", "striped"], Contrast(), resolutions=[32, 8]
    )
    assert [(part.name, part.value, part.count) for part in found.parts] == [
        ("8 px", 0.0, 2),
        ("32 px", 0.5, 2),
    ]
    assert [part.interval for part in found.parts] == [wilson(0, 2), wilson(1, 2)]
    assert found.interval == wilson(1, 2)
    assert found.options["classifier"] == "contrast"
    assert found.inputs[0].count == 2


def test_shrinking_keeps_the_mean_and_the_size_and_never_enlarges() -> None:
    wide = np.concatenate([noise(0), noise(1)], axis=1)
    shrunk = seen_at(wide, 8)
    assert shrunk.shape == wide.shape
    assert abs(shrunk.mean() - wide.mean()) < 1
    assert shrunk.std() < wide.std() / 2
    assert (seen_at(wide, PX) == wide).all()
    with pytest.raises(ScoreError, match="64 × 32"):
        seen_at(wide, PX + 1)


def test_a_bundle_that_reads_attributes_is_a_classifier(tmp_path: Path) -> None:
    judge = ByAttribute(Extractor.load(write_judge(tmp_path), device="cpu", threads=1))
    levels = [[round((each + 1) * 127.5) for each in colour] for colour in PRIMARY.values()]
    pictures = [flat(*level) for level in levels]
    assert judge.classify(pictures) == list(PRIMARY)
    found = t2i.score.accuracy_by_resolution(pictures, list(PRIMARY), judge, resolutions=[4, 16])
    assert [part.value for part in found.parts] == [1.0, 1.0], "a colour survives shrinking"
    assert found.options["classifier"].startswith("judge ")


def test_classes_must_be_as_many_as_pictures() -> None:
    with pytest.raises(ScoreError, match="2 pictures have 1 classes"):
        accuracies([flat(0), flat(1)], ["plain"], 8)


def test_a_class_drawn_alike_is_one_and_one_of_noise_is_nothing() -> None:
    found = t2i.score.class_diversity(
        {"same": [noise(0)] * 5, "different": [noise(n) for n in range(5)]}, pairs=6
    )
    same, different = found.parts
    assert (same.name, same.value, same.count) == ("same", pytest.approx(1.0), 6)
    assert (different.name, different.count) == ("different", 6)
    assert different.value < 0.2
    assert found.value == (same.value + different.value) / 2
    assert found.spread == pytest.approx((same.value - different.value) / 2)


def test_where_there_are_few_pairs_all_are_compared() -> None:
    pictures = [noise(0), stripes(4), flat(9)]
    (part,) = t2i.score.class_diversity({"three": pictures}).parts
    pairs = [(0, 1), (0, 2), (1, 2)]
    each = [t2i.score.small_ms_ssim(pictures[a], pictures[b]) for a, b in pairs]
    assert (part.value, part.count) == (pytest.approx(np.mean(each)), 3)


def test_pairs_are_different_pairs_of_different_pictures_that_the_seed_decides() -> None:
    chosen = random_pairs("x", 60, 100, seed=7)
    assert len(set(chosen)) == 100
    assert all(0 <= a < b < 60 for a, b in chosen)
    assert random_pairs("x", 60, 100, seed=7) == chosen
    assert len(set(random_pairs("x", 60, 100, seed=8)) & set(chosen)) < 20
    often = np.bincount(np.ravel([random_pairs("x", 5, 3, seed) for seed in range(400)]))
    assert often == pytest.approx(np.full(5, 400 * 6 / 5), rel=0.15)


@pytest.mark.parametrize("count", [0, 1, 6000])
def test_a_class_without_pairs_is_named(count: int) -> None:
    with pytest.raises(ScoreError, match="'wren'") as caught:
        random_pairs("wren", count, 100, seed=0)
    assert "2 to 5,793" in caught.value.hint
