"""R-precision: official values, and colours whose captions are told apart by their words."""

import math

import numpy as np
import pytest
from golden import cases
from judges import SHADES, flat, write_judge, write_matcher

from t2i.runtime.errors import ScoreError
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.retrieval import Pool, Retrieval, cosines, leads, spread_of
from t2i.runtime.score.sets import Setting, show
from t2i.runtime.score.sources import Caption, Given


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


def test_r_precision_is_that_of_official_code() -> None:
    (case,) = (case for case in cases("metrics") if case.name == "r_precision")
    inputs = case.inputs()
    images, pool = inputs["images"], inputs["pool"]
    own = np.float32(0.2) * images + inputs["sentences"]
    n = len(images)
    others = [n + places for places in inputs["mismatched"]]
    sentences = np.concatenate([own, pool])
    hits = leads(images, sentences, range(n), others) > 0
    first = cosines(images[:1], sentences)[0, [0, *others[0]]]
    parts = hits.reshape(10, -1).mean(1)
    case.check(
        {
            "scores_first": first,
            "hits": hits,
            "r_precision": hits.mean(),
            "ten_part_std": parts.std(),
        }
    )


def test_the_spread_over_folds_is_that_of_their_means() -> None:
    hits = [n < 10 for n in range(20)]  # whatever the order, two parts of ten share ten hits
    shuffled = np.random.RandomState(3).permutation(np.asarray(hits, float))
    first = shuffled[:10].mean()
    assert spread_of(hits, 2, seed=3) == pytest.approx(abs(first - 0.5))
    assert spread_of([True] * 37, 10, seed=0) == 0


def test_a_tie_is_no_hit() -> None:
    sentences = np.array([[1.0, 0], [0, 1], [2, 0]])
    codes = np.array([[1.0, 0], [0.6, 0.8]])
    found = leads(codes, sentences, [0, 1], [np.array([1, 2]), np.array([0, 2])])
    assert found.tolist() == pytest.approx([0, 0.2])
    assert found[0] == 0, "exactly"


def test_a_code_of_nothing_is_near_nothing() -> None:
    assert cosines(np.zeros((1, 3)), np.eye(3)).tolist() == [[0, 0, 0]]


def pool(texts: int = 150, kinds: int = 150) -> Pool:
    return Pool([said(f"caption {n}", main=f"colour {n % kinds}") for n in range(texts)])


def test_candidates_are_99_others_that_say_something_else() -> None:
    captions = pool(300, kinds=150)
    for own in (0, 7, 299):
        found = captions.others(own, seed=3)
        assert len(set(found.tolist())) == 99
        assert own % 150 not in {place % 150 for place in found.tolist()}


def test_candidates_depend_on_the_seed_and_on_nothing_else() -> None:
    captions = pool()
    first, again, other = (captions.others(1, seed).tolist() for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_each_caption_competes_about_equally_often() -> None:
    captions = pool()
    times = np.bincount(np.concatenate([captions.others(0, seed) for seed in range(400)]))
    expected = 400 * 99 / 149
    assert times[0] == 0
    assert np.abs(times[1:] - expected).max() < 5 * math.sqrt(expected * 50 / 149)


def test_equal_texts_are_one_caption_and_too_few_are_an_error() -> None:
    captions = [said(f"caption {n % 100}", main=f"{n % 100}") for n in range(200)]
    assert len(Pool(captions).texts) == 100
    with pytest.raises(ScoreError, match="only 98 others"):
        Pool(captions[:99])
    with pytest.raises(ScoreError, match="only 0 others"):
        pool(150, kinds=1)


def test_r_precision_goes_by_labels_where_there_are_some() -> None:
    captions = Pool([Caption(f"caption {n}", None, "", f"class {n % 50}") for n in range(150)])
    others = captions.others(7, seed=0)
    assert {place % 50 for place in others.tolist()}.isdisjoint({7})
    with pytest.raises(ScoreError, match="only 0 others"):
        Pool([Caption(f"caption {n}", {"n": f"{n}"}, "", "one class") for n in range(150)])


def test_r_precision_without_facts_goes_by_the_texts() -> None:
    captions = Pool([Caption(f"caption {n}", None, "") for n in range(100)])
    assert sorted([0, *captions.others(0, 0).tolist()]) == list(range(100))


def test_pictures_of_their_captions_are_all_found(matcher: Extractor) -> None:
    captions = [Caption(name, None, "") for name in SHADES]
    pictures = [flat(colour) for colour in SHADES.values()]
    scorer = Retrieval(Setting(matcher, Given(pictures, captions)))
    show(Given(pictures, captions), [(matcher, scorer)], batch_size=4)
    near = np.array(list(SHADES.values()))
    near = near / np.linalg.norm(near, axis=1, keepdims=True)
    closest = np.sort(near @ near.T)[:, -2].max()
    assert closest < 1, "no two shades have one direction"
    assert scorer.value().value > 0.9  # 8 bits blur directions that are almost one
    shuffled = Given(pictures[1:] + pictures[:1], captions)
    scorer = Retrieval(Setting(matcher, shuffled))
    show(shuffled, [(matcher, scorer)], batch_size=4)
    assert scorer.value().value < 0.1


def test_r_precision_needs_captions_and_a_bundle_that_reads_them(
    judge: Extractor, matcher: Extractor
) -> None:
    with pytest.raises(ScoreError, match="given has none"):
        Retrieval(Setting(matcher, Given([flat((0, 0, 0))])))
    captions = [Caption(name, None, "") for name in SHADES]
    with pytest.raises(ScoreError, match="judge tells no 'code'"):
        Retrieval(Setting(judge, Given([flat((0, 0, 0))] * 150, captions)))
    with pytest.raises(ScoreError, match="judge reads no captions"):
        judge.sentences(["red"])
