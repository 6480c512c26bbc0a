"""VS similarity in a world of plain colours, where every angle is known."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import failed, records
from hypothesis import given
from hypothesis import strategies as st
from judges import PRIMARY, write_colourist, write_judge, write_matcher
from PIL import Image
from typer.testing import CliRunner, Result

from t2i.runtime.cli.score import app
from t2i.runtime.errors import ScoreError
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.metrics import METRICS
from t2i.runtime.score.own_captions import VisualSemantic, similarities
from t2i.runtime.score.sets import Setting, show
from t2i.runtime.score.sources import Caption, Given

COLOURS = [PRIMARY[name] for name in PRIMARY]


def painted(colour: tuple[float, ...]) -> np.ndarray:
    level = np.rint((np.array(colour) + 1) * 127.5).astype(np.uint8)
    return np.broadcast_to(level, (8, 8, 3)).copy()


@pytest.fixture(scope="module")
def matcher(tmp_path_factory: pytest.TempPathFactory) -> Extractor:
    path = write_matcher(tmp_path_factory.mktemp("bundles"))
    return Extractor.load(path, device="cpu", threads=1)


def test_it_is_the_mean_and_population_deviation_of_the_cosines(matcher: Extractor) -> None:
    # Codes are the primary colours; of different ones the cosine is (-1 - 1 + 1) / 3.
    names = ["red", "green", "red", "blue"]
    shown = ["red", "green", "blue", "blue"]
    source = Given(
        [painted(PRIMARY[each]) for each in shown], [Caption(n, None, "") for n in names]
    )
    scorer = VisualSemantic(Setting(matcher, source))
    show(source, [(matcher, scorer)], batch_size=3)
    found = scorer.value()
    cosines = [1.0, 1.0, -1 / 3, 1.0]
    assert found.value == pytest.approx(np.mean(cosines), abs=1e-5)
    assert found.spread == pytest.approx(np.std(cosines), abs=1e-5)
    assert found.options == {"captions": 3}


@given(st.floats(0.1, 100), st.floats(0.1, 100))
def test_lengths_do_not_count(one: float, other: float) -> None:
    codes, sentences = np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([[4.0, 3.0], [0.0, 2.0]])
    found = similarities(one * codes, other * sentences)
    np.testing.assert_allclose(found, [24 / 25, 0], atol=1e-12)


def test_a_code_of_nothing_is_like_nothing() -> None:
    assert similarities(np.zeros((1, 3)), np.ones((1, 3))).tolist() == [0]


def test_it_needs_captions_and_a_bundle_that_reads_them(matcher: Extractor, tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match="vs needs the captions") as caught:
        VisualSemantic(Setting(matcher, Given([painted(COLOURS[0])])))
    assert "--captions" in caught.value.hint
    judge = Extractor.load(write_judge(tmp_path), device="cpu", threads=1)
    source = Given([painted(COLOURS[0])], [Caption("red", None, "")])
    with pytest.raises(ScoreError, match="judge tells no 'code'"):
        VisualSemantic(Setting(judge, source))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_matcher(tmp_path)
    write_colourist(tmp_path)
    lines = "".join(json.dumps({"text": f"{name} bird"}) + "\n" for name in PRIMARY)
    (tmp_path / "primary.jsonl").write_text(lines)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    orders = ["vs", "--model=colourist", "--captions=primary.jsonl", "--device=cpu", *arguments]
    return CliRunner().invoke(app, orders)


@pytest.mark.usefixtures("world")
def test_the_command_tells_the_similarity_and_how_it_was_made() -> None:
    done = run("--with=vs=matcher", "--json")
    assert done.exit_code == 0, done.output
    (found,) = records(done.stdout)
    assert found["value"] > 0.99
    about = found["protocol"]
    assert about["extractor"].startswith("matcher ")
    assert about["reference"] == "the pictures' own captions"
    assert "Zhang et al. 2018" in about["definition"]
    assert about["pictures"] == 3


@pytest.mark.usefixtures("world")
def test_real_pictures_are_compared_with_the_captions_that_lie_beside_them(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    lines = []
    for name, said in (("red", "red bird"), ("green", "blue bird")):
        Image.fromarray(painted(PRIMARY[name])).save(tmp_path / "real" / f"{name}.png")
        lines.append(json.dumps({"file_name": f"{name}.png", "text": said}) + "\n")
    (tmp_path / "real" / "metadata.jsonl").write_text("".join(lines))
    done = CliRunner().invoke(app, ["vs", "real", "--with=vs=matcher", "--device=cpu", "--json"])
    assert done.exit_code == 0, done.output
    (found,) = records(done.stdout)
    assert found["value"] == pytest.approx((1 - 1 / 3) / 2, abs=1e-5)
    assert found["spread"] == pytest.approx(2 / 3, abs=1e-5)
    assert found["protocol"]["inputs"][0]["name"] == "real"


@pytest.mark.usefixtures("world")
def test_a_bundle_that_is_not_there_is_an_error_that_says_how_to_choose_one() -> None:
    said = failed(run("--with=vs=nobody"))
    assert "vs needs a bundle that looks at pictures" in said
    assert "--with vs=BUNDLE" in said


@pytest.mark.usefixtures("world")
def test_without_the_usual_bundle_no_other_name_is_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "vs", replace(METRICS["vs"], bundle="birds-of-nobody"))
    said = failed(run())
    assert "did you mean" not in said
    assert "export one, and choose it by --with vs=BUNDLE" in said
