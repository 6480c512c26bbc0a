"""`t2i-run` as people type it."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import LENGTH, PX, file, manifest, save_manifest, write_tiny_bundle
from PIL import Image
from typer.testing import CliRunner, Result

import t2i
from t2i.runtime.bundle import Text
from t2i.runtime.cli.run import app
from t2i.runtime.draw import Painter
from t2i.runtime.text import word_tokenizer

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


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def failed(result: Result, status: int = 1) -> str:
    """What a failed command says, which must be an error and a hint."""
    assert result.exit_code == status, result.output
    assert re.search(r"^error: .+\n hint: .+\n\Z", result.stderr, re.MULTILINE), result.stderr
    return result.stderr


def write_lines(*lines: str) -> str:
    Path("birds.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "birds.txt"


def test_one_caption_becomes_one_picture(
    here: Path, bundle: tuple[str, ...], painter: Painter
) -> None:
    done = run("a red bird", *bundle)
    assert done.exit_code == 0
    assert done.stderr == "tiny · cpu, 1 thread · seed 0\n"
    assert re.fullmatch(r"wrote a-red-bird\.png \(16 × 16, \d\.\d\d s\)\n", done.stdout)
    assert names(here) == ["a-red-bird.png"]
    assert np.abs(pixels(here / "a-red-bird.png").astype(int) - painter("a red bird")).max() <= 1


def test_a_picture_tells_where_it_comes_from(here: Path, bundle: tuple[str, ...]) -> None:
    run("a red zebra", "--seed", "7", *bundle)
    with Image.open(here / "a-red-zebra.png") as picture:
        about = dict(picture.text)  # type: ignore[attr-defined]
    assert about["caption"] == "a red zebra"
    assert about["words"] == "a red"
    assert (about["seed"], about["bundle"]) == ("7", "tiny")
    assert re.fullmatch(r"[0-9a-f]{64}", about["sha256"])


def test_several_captions_and_counts_take_free_names(
    here: Path, bundle: tuple[str, ...], painter: Painter
) -> None:
    done = run("a red bird", "a blue bird", "--count", "2", "--seed", "5", *bundle)
    assert done.exit_code == 0
    expected = {
        "a-red-bird.png": ("a red bird", 5),
        "a-red-bird-2.png": ("a red bird", 6),
        "a-blue-bird.png": ("a blue bird", 7),
        "a-blue-bird-2.png": ("a blue bird", 8),
    }
    assert names(here) == sorted(expected)
    for name, (caption, seed) in expected.items():
        difference = pixels(here / name).astype(int) - painter(caption, seed=seed)
        assert np.abs(difference).max() <= 1


def test_out_names_one_file_which_is_protected(here: Path, bundle: tuple[str, ...]) -> None:
    assert run("a red bird", "--out", "new/bird.png", *bundle).exit_code == 0
    before = pixels(here / "new" / "bird.png")
    said = failed(run("a blue bird", "--out", "new/bird.png", *bundle))
    assert "new/bird.png is there already" in said
    assert "--force" in said
    assert (pixels(here / "new" / "bird.png") == before).all()
    assert run("a blue bird", "--out", "new/bird.png", "--force", *bundle).exit_code == 0
    assert (pixels(here / "new" / "bird.png") != before).any()


def test_stages_and_attention_lie_beside_the_picture(here: Path, bundle: tuple[str, ...]) -> None:
    done = run("a red bird", "--stages", "--attention", *bundle)
    written = ["a-red-bird-8.png", "a-red-bird-attention.png", "a-red-bird.png"]
    assert names(here) == written
    assert all(name in done.stdout for name in written)
    assert pixels(here / "a-red-bird-8.png").shape == (8, 8, 3)
    # What lies beside a picture keeps its name taken.
    (here / "a-red-bird.png").unlink()
    run("a red bird", *bundle)
    assert failed(run("a red bird", "--stages", "--out", "a-red-bird.png", *bundle))
    (here / "a-red-bird.png").unlink()
    assert "a-red-bird-8.png is" in failed(
        run("a red bird", "--stages", "--out", "a-red-bird.png", *bundle)
    )
    run("a red bird", "--stages", *bundle)
    assert (here / "a-red-bird-2-8.png").exists()


def test_asking_for_more_does_not_change_the_picture(here: Path, bundle: tuple[str, ...]) -> None:
    run("a red bird", "--out", "plain.png", *bundle)
    run("a red bird", "--out", "more.png", "--stages", "--attention", *bundle)
    assert np.abs(pixels(here / "plain.png").astype(int) - pixels(here / "more.png")).max() <= 1


def test_a_grid_holds_all_pictures(here: Path, bundle: tuple[str, ...], painter: Painter) -> None:
    done = run("a red bird", "a blue bird", "--count", "3", "--grid", *bundle)
    assert "6 pictures, 56 × 36" in done.stdout
    sheet = pixels(here / "a-red-bird-grid.png")
    drawn = painter.draw(["a red bird"] * 3 + ["a blue bird"] * 3)
    for index, picture in enumerate(drawn):
        top, left = index // 3 * (PX + 4), index % 3 * (PX + 4)
        cell = sheet[top : top + PX, left : left + PX]
        assert np.abs(cell.astype(int) - picture).max() <= 1


def test_json_is_one_record_a_picture(here: Path, bundle: tuple[str, ...]) -> None:
    caption = "a purple bird " + "red " * LENGTH
    done = run(caption, "a bird", "--json", "--stages", *bundle)
    first, second = records(done.stdout)
    assert first["file"].endswith(".png")
    assert (here / first["file"]).is_file()
    assert (here / first["beside"][0]).is_file()
    assert first["caption"] == caption
    assert first["words"] == ["a", "bird", *["red"] * (LENGTH - 2)]
    assert (first["unknown"], first["surplus"]) == (["purple"], 2)
    assert (second["index"], second["line"], second["seed"]) == (1, 1, 1)
    assert second["bundle"] == "tiny"
    assert len(second["sha256"]) == 64
    assert second["seconds"] >= 0


def test_what_is_not_read_is_said(bundle: tuple[str, ...]) -> None:
    said = run("a gray bird " + "wings " * LENGTH, *bundle).stderr
    assert "warning: tiny does not know 'gray'\n hint: did you mean 'grey'?\n" in said
    assert f"warning: 2 words cut: tiny reads {LENGTH} of a caption\n" in said


def test_ten_thousand_words_are_cut(here: Path, bundle: tuple[str, ...]) -> None:
    done = run("red " * 10_000, *bundle)
    assert done.exit_code == 0
    assert f"{10_000 - LENGTH:,} words cut" in done.stderr
    assert len(names(here)) == 1


@pytest.mark.parametrize("caption", ["", " ", "🐦", "zebra qux", "?!"])
def test_a_caption_with_nothing_to_draw_is_an_error_and_nothing_is_drawn(
    here: Path, bundle: tuple[str, ...], caption: str
) -> None:
    failed(run("a red bird", caption, *bundle))
    assert names(here) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say what to draw"),
        (["a bird", "--captions", "x.txt"], "say what to draw"),
        (["a bird", "--out", "x.jpg"], "not written as .jpg"),
        (["a bird", "--count", "2", "--out", "x.png"], "2 pictures do not fit"),
        (["a bird", "--grid", "--out", "folder"], "--grid makes one picture"),
        (["a bird", "--grid", "--stages"], "a grid shows neither"),
        (["a bird", "--resume"], "--resume goes on with a folder"),
        (["a bird", "--resume", "--out", "x.png"], "--resume goes on with a folder"),
        (["a bird", "--resume", "--force", "--out", "x"], "--resume goes on, --force"),
        (["a bird", "--seed", str(2**38)], "seed is too large"),
        (["a bird", "--count", str(2**23), "--grid"], "do not fit onto one sheet"),
        (["a bird", "--device", "gpu"], "no device 'gpu'"),
    ],
)
def test_a_wrong_command_line_is_refused_with_a_hint(
    here: Path, bundle: tuple[str, ...], arguments: list[str], said: str
) -> None:
    assert said in failed(run(*bundle, *arguments), status=2)
    assert names(here) == []


@pytest.mark.parametrize("arguments", [["--count", "0"], ["--seed", "-1"], ["--pony"]])
def test_what_cannot_be_parsed_is_wrong_usage(arguments: list[str]) -> None:
    assert run("a bird", *arguments).exit_code == 2


def test_an_unknown_bundle_is_an_error_with_the_nearest_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2I_HOME", str(tmp_path / "home"))
    write_tiny_bundle(tmp_path / "home" / "bundles", "sparrow")
    assert "did you mean 'sparrow'?" in failed(run("a bird", "--model", "sparow"))


def test_a_bundle_without_attention_says_so(here: Path, own_bundle: Path) -> None:
    about = manifest(own_bundle, "own")
    text, generator = about.graphs
    plain = replace(generator, outputs=generator.outputs[:1])
    save_manifest(own_bundle, replace(about, graphs=(text, plain)))
    for option in ("--stages", "--attention"):
        said = failed(run("a bird", "--model", own_bundle, option), status=2)
        assert f"own draws without {option[2:]}" in said
    assert names(here) == []


def test_a_bundle_of_classes_takes_a_whole_caption_as_a_name(here: Path, own_bundle: Path) -> None:
    classes = ["Black footed Albatross", "Blue jay"]
    (own_bundle / "tokenizer.json").write_bytes(word_tokenizer(classes, whole=True))
    sha256 = file(own_bundle, "tokenizer.json").sha256
    about = replace(
        manifest(own_bundle, "own"),
        condition="class",
        classes=tuple(classes),
        text=Text("tokenizer.json", sha256, 1, "drop"),
    )
    save_manifest(own_bundle, about)
    done = run(" blue JAY", "--model", own_bundle, "--json")
    assert done.exit_code == 0, done.stderr
    assert records(done.stdout)[0]["words"] == ["blue jay"]
    assert "did you mean 'blue jay'" in failed(run("blue jai", "--model", own_bundle))


# Folders


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
        assert np.abs(drawn.astype(int) - alone).max() <= 1
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
        assert np.abs(pixels(path).astype(int) - narrow).max() <= 1


# Stopping and going on


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


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
    source = write_lines(*[f"a {colour} bird" for colour in ("red", "blue", "grey")] * 200)
    arguments = ("--captions", source, *bundle, "--out")
    index = here / "stopped" / "index.jsonl"
    with subprocess.Popen(
        [*COMMAND, *arguments, "stopped"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as drawing:
        deadline = time.monotonic() + 60
        while not (index.exists() and index.stat().st_size > 5_000):
            assert drawing.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        drawing.send_signal(signal.SIGINT)
        _, said = drawing.communicate(timeout=60)
    assert drawing.returncode == 130
    assert re.search(r"^\d+ of 600 pictures are in stopped; the same command", said, re.MULTILINE)
    assert "--out stopped --resume" in said
    assert said.endswith("stopped\n")
    assert "Traceback" not in said
    there = names(here / "stopped")
    assert not [name for name in there if name.endswith(".part")]
    for entry in records(index.read_text()):
        assert entry["file"] in there
    assert len(records(index.read_text())) < 600
    for folder in (["stopped", "--resume"], ["whole"]):
        subprocess.run([*COMMAND, *arguments, *folder], check=True, capture_output=True)
    assert contents(here / "stopped") == contents(here / "whole")


# What the system may refuse

SMALL_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"


@pytest.mark.parametrize("out", ["bird.png", "birds"])
def test_a_full_disk_is_an_error_that_leaves_nothing_half_written(
    here: Path, bundle: tuple[str, ...], out: str
) -> None:
    code = SMALL_FILES.format(size=600) + COMMAND[2]
    done = subprocess.run(
        [sys.executable, "-c", code, "a red bird", "--out", out, *bundle],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.search(r"^error: .*bird\.png cannot be written", done.stderr, re.MULTILINE)
    assert " hint: " in done.stderr
    assert done.stdout == ""
    left = [path.name for path in here.rglob("*") if path.is_file()]
    assert sorted(left) == ([] if out == "bird.png" else ["batch.json", "index.jsonl"])
    assert not records((here / "birds/index.jsonl").read_text()) if out == "birds" else True


def test_a_place_that_cannot_be_written_is_an_error(here: Path, bundle: tuple[str, ...]) -> None:
    Path("file").touch()
    for out in ("file/bird.png", "file/birds", "file"):
        failed(run("a red bird", "--out", out, *bundle))
    assert names(here) == ["file"]


def test_a_closed_stdout_is_an_error_since_nobody_learns_the_result(
    here: Path, bundle: tuple[str, ...]
) -> None:
    closed = ("sh", "-c", 'exec "$0" "$@" >&-', *COMMAND)
    done = subprocess.run(
        [*closed, "a red bird", *bundle], stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 1
    assert "error: standard output is closed\n hint: " in done.stderr
    assert names(here) == ["a-red-bird.png"]
    pixels(here / "a-red-bird.png")


# Bundles


def test_list_shows_each_bundle_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T2I_HOME", str(tmp_path / "home"))
    mine = write_tiny_bundle(tmp_path / "home" / "bundles", "mine")
    broken = write_tiny_bundle(tmp_path / "home" / "bundles", "broken")
    (broken / "manifest.json").write_text("{}")
    done = run("--list")
    assert done.exit_code == 0
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["name", "system", "px", "bytes", "precision", "where"]
    size = sum(path.stat().st_size for path in mine.iterdir())
    assert ["mine", "attngan", "16", f"{size:,}", "fp32", "yours"] in [row.split() for row in rows]
    assert "broken" not in done.stdout
    assert "warning: manifest.json of broken.t2i" in done.stderr
    listed = {each["name"]: each for each in records(run("--list", "--json").stdout)}
    assert listed["mine"]["bytes"] == size
    assert listed["mine"]["path"] == str(mine)


def test_selftest_compares_with_the_proof(bundle: tuple[str, ...], own_bundle: Path) -> None:
    done = run("--selftest", *bundle)
    assert done.exit_code == 0, done.stderr
    assert re.match(
        r"tiny on cpu: at most \S+ of 255 levels from PyTorch, allowed 1\n", done.stdout
    )
    (record,) = records(run("--selftest", "--json", *bundle).stdout)
    assert record["ok"] is True
    assert record["worst_levels"] <= record["tolerance"]
    # A proof of something else: the bundle is sound, but draws other pictures.
    with np.load(own_bundle / "proof.npz") as proof:
        arrays = dict(proof.items())
    arrays["generator.out.image"] = arrays["generator.out.image"] + 0.1
    np.savez(own_bundle / "proof.npz", **arrays)
    save_manifest(own_bundle, manifest(own_bundle, "own"))
    said = failed(run("--selftest", "--model", own_bundle))
    assert "own does not draw on cpu as PyTorch did" in said


# The command itself


def test_version_is_said() -> None:
    assert run("--version").stdout == f"t2i {t2i.__version__}\n"


def test_help_opens_with_examples_and_names_every_option() -> None:
    shown = run("--help").stdout
    assert shown.splitlines()[2:4] == ["  Examples:", '  t2i-run "a red bird"']
    for option in (
        *("--model", "--list", "--captions", "--count", "--seed", "--out", "--grid", "--force"),
        *("--stages", "--attention", "--selftest", "--json", "--device", "--threads"),
        *("--batch-size", "--low-memory", "--resume", "--version"),
    ):
        assert f"  {option}" in shown


def test_drawing_one_picture_imports_nothing_that_it_can_do_without(
    bundle: tuple[str, ...],
) -> None:
    code = (
        "import sys\nfrom t2i.runtime.cli.run import app\n"
        "app(sys.argv[1:], standalone_mode=False)\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "a red bird", *bundle],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert not {"rich", "tokenizers", "ftfy", "torch", "PIL.ImageFont"} & loaded
    assert {"numpy", "onnxruntime"} <= loaded
