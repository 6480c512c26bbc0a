"""`t2i-score` on sets and on captions, in a world of plain colours."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import failed, names, records
from judges import PRIMARY, SHADES, write_colourist, write_judge, write_matcher, write_sorter
from PIL import Image
from typer.testing import CliRunner, Result

import t2i
from t2i.runtime.bundle import Bundle
from t2i.runtime.cli import run as run_command
from t2i.runtime.cli import score as score_command
from t2i.runtime.cli import scoring
from t2i.runtime.errors import BundleError
from t2i.runtime.score import references
from t2i.runtime.score.confidence import wilson
from t2i.runtime.score.frechet import Gaussian
from t2i.runtime.score.protocol import Input

MATCHER = "--with=r-precision=matcher"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundles that `t2i-score` looks for, and some more."""
    folder = tmp_path_factory.mktemp("world")
    for name in ("birds-features", "birds-perceptual", "inception"):
        write_judge(folder, name)
    write_matcher(folder)
    write_colourist(folder)
    write_colourist(folder, "photographer", birds=False)
    write_sorter(folder)
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, bundles: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the bundles in it, and captions that state the colour they name."""
    for bundle in bundles.iterdir():
        (tmp_path / bundle.name).symlink_to(bundle)
    write_captions(tmp_path / "primary.jsonl", [(name, name) for name in PRIMARY] * 4)
    write_captions(tmp_path / "shades.jsonl", [(name, None) for name in SHADES])
    (tmp_path / "plain.txt").write_text("".join(f"a {name} bird\n" for name in PRIMARY))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scoring, "rendered", lambda: None)
    return tmp_path


def write_captions(path: Path, captions: Sequence[tuple[str, str | None]]) -> None:
    lines = (
        {"text": f"{name} bird"} | ({"facts": {"main": main}} if main else {})
        for name, main in captions
    )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(score_command.app, [*arguments, "--device=cpu", "--threads=1"])


def results(*arguments: str) -> dict[str, dict[str, Any]]:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return {each["metric"]: each for each in records(done.stdout)}


def drawing(*arguments: str) -> tuple[str, ...]:
    return ("--model=colourist", "--captions=primary.jsonl", *arguments)


def folder(path: Path, colours: Sequence[Sequence[float]]) -> Path:
    path.mkdir()
    for number, colour in enumerate(colours):
        level = tuple(round((each + 1) * 127.5) for each in colour)
        Image.new("RGB", (8, 8), level).save(path / f"{number:03}.png")
    return path


def test_pictures_are_drawn_and_scored_in_one_stream(here: Path) -> None:
    before = names(here)
    found = results("attributes,is,diversity", *drawing())
    assert names(here) == before, "nothing is written"
    assert list(found) == ["attributes", "is", "diversity"]
    attributes, inception = found["attributes"], found["is"]
    assert (attributes["value"], attributes["interval"]) == (1.0, list(wilson(12, 12)))
    assert [part["name"] for part in attributes["parts"]] == ["all", "large parts", "back"]
    assert 1 < inception["value"] < 3
    assert found["diversity"]["protocol"]["pictures"] == 12 * 16
    assert 0.05 < found["diversity"]["value"] < 0.15  # noise of 0.05 in three channels


def test_a_score_carries_its_whole_protocol() -> None:
    about = results("attributes", *drawing("--seed=3", "--total=5"))["attributes"]["protocol"]
    painter, judge = (Bundle.load(Path(f"{name}.t2i")) for name in ("colourist", "birds-features"))
    assert about["extractor"] == f"birds-features {judge.sha256}"
    assert (about["pictures"], about["seed"]) == (5, 3)
    assert about["resize"].startswith("by the graph of birds-features")
    drawn, captions = about["inputs"]
    assert drawn == {"name": "colourist", "count": 5, "sha256": painter.graph("generator").sha256}
    assert (captions["name"], captions["count"]) == ("primary.jsonl", 12)
    assert {"onnxruntime", "device", "numpy", "t2i"} <= set(about["software"])
    assert about["options"] == {"read as": {"main": "back"}}


def test_people_get_a_line_a_metric_and_a_table() -> None:
    done = run("attributes,is", *drawing())
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines() == [
        "colourist · cpu, 1 thread · seed 0",
        "colourist: 12 pictures · attributes by birds-features · is by inception",
    ]
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"attributes 1\.00000 \(0\.757\d+ … 1\.00000\)", lines[0])
    assert lines[1].split("  ")[0] == "what is said"
    assert re.fullmatch(r"back +100\.0 % +75\.8 % … 100\.0 % +12", lines[4])
    assert re.fullmatch(r"is \d\.\d{5} ± \S+", lines[5])


def test_a_folder_that_was_drawn_scores_as_the_stream_does(here: Path) -> None:
    orders = ["--captions=shades.jsonl", "--model=colourist"]
    done = CliRunner().invoke(run_command.app, [*orders, "--out=drawn", "--seed=7", "--stages"])
    assert done.exit_code == 2, "no stages here"
    done = CliRunner().invoke(run_command.app, [*orders, "--out=drawn", "--seed=7"])
    assert done.exit_code == 0, done.output
    Image.new("RGB", (16, 16)).save(here / "drawn" / "a-stranger.png")
    real = folder(here / "real", np.random.default_rng(1).uniform(-1, 1, (9, 3)).tolist())
    metrics = ("r-precision,is,fid", str(real))
    stream = results(*metrics, *orders, "--seed=7", MATCHER)
    stored = results(*metrics, "drawn", "--seed=7", MATCHER)
    for metric in ("r-precision", "is", "fid"):
        assert stored[metric]["value"] == pytest.approx(stream[metric]["value"], rel=1e-4)
        assert stored[metric]["protocol"]["pictures"] == 150, "those of the index alone"
    assert stored["r-precision"]["value"] > 0.5
    assert stored["r-precision"]["protocol"]["seed"] == 7
    assert stored["is"]["protocol"]["seed"] is None
    assert stored["fid"]["protocol"]["reference"] == "real"
    assert [each["name"] for each in stored["fid"]["protocol"]["inputs"]] == ["drawn", "real"]


def test_r_precision_has_a_spread_over_folds_or_runs_by_protocol() -> None:
    order = ("r-precision", "--model=colourist", "--captions=shades.jsonl", MATCHER)
    plain = results(*order)["r-precision"]
    folds = results(*order, "--protocol=dmgan")["r-precision"]
    runs = results(*order, "--protocol=attngan")["r-precision"]
    assert plain["spread"] is None
    assert (folds["value"], folds["interval"]) == (plain["value"], plain["interval"])
    assert 0 < folds["spread"] < 0.5
    assert runs["protocol"]["options"]["runs"] == 10
    assert runs["interval"] is None
    assert 0 <= runs["spread"] < folds["spread"], "candidates differ, pictures do not"


def test_the_first_folder_is_the_reference_and_one_is_enough_for_is(here: Path) -> None:
    random = np.random.default_rng(0)
    real = folder(here / "real", random.uniform(-1, 1, (20, 3)).tolist())
    fake = folder(here / "fake", random.uniform(-1, 0, (12, 3)).tolist())
    both = results("is,fid,psnr", str(real), str(fake))
    assert both["is"]["value"] == pytest.approx(results("is", str(fake))["is"]["value"])
    judge = str(here / "inception.t2i")
    expected = t2i.score.fid(real, fake, extractor=judge, device="cpu")
    assert both["fid"]["value"] == pytest.approx(expected)
    assert both["psnr"]["protocol"]["pictures"] == 12
    np.savez(here / "real.npz", mu=np.zeros(3), sigma=np.eye(3))
    known = run("fid", "real.npz", str(fake), "--json")
    (record,) = records(known.stdout)
    assert "does not tell which extractor" in known.stderr
    assert record["protocol"]["inputs"][1]["name"] == "real.npz"


def test_all_metrics_of_two_sets_look_once_at_either(here: Path) -> None:
    random = np.random.default_rng(0)
    real = folder(here / "real", random.uniform(-1, 1, (40, 3)).tolist())
    fake = folder(here / "fake", random.uniform(-1, 1, (30, 3)).tolist())
    order = (str(real), str(fake), "--subset=20")
    found = results("prdc,is,kid,fid", *order)
    assert list(found) == ["prdc", "is", "kid", "fid"]
    for metric in ("prdc", "kid", "fid"):
        alone = results(metric, *order) if metric == "kid" else results(metric, *order[:2])
        assert alone[metric]["value"] == found[metric]["value"]
        assert found[metric]["protocol"]["reference"] == "real"
    parts = {part["name"]: part for part in found["prdc"]["parts"]}
    assert list(parts) == ["precision", "recall", "density", "coverage"]
    assert [each["count"] for each in parts.values()] == [30, 40, 30, 40]
    lines = run("prdc", *order[:2]).stdout.splitlines()
    assert lines[1].split() == ["part", "value", "of"]
    assert lines[2].split() == ["precision", f"{parts['precision']['value']:#.6g}", "30"]
    assert found["kid"]["protocol"]["options"] == {"subsets": 100, "subset": 20, "seed": 2020}


def test_another_network_than_inception_is_named_beside_the_number(here: Path) -> None:
    real = str(folder(here / "real", np.random.default_rng(0).uniform(-1, 1, (20, 3)).tolist()))
    judged = ("--with=fid=birds-features", "--with=is=birds-features")
    done = run("fid,is", real, real, *judged)
    assert re.match(r"fid \(birds-features\) \S+\nis \(birds-features\) \S+ ±", done.stdout)
    found = results("fid,is", real, real, *judged)
    assert found["fid"]["called"] == "fid (birds-features)"
    assert results("fid", real, real)["fid"]["called"] == "fid"


def test_where_there_is_no_inception_nothing_takes_its_place(here: Path) -> None:
    (here / "inception.t2i").unlink()
    real = str(folder(here / "real", [(0, 0, 0)] * 20))
    for metric in ("fid", "is", "kid", "prdc"):
        said = failed(run(metric, real, real))
        assert "no bundle called 'inception'" in said
        assert "t2i-export inception --weights" in said
        assert f"--with {metric}=birds-features" in said
    with pytest.raises(BundleError) as caught:
        t2i.score.fid(real, real)
    assert "t2i-export inception" in caught.value.hint


def test_few_pictures_for_fid_are_a_warning_and_one_is_an_error(here: Path) -> None:
    real = str(folder(here / "real", [(0, 0, 0), (0.5, 0, 0), (0, 0.5, 0)]))
    many = str(folder(here / "many", [(n / 8, 0, 0) for n in range(4)]))
    for sets in ((real, many), (many, real)):
        assert "FID of 3 pictures with 3 features comes out too large" in run("fid", *sets).stderr
    one = str(folder(here / "one", [(0, 0, 0)]))
    assert "one picture has no FID" in failed(run("fid", real, one))
    assert "one: one picture has no covariance" in failed(run("fid", one, real))


def known(judge: Path) -> references.Rendered:
    sha256 = Bundle.load(judge).graph("image").sha256
    return references.Rendered(
        Input("references.npz", 2000, "0" * 64),
        Gaussian(np.zeros(3), np.eye(3), 2000, sha256),
        {"back": (9, 10)},
        diversity=0.2,
        perceptual=sha256,
    )


def test_bundles_of_drawn_birds_are_compared_with_rendered_ones(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = known(here / "birds-features.t2i")
    monkeypatch.setattr(scoring, "rendered", lambda: rendered)
    found = results("attributes,fid,diversity", *drawing())
    assert found["attributes"]["parts"][2]["rendered"] == 0.9
    assert found["fid"]["protocol"]["reference"] == "2,000 rendered birds"
    (ratio,) = found["diversity"]["parts"]
    assert ratio["value"] == pytest.approx(found["diversity"]["value"] / 0.2)
    shown = run("attributes,diversity", *drawing()).stdout
    assert "90.0 %" in shown
    assert "ratio to rendered pictures" in shown
    # What another judge saw says nothing about this one.
    other = replace(rendered.features, extractor="1" * 64)
    rendered = replace(rendered, features=other, perceptual="1" * 64)
    assert results("attributes", *drawing())["attributes"]["parts"][2]["rendered"] is None
    assert results("diversity", *drawing())["diversity"]["parts"] == []
    assert "are not those of inception" in failed(run("fid", *drawing()))


def test_a_confusion_is_drawn_into_a_new_file(here: Path) -> None:
    done = run("attributes", *drawing("--confusion=seen.png"))
    assert done.exit_code == 0, done.output
    assert "wrote seen.png" in done.stderr
    with Image.open(here / "seen.png") as sheet:
        assert sheet.height > 100
    assert "seen.png is there already" in failed(
        run("attributes", *drawing("--confusion=seen.png"))
    )


def test_captions_are_scored_as_the_classes_that_they_name() -> None:
    order = ("attributes", "--model=sorter", "--captions=primary.jsonl")
    assert "primary.jsonl, line 1: there is no class 'red bird'" in failed(run(*order))
    done = run(*order, "--nearest-class")
    assert done.exit_code == 0, done.output
    assert "'red bird' is drawn as the class 'red'\n" in done.stderr
    assert done.stdout.startswith("attributes 1.00000 ")
    own = results("is", "--model=sorter", "--total=20", "--nearest-class")
    assert own["is"]["protocol"]["inputs"][1]["name"] == "captions.jsonl"


def test_unknown_words_are_named() -> None:
    done = run("is", "--model=colourist", "--captions=plain.txt", "--total=10")
    assert done.exit_code == 0, done.output
    assert "colourist does not know 'a'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["is"], "there are no pictures to score"),
        (["psnr", "primary"], "compared two by two"),
        (["psnr", *drawing()], "compared two by two"),
        (["is", "a", "b", *drawing()], "from FAKE or from --model"),
        (["is", "a", "--captions=primary.jsonl"], "add --model"),
        (["is", "a", "--total=3"], "add --model"),
        (["is", "a", "--nearest-class"], "add --model"),
        (["is", *drawing("--nearest-class")], "knows no classes"),
        (["diversity", "."], "cannot draw"),
        (["is", *drawing("--luma")], "--luma is for metrics of pairs"),
        (["is", *drawing("--map=maps")], "--map draws what ssim sees"),
        (["is", *drawing("--confusion=x.png")], "--confusion draws what attributes sees"),
        (["attributes", *drawing("--confusion=x.jpg")], "x.jpg is no .png"),
        (["is", *drawing("--with=fid=birds-features")], "nothing that is computed needs it"),
        (["is", *drawing("--subset=5")], "--subset is for kid"),
        (["is", *drawing("--with=is")], "no pair"),
        (["is", *drawing("--seed=274877906943")], "seed is too large"),
        (["is", "--model=photographer"], "was not trained on drawn birds"),
    ],
)
def test_what_contradicts_itself_is_wrong_usage(arguments: list[str], message: str) -> None:
    assert message in failed(run(*arguments), status=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["is", "nowhere"], "nowhere is no folder"),
        (["is", "primary.jsonl"], "primary.jsonl is no folder"),
        (["is", *drawing("--total=9")], "9 pictures cannot be split"),
        (["fid", *drawing()], "none to compare with"),
        (["kid", *drawing()], "none to compare with"),
        (["prdc", "real.npz", *drawing()], "holds mean and covariance"),
        (["kid", "many", *drawing()], "KID draws subsets of 1,000 pictures, and there are 12"),
        (["prdc", "few", *drawing()], "5 pictures cannot have 5 neighbours each"),
        (["fid", "nowhere", *drawing()], "nowhere is no folder"),
        (["attributes", "."], "no pictures in"),
        (["attributes", "--model=colourist", "--captions=plain.txt"], "does not tell what"),
        (["attributes", *drawing("--with=attributes=matcher")], "matcher tells no 'attributes'"),
        (["attributes", *drawing("--with=attributes=colourist")], "does not look at pictures"),
        (["attributes", *drawing("--with=attributes=nobody")], "no bundle called 'nobody'"),
        (["r-precision", *drawing(MATCHER)], "only 2 others"),
        (["is", "--model=nobody"], "no bundle called 'nobody'"),
        (["is", "--model=colourist", "--captions=none.txt"], "none.txt cannot be read"),
    ],
)
def test_what_cannot_be_scored_is_an_error(here: Path, arguments: list[str], message: str) -> None:
    folder(here / "few", [(0, 0, 0)] * 5)
    folder(here / "many", [(0, 0, 0)] * 20)
    np.savez(here / "real.npz", mu=np.zeros(3), sigma=np.eye(3))
    before = names(here)
    assert message in failed(run(*arguments))
    assert names(here) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["is"], "5 pictures cannot be split"),
        (["prdc"], "5 pictures cannot have 5 neighbours each"),
        (["kid", "--subset=20"], "only 5 could be read"),
    ],
)
def test_too_few_that_can_be_read_are_an_error(
    here: Path, arguments: list[str], message: str
) -> None:
    folder(here / "few", [(0, 0, 0)] * 20)
    for number in range(5, 20):
        (here / "few" / f"{number:03}.png").write_bytes(b"")
    folder(here / "many", [(0, 0, 0)] * 20)
    assert message in failed(run(*arguments, "many", "few"))


def test_attributes_are_refused_where_what_is_drawn_states_nothing(here: Path) -> None:
    lines = ({"text": "bird", "facts": {}}, {"text": "red bird", "facts": {"main": "red"}})
    (here / "late.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    order = ("attributes", "--model=colourist", "--captions=late.jsonl")
    assert "what their captions state, and none does" in failed(run(*order, "--total=1"))
    assert results(*order)["attributes"]["value"] == 1.0


def test_a_caption_that_cannot_be_drawn_is_an_error(here: Path) -> None:
    (here / "bad.txt").write_text("red\nxyzzy\n")
    said = failed(run("is", "--model=colourist", "--captions=bad.txt"))
    assert "bad.txt, line 2: no word of the caption 'xyzzy'" in said
    (here / "bad.jsonl").write_text('{"text": "red"}\n{"txt": "blue"}\n')
    assert "bad.jsonl, line 2" in failed(run("is", "--model=colourist", "--captions=bad.jsonl"))


def test_bundles_of_drawn_birds_have_captions_of_their_own() -> None:
    found = results("is", "--model=colourist", "--total=20")["is"]["protocol"]
    assert [each["name"] for each in found["inputs"]] == ["colourist", "captions.jsonl"]
    assert found["inputs"][1]["count"] == 2000
