"""Metrics of sets: official values, and a world of plain colours where all can be said before."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import Case, cases
from hypothesis import given
from hypothesis import strategies as st
from judges import ATTRIBUTES, COLOURS, PRIMARY, flat, write_judge, write_matcher
from PIL import Image

import t2i
from t2i.runtime.errors import BundleError, ScoreError, UsageError
from t2i.runtime.score import diversity
from t2i.runtime.score.attributes import Attributes
from t2i.runtime.score.confidence import NORMAL_95, wilson
from t2i.runtime.score.confusion import confusion_sheet
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.inception import score_of
from t2i.runtime.score.practice import PRACTICES
from t2i.runtime.score.sets import Setting, Watching, show
from t2i.runtime.score.sources import Caption, Given, Stored, source_of


def golden(name: str) -> Case:
    (case,) = (case for case in cases("metrics") if case.name == name)
    return case


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Extractor:
    path = write_judge(tmp_path_factory.mktemp("bundles"))
    return Extractor.load(path, device="cpu", threads=1)


@pytest.fixture(scope="module")
def matcher(tmp_path_factory: pytest.TempPathFactory) -> Extractor:
    path = write_matcher(tmp_path_factory.mktemp("bundles"))
    return Extractor.load(path, device="cpu", threads=1)


def said(text: str, **facts: str) -> Caption:
    return Caption(text, facts, "a file, line 1")


def seen(watching: Watching, extractor: Extractor, source: Given) -> None:
    show(source, [(extractor, watching)], batch_size=4)


# How sure a share is


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_where_the_share_is_as_far_as_a_normal_quantile(
    pair: tuple[int, int],
) -> None:
    hits, count = pair
    share = hits / count
    low, high = wilson(hits, count)
    assert 0 <= low <= share <= high <= 1
    for end in (low, high):  # Wilson's own condition: (share − p)² = z² p (1 − p) / n
        assert (share - end) ** 2 == pytest.approx(
            NORMAL_95**2 * end * (1 - end) / count, abs=1e-12
        )


# Inception Score


def test_inception_score_is_that_of_official_code() -> None:
    case = golden("inception_score")
    logits = 3 * case.inputs()["logits"]
    mean, spread = score_of(logits, 10)
    one, _ = score_of(logits, 1)
    case.check({"is_mean": mean, "is_std": spread, "is_one_split": one})
    shuffled = logits[np.random.RandomState(2020).permutation(len(logits))]
    mean, spread = score_of(shuffled, 10)
    case.check({"is_mean_shuffled": mean, "is_std_shuffled": spread})


def test_shuffled_as_stackgan_it_is_that_of_its_official_code() -> None:
    case = golden("inception_score")
    logits = (3 * case.inputs()["logits"])[:, 1:]
    order = PRACTICES["stackgan"].order(len(logits), seed=0)
    assert len(order) == 960
    mean, spread = score_of(logits, 10, order)
    found = {"is_stackgan_mean": mean, "is_stackgan_std": spread}
    case.check({**found, "stackgan_order_head": order[:16]})


def test_certain_pictures_of_all_kinds_score_the_number_of_kinds() -> None:
    logits = np.tile(1000 * np.eye(4), (10, 1))
    assert score_of(logits, 10) == (pytest.approx(4), pytest.approx(0))


@pytest.mark.parametrize("logits", [np.zeros((20, 4)), np.tile([9.0, 0, 0, 0], (20, 1))])
def test_pictures_of_one_kind_score_one(logits: np.ndarray) -> None:
    assert score_of(logits, 10) == (pytest.approx(1), pytest.approx(0))


def test_inception_score_of_pictures_reads_the_main_colour(tmp_path: Path) -> None:
    path = write_judge(tmp_path, reads=1000 * np.eye(3, 5))
    pictures = [flat(colour) for colour in PRIMARY.values()] * 10
    mean, spread = t2i.score.inception_score(pictures, extractor=str(path), device="cpu")
    assert (mean, spread) == (pytest.approx(3), pytest.approx(0, abs=1e-6))
    with pytest.raises(ScoreError, match="9 pictures cannot be split into 10"):
        t2i.score.inception_score(pictures[:9], extractor=str(path), device="cpu")


# Attributes


def test_attributes_are_the_share_of_what_is_said_that_is_seen(judge: Extractor) -> None:
    captions = [
        said("a", main="red", light="dark"),  # red is darker than grey
        said("b", main="red"),
        said("c", main="blue", light="bright"),
        said("d"),
    ]
    pictures = [flat(PRIMARY["red"]), flat(PRIMARY["green"]), flat(PRIMARY["blue"]), flat((0,) * 3)]
    scorer = Attributes(Setting(judge, Given(pictures, captions)))
    seen(scorer, judge, Given(pictures, captions))
    found = scorer.value()
    assert (found.value, found.interval) == (3 / 5, wilson(3, 5))
    assert [(part.name, part.value, part.count) for part in found.parts] == [
        ("all", 3 / 5, 5),
        ("large parts", 2 / 3, 3),
        ("back", 2 / 3, 3),
        ("light", 1 / 2, 2),
    ]
    assert all(
        part.interval == wilson(round(part.value * part.count), part.count) for part in found.parts
    )
    assert scorer.counts["back"].tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("facts", "message", "hint"),
    [
        ({"bakc": "red"}, "does not read 'bakc'", "did you mean 'back'?"),
        ({"main": "rde"}, "knows no 'main' that is 'rde'", "did you mean 'red'?"),
        (None, "does not tell what the caption states", "facts"),
        ({}, "none does", "facts"),
    ],
)
def test_captions_must_state_what_the_judge_can_read(
    judge: Extractor, facts: dict[str, str] | None, message: str, hint: str
) -> None:
    source = Given([flat((0, 0, 0))], [Caption("a", facts, "x.jsonl, line 7")])
    with pytest.raises(ScoreError, match=message) as caught:
        Attributes(Setting(judge, source))
    assert hint in caught.value.hint


def test_a_bundle_without_attributes_reads_none(matcher: Extractor) -> None:
    source = Given([flat((0, 0, 0))], [said("a", main="red")])
    with pytest.raises(ScoreError, match="matcher tells no 'attributes'"):
        Attributes(Setting(matcher, source))
    with pytest.raises(ScoreError, match="does not read 'back'"):
        matcher.attribute("back")


def test_a_confusion_is_darkest_where_most_were_seen() -> None:
    names = ("red", "green", "a long name")
    sheet = confusion_sheet(np.array([[5, 0, 0], [1, 3, 0], [0, 0, 0]]), names)
    assert sheet.dtype == np.uint8
    taller = confusion_sheet(np.zeros((4, 4), np.int64), (*names, "blue"))
    assert taller.shape[0] > sheet.shape[0]
    mean = confusion_sheet(np.zeros((3, 3), np.int64), names).mean()
    assert sheet.mean() < mean, "nothing seen is light"


# Diversity


def test_the_distance_of_pairs_is_their_mean() -> None:
    assert diversity.mean_distance(np.array([[0.0, 0], [3, 4], [0, 0]])) == pytest.approx(10 / 3)


def test_equal_pictures_have_no_diversity(judge: Extractor) -> None:
    source = Given([flat((0, 0, 0))] * 6, [said("a")] * 6)
    scorer = diversity.Diversity(Setting(judge, source))
    for place in range(2):  # two captions, three pictures each
        shown = [type(each)(each.pixels, place) for batch in source.batches(3) for each in batch][
            :3
        ]
        scorer.see([each.caption for each in shown], {"features": np.full((3, 2), float(place))})
    assert (scorer.value().value, scorer.value().spread) == (0, 0)


def test_a_folder_has_no_diversity_of_a_caption() -> None:
    with pytest.raises(UsageError, match="cannot draw"):
        diversity.draws(Given([flat((0, 0, 0))]))


# Extractors and sources


def test_what_an_extractor_sees_does_not_depend_on_the_company(judge: Extractor) -> None:
    pictures = [flat(COLOURS[name], px) for name, px in (("red", 8), ("shade1", 5), ("blue", 8))]
    together = judge.look(pictures, ["features", "attributes"])
    for place, picture in enumerate(pictures):
        alone = judge.look([picture], ["features"])["features"]
        np.testing.assert_allclose(alone[0], together["features"][place], atol=1e-6)
    np.testing.assert_allclose(together["features"][0], PRIMARY["red"], atol=1e-6)
    assert judge.attribute("light") == slice(3, 5)
    assert tuple(judge.manifest.attributes) == tuple(ATTRIBUTES)


def test_only_bundles_that_look_at_pictures_are_extractors(tiny_bundle: Path) -> None:
    with pytest.raises(ScoreError, match="tiny does not look at pictures") as caught:
        Extractor.load(tiny_bundle)
    assert "birds-features" in caught.value.hint
    with pytest.raises(BundleError, match="no bundle called 'nobody'"):
        t2i.score.fid([], [], extractor="nobody")


def test_numbers_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    path = write_judge(tmp_path, reads=np.full((3, 5), np.inf))
    with pytest.raises(ScoreError, match="not finite"):
        Extractor.load(path, device="cpu").look([flat((1, 1, 1))], ["attributes"])


def save(folder: Path, pictures: Sequence[np.ndarray]) -> Path:
    folder.mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:03}.png")
    return folder


def test_a_folder_and_the_same_pictures_in_memory_are_one_set(
    tmp_path: Path, judge: Extractor
) -> None:
    random = np.random.default_rng(0)
    pictures = [flat(colour) for colour in random.uniform(-1, 1, (20, 3))]
    folder = save(tmp_path / "pictures", pictures)
    options: dict[str, Any] = {"extractor": str(judge.bundle.archive.path), "device": "cpu"}
    others = np.stack([flat(colour) for colour in random.uniform(-1, 0.5, (30, 3))])
    expected = t2i.score.fid(pictures, others, **options)
    assert expected > 0.01
    assert t2i.score.fid(folder, others, **options) == pytest.approx(expected)
    assert t2i.score.fid(str(folder), others, batch_size=3, **options) == pytest.approx(expected)
    assert t2i.score.fid(pictures, folder, **options) == pytest.approx(0, abs=1e-9)
    statistics = t2i.score.Gaussian(np.zeros(3), np.eye(3))
    np.savez(tmp_path / "real.npz", mu=np.zeros(3), sigma=np.eye(3))
    assert t2i.score.fid(tmp_path / "real.npz", folder, **options) == pytest.approx(
        t2i.score.fid(statistics, folder, **options)
    )
    strange = t2i.score.Gaussian(np.zeros(3), np.eye(3), extractor="0" * 64)
    with pytest.raises(ScoreError, match="not those of judge"):
        t2i.score.fid(strange, folder, **options)


def test_grey_pictures_are_seen_in_colours() -> None:
    grey = np.full((4, 4), 9, np.uint8)
    (shown,) = (each for batch in source_of([grey]).batches(8) for each in batch)
    assert shown.pixels.shape == (4, 4, 3)
    with pytest.raises(ScoreError, match="no pictures"):
        source_of([])


def test_pictures_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = save(tmp_path / "pictures", [flat((level, level, level)) for level in (0.1, 0.2, 0.3)])
    (folder / "notes.txt").touch()
    source = Stored(folder)
    assert len(source) == 3
    levels = [int(each.pixels[0, 0, 0]) for batch in source.batches(2) for each in batch]
    assert levels == sorted(levels)
    assert [len(batch) for batch in source.batches(2)] == [2, 1]
    assert source.captions == ()


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir])
def test_a_folder_without_pictures_is_an_error(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "x")
    with pytest.raises(ScoreError) as caught:
        len(Stored(tmp_path / "x"))
    assert caught.value.hint
