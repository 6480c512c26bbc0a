"""`t2i-run` with many captions: folders, sheets, stopping and going on."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from bundles import PX
from cards import Build, use
from commands import contents, differ, failed, names, pixels, records
from typer.testing import CliRunner, Result

from t2i.runtime.cli.run import app
from t2i.runtime.draw import Painter

COMMAND = (sys.executable, "-c", "from t2i.runtime.cli.run import main; main()")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to draw into."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def bundle(tiny_bundle: Path) -> tuple[str, ...]:
    return ("--model", str(tiny_bundle), "--device", "cpu", "--threads", "1")


def run(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], input=stdin)


def write_lines(*lines: str) -> str:
    Path("birds.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "birds.txt"


def test_a_file_of_captions_becomes_a_folder_with_an_index(
    here: Path, bundle: tuple[str, ...], painter: Painter
) -> None:
    source = write_lines("a red bird", "", "a blue zebra", "🐦", "a bird", "")
    done = run("--captions", source, "--count", "2", "--seed", "10", *bundle)
    said = failed(done)
    assert "warning: birds.txt, line 2: the caption is empty\n" in said
    assert "warning: birds.txt, line 4: there are no words" in said
    assert "2 of 5 captions could not be drawn" in said
    assert "birds/index.jsonl" in said
    assert done.stdout.startswith("wrote 6 pictures to birds (16 × 16")
    index = records((here / "birds" / "index.jsonl").read_text())
    assert [each["index"] for each in index] == [0, 1, 2, 4, 5, 6, 8, 9]
    for each in index:
        assert each["line"] == each["index"] // 2
        assert each["seed"] == 10 + each["index"]
        if each["file"] is None:
            assert each["error"]
            continue
        drawn = pixels(here / "birds" / each["file"])
        alone = painter(each["caption"], seed=each["seed"])
        assert differ(drawn, np.asarray(alone)) <= 1
    pictures = [each["file"] for each in index if each["file"]]
    assert names(here / "birds") == sorted([*pictures, "batch.json", "index.jsonl"])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", "\ufefftext,more\r\na red bird,1\r\na blue bird,2\r\n"),
        ("a.jsonl", '{"text": "a red bird"}\n{"caption": "a blue bird"}\n'),
        ("-", "a red bird\na blue bird\n"),
    ],
)
def test_captions_come_in_many_forms(
    here: Path, bundle: tuple[str, ...], name: str, data: str
) -> None:
    Path("a.csv").write_text(data, encoding="utf-8", newline="")
    Path("a.jsonl").write_text(data, encoding="utf-8")
    done = run("--captions", name, "--out", "out", *bundle, stdin=data if name == "-" else None)
    assert done.exit_code == 0, done.stderr
    assert len(list((here / "out").glob("*.png"))) == 2


def test_a_folder_without_a_name_takes_a_free_one(here: Path, bundle: tuple[str, ...]) -> None:
    source = write_lines("a bird")
    run("--captions", source, *bundle)
    run("--captions", source, *bundle)
    run("--captions", "-", *bundle, stdin="a bird\n")
    assert names(here) == ["birds", "birds-2", "birds.txt", "pictures"]


def test_typed_captions_fill_a_folder_too(here: Path, bundle: tuple[str, ...]) -> None:
    run("a red bird", "--count", "3", "--out", "birds", "--attention", *bundle)
    index = records((here / "birds" / "index.jsonl").read_text())
    assert [each["beside"] for each in index] == [
        [f"000{number}-a-red-bird-attention.png"] for number in range(3)
    ]
    assert all((here / "birds" / each["beside"][0]).is_file() for each in index)


def test_a_full_folder_is_protected(here: Path, bundle: tuple[str, ...]) -> None:
    Path("birds").mkdir()
    Path("birds/mine.txt").touch()
    assert "birds is not empty" in failed(run("a bird", "--out", "birds", *bundle))
    assert names(here / "birds") == ["mine.txt"]
    assert run("a bird", "--out", "birds", "--force", *bundle).exit_code == 0
    assert run("a red bird", "--out", "birds", "--force", *bundle).exit_code == 0
    assert names(here / "birds") == [
        "0000-a-red-bird.png",
        "batch.json",
        "index.jsonl",
        "mine.txt",
    ]


def test_nothing_but_bad_lines_draws_nothing(here: Path, bundle: tuple[str, ...]) -> None:
    source = write_lines(*["🐦"] * 30)
    said = failed(run("--captions", source, *bundle))
    assert "none of the captions" in said
    assert "20 more lines cannot be drawn" in said
    assert names(here) == ["birds.txt"]


def test_bad_lines_leave_white_cells_on_a_sheet(here: Path, bundle: tuple[str, ...]) -> None:
    source = write_lines("🐦", "a red bird")
    failed(run("--captions", source, "--grid", "--out", "sheet.png", *bundle))
    sheet = pixels(here / "sheet.png")
    assert (sheet[:, :PX] == 255).all()
    assert (sheet[:, PX + 4 :] != 255).any()


def test_low_memory_draws_the_same(here: Path, bundle: tuple[str, ...]) -> None:
    source = write_lines("a red bird", "a blue bird", "a bird")
    run("--captions", source, "--out", "wide", *bundle)
    run("--captions", source, "--out", "narrow", "--low-memory", *bundle)
    assert names(here / "wide") == names(here / "narrow")
    for path in (here / "wide").glob("*.png"):
        narrow = pixels(here / "narrow" / path.name)
        assert differ(pixels(path), narrow) <= 1


# Stopping and going on


def test_going_on_gives_the_folder_of_an_uninterrupted_run(
    here: Path, bundle: tuple[str, ...]
) -> None:
    source = write_lines(*["a red bird", "zebra", "a blue bird with red wings"] * 5)
    command = ("--captions", source, "--count", "2", "--batch-size", "4", *bundle)
    failed(run(*command, "--out", "whole"))
    shutil.copytree(here / "whole", here / "part")
    # As a kill would leave it: some lines missing, the last one torn, one file without its line.
    index = here / "part" / "index.jsonl"
    lines = index.read_bytes().splitlines(keepends=True)
    index.write_bytes(b"".join(lines[:13]) + lines[13][:20])
    for line in lines[14:]:
        if name := json.loads(line)["file"]:
            (here / "part" / name).unlink()
    done = run(*command, "--out", "part", "--resume")
    assert "beside" in done.stdout
    failed(done)
    assert contents(here / "part") == contents(here / "whole")
    again = run(*command, "--out", "part", "--resume")
    assert "wrote 0 pictures to part, beside 20 that were there" in again.stdout
    assert contents(here / "part") == contents(here / "whole")


@pytest.mark.parametrize(
    ("change", "said"),
    [(["--seed", "1"], "its seed is 0"), (["--count", "2"], "its count is 1")],
)
def test_going_on_with_another_order_is_refused(
    here: Path, bundle: tuple[str, ...], change: list[str], said: str
) -> None:
    command = ("--captions", write_lines("a red bird"), "--out", "birds", *bundle)
    run(*command)
    before = contents(here / "birds")
    assert said in failed(run(*command, "--resume", *change))
    write_lines("a blue bird")
    assert "captions are others" in failed(run(*command, "--resume"))
    assert contents(here / "birds") == before


def test_going_on_where_nothing_is_begins(here: Path, bundle: tuple[str, ...]) -> None:
    assert run("a bird", "--out", "birds", "--resume", *bundle).exit_code == 0
    assert (here / "birds" / "0000-a-bird.png").is_file()


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_and_resume_goes_on(here: Path, bundle: tuple[str, ...]) -> None:
    source = write_lines(*[f"a {colour} bird" for colour in ("red", "blue", "grey")] * 500)
    arguments = ("--captions", source, *bundle, "--out")
    index = here / "stopped" / "index.jsonl"
    with subprocess.Popen(
        [*COMMAND, *arguments, "stopped"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as drawing:
        deadline = time.monotonic() + 60
        while not (index.exists() and index.stat().st_size > 2_000):
            assert drawing.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        drawing.send_signal(signal.SIGINT)
        _, said = drawing.communicate(timeout=60)
    assert drawing.returncode == 130
    assert re.search(r"^\d+ of 1,500 pictures are in stopped; the same command", said, re.MULTILINE)
    assert "--out stopped --resume" in said
    assert said.endswith("stopped\n")
    assert "Traceback" not in said
    there = names(here / "stopped")
    assert not [name for name in there if name.endswith(".part")]
    for entry in records(index.read_text()):
        assert entry["file"] in there
    assert len(records(index.read_text())) < 1500
    for folder in (["stopped", "--resume"], ["whole"]):
        subprocess.run([*COMMAND, *arguments, *folder], check=True, capture_output=True)
    assert contents(here / "stopped") == contents(here / "whole")


def test_a_card_that_is_lost_leaves_what_was_drawn_and_resume_goes_on(
    here: Path, bundle: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_lines(*[f"a {colour} bird" for colour in ("red", "blue", "grey", "white")])
    command = ("--captions", source, "--batch-size", "2", "--out", "birds", *bundle)
    with monkeypatch.context() as patch:
        use(patch, Build(("cuda", "cpu"), lost_after=1))
        said = failed(run(*command, "--device", "cuda"))
    assert "cuda stopped while it ran generator.onnx" in said
    assert "--resume" in said
    assert [name[:4] for name in names(here / "birds") if name.endswith(".png")] == ["0000", "0001"]
    assert run(*command, "--device", "cpu", "--resume").exit_code == 0
    assert len([name for name in names(here / "birds") if name.endswith(".png")]) == 4
