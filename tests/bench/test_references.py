"""What is known of rendered birds, measured with judges that see nothing but mean colours."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judges import write_judge

from bench import references
from t2i.runtime.captions import Line, read_captions
from t2i.runtime.errors import BundleError
from t2i.runtime.score.diversity import mean_distance
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.references import CAPTIONS, rendered
from t2i.train.data.birds.attributes import VALUES
from t2i.train.data.birds.cache import Series

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {**VALUES, "facing": ("left", "right")}
FEW = 3


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script draws small pictures."""
    monkeypatch.setattr(references, "PX", 32)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Extractor:
    width = sum(map(len, ATTRIBUTES.values()))
    reads = np.random.default_rng(0).normal(size=(3, width))
    path = write_judge(tmp_path_factory.mktemp("bundles"), "judge", ATTRIBUTES, reads)
    return Extractor.load(path, device="cpu", threads=1)


@pytest.fixture
def lines() -> tuple[Line, ...]:
    return read_captions(str(CAPTIONS))[:FEW]


def test_what_was_measured_is_read_again(
    judge: Extractor, lines: tuple[Line, ...], tmp_path: Path
) -> None:
    arrays = references.measure(judge, judge, lines)
    references.save(arrays, tmp_path / "references.npz")
    found = rendered(tmp_path / "references.npz")
    assert found
    pictures = [
        references.rendered(line.facts, Series("test", 32).noise(place))
        for place, line in enumerate(lines)
    ]
    features = judge.look(pictures, ["features"])["features"].astype(np.float64)
    np.testing.assert_allclose(found.features.mean, features.mean(0), atol=1e-6)
    np.testing.assert_allclose(found.features.covariance, np.cov(features.T), atol=1e-6)
    assert (found.features.count, found.input.count, found.name) == (3, 3, "3 rendered birds")
    assert found.features.extractor == found.perceptual == judge.sha256
    stated = [name for line in lines for name in line.facts or {}]
    assert {name: said for name, (_, said) in found.seen.items()} == {
        "back" if name == "main" else name: stated.count(name) for name in stated
    }
    assert all(0 <= seen <= said for seen, said in found.seen.values())
    distances = [
        mean_distance(judge.look(several(line, place), ["features"])["features"])
        for place, line in enumerate(lines)
    ]
    assert found.diversity == pytest.approx(np.mean(distances), rel=1e-5)


def several(line: Line, place: int) -> list[np.ndarray]:
    """The 16 pictures of one caption."""
    noises = map(Series("test", 32).noise, range(16 * place, 16 * (place + 1)))
    return [references.rendered(line.facts, noise) for noise in noises]


def test_a_bird_looks_where_its_facts_say() -> None:
    noise = Series("test", 32).noise(0)
    facts: dict[str, Any] = {"main": "red"}
    left, right = (references.rendered(facts | {"facing": to}, noise) for to in ("left", "right"))
    np.testing.assert_array_equal(left, right[:, ::-1])
    assert any((references.rendered(facts, noise) == each).all() for each in (left, right))


def test_a_damaged_file_is_an_error_and_a_missing_one_is_none(tmp_path: Path) -> None:
    assert rendered(tmp_path / "none.npz") is None
    np.savez(tmp_path / "bad.npz", mu=np.zeros(2), sigma=np.eye(2), n=np.array(9))
    with pytest.raises(BundleError, match=r"bad\.npz is damaged"):
        rendered(tmp_path / "bad.npz")
