"""Of many pictures the ones that match their caption are kept; and what the CLIP score says."""

from pathlib import Path

import numpy as np
import pytest
from commands import failed, names, pixels, records
from judges import write_clip, write_colourist, write_judge
from PIL import Image
from typer.testing import CliRunner, Result

from t2i.runtime import batch
from t2i.runtime.cli.run import app
from t2i.runtime.cli.score import app as score_app

COLOUR = {"red": [255, 0, 0], "green": [0, 255, 0]}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_clip(folder)
    write_judge(folder)
    write_colourist(folder, noise=0.6)
    write_colourist(folder, "steady", noise=0.0)
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, bundles: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for bundle in bundles.iterdir():
        (tmp_path / bundle.name).symlink_to(bundle)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(
        app, [*arguments, "--model=colourist", "--threads=1", "--device=cpu", "--batch-size=5"]
    )


def nearness(path: Path, colour: str) -> float:
    """Cosine of the mean colour and the colour that was asked for, both from -1 to 1."""
    mean = pixels(path).mean(axis=(0, 1)) / 127.5 - 1
    wanted = np.array(COLOUR[colour]) / 127.5 - 1
    return float(mean @ wanted / np.linalg.norm(mean) / np.linalg.norm(wanted))


def test_the_best_pictures_of_each_caption_are_kept(here: Path) -> None:
    run("red", "green", "--count=12", "--out=all")
    done = run("red", "green", "--count=12", "--rerank=clip", "--keep=3", "--out=best")
    assert done.exit_code == 0, done.output
    assert "wrote 6 pictures to best" in done.stdout
    assert "red: 3 of 12 kept, cosines" in done.stderr
    kept = {entry.index: entry for entry in batch.entries(here / "best")}
    for line, colour in enumerate(("red", "green")):
        drawn = {
            entry.index: nearness(here / "all" / str(entry.file), colour)
            for entry in batch.entries(here / "all")
            if entry.line == line
        }
        wanted = sorted(drawn, key=lambda index: -drawn[index])[:3]
        assert sorted(wanted) == [index for index in sorted(kept) if kept[index].line == line]
    for entry in kept.values():
        assert (
            pixels(here / "best" / str(entry.file)) == pixels(here / "all" / str(entry.file))
        ).all()


def test_the_best_is_written_first_and_one_is_kept_by_default(here: Path) -> None:
    done = run("red", "--count=12", "--rerank=clip", "--keep=3", "--json")
    files = [Path(record["file"]) for record in records(done.stdout)]
    near = [nearness(file, "red") for file in files]
    assert near == sorted(near, reverse=True)
    assert run("red", "--count=12", "--rerank=clip", "--out=one.png").exit_code == 0
    assert nearness(here / "one.png", "red") == near[0]


def test_a_sheet_holds_what_is_kept(here: Path) -> None:
    arguments = ["--count=8", "--rerank=clip", "--keep=2", "--grid", "--out=sheet.png"]
    assert run("red", "green", *arguments).exit_code == 0
    assert pixels(here / "sheet.png").shape == (36, 36, 3)  # 2 × 2 pictures of 16 px


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--keep=2"], "--keep is for --rerank"),
        (["--rerank=clip"], "keeps 1 of 1 pictures"),
        (["--rerank=clip", "--count=4", "--keep=4"], "keeps 4 of 4 pictures"),
        (["--rerank=clip", "--count=4", "--out=x", "--resume"], "cannot go on with a choice"),
    ],
)
def test_a_choice_that_is_none_is_wrong_usage(arguments: list[str], message: str) -> None:
    assert message in failed(run("red", *arguments), 2)


def test_what_only_looks_cannot_choose() -> None:
    said = failed(run("red", "--count=4", "--rerank=judge"))
    assert "judge reads no captions" in said
    assert "such as one of CLIP" in said, "--with is an option of t2i-score alone"


def test_the_clip_score_is_the_mean_cosine_of_pictures_and_captions(here: Path) -> None:
    (here / "two.txt").write_text("red\ngreen\n")
    arguments = ["clip", "--with=clip=clip", "--device=cpu", "--threads=1", "--json"]
    steady = ["--model=steady", "--captions=two.txt"]
    (record,) = records(CliRunner().invoke(score_app, [*arguments, *steady]).stdout)
    assert record["value"] == pytest.approx(100, abs=1e-3)
    assert record["protocol"]["reference"] == "the pictures' own captions"
    run("red", "green", "--count=4", "--out=all")
    (record,) = records(CliRunner().invoke(score_app, [*arguments, "all"]).stdout)
    entries = batch.entries(here / "all")
    near = [nearness(here / "all" / str(each.file), each.caption) for each in entries]
    assert record["value"] == pytest.approx(100 * np.mean(near), abs=1e-3)
    assert record["spread"] == pytest.approx(100 * np.std(near), abs=1e-3)


def test_captions_of_photographs_are_read_beside_them(here: Path) -> None:
    (here / "photos").mkdir()
    for name, colour in {"a": "red", "b": "lime"}.items():
        Image.new("RGB", (8, 8), colour).save(here / "photos" / f"{name}.png")
    metadata = here / "photos" / "metadata.jsonl"
    metadata.write_text(
        '{"file_name": "b.png", "text": ["green", "red"], "licence": "none"}\n'
        '{"file_name": "a.png", "text": "red"}\n'
    )
    arguments = ["clip", "--with=clip=clip", "--device=cpu", "--json", "photos"]
    (record,) = records(CliRunner().invoke(score_app, arguments).stdout)
    assert record["value"] == pytest.approx(100, abs=1e-3)


def test_pictures_without_captions_have_no_clip_score(here: Path) -> None:
    run("red", "--out=bare.png")
    (here / "folder").mkdir()
    (here / "bare.png").rename(here / "folder" / "bare.png")
    said = failed(CliRunner().invoke(score_app, ["clip", "--with=clip=clip", "folder"]))
    assert "clip needs the captions" in said
    assert names(here / "folder") == ["bare.png"]
