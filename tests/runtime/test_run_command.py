"""`t2i-run` as people type it."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundles import LENGTH, PX, manifest, save_manifest, write_tiny_bundle
from commands import differ, failed, names, pixels, records
from PIL import Image
from typer.testing import CliRunner, Result

import t2i
from t2i.runtime.cli.run import app
from t2i.runtime.draw import Painter
from t2i.runtime.text import character_tokenizer

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


def test_one_caption_becomes_one_picture(
    here: Path, bundle: tuple[str, ...], painter: Painter
) -> None:
    done = run("a red bird", *bundle)
    assert done.exit_code == 0
    assert done.stderr == "tiny · cpu, 1 thread · seed 0\n"
    assert re.fullmatch(r"wrote a-red-bird\.png \(16 × 16, \d\.\d\d s\)\n", done.stdout)
    assert names(here) == ["a-red-bird.png"]
    assert differ(pixels(here / "a-red-bird.png"), np.asarray(painter("a red bird"))) <= 1


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
        assert differ(pixels(here / name), np.asarray(painter(caption, seed=seed))) <= 1


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
    assert differ(pixels(here / "plain.png"), pixels(here / "more.png")) <= 1


def test_a_grid_holds_all_pictures(here: Path, bundle: tuple[str, ...], painter: Painter) -> None:
    done = run("a red bird", "a blue bird", "--count", "3", "--grid", *bundle)
    assert "6 pictures, 56 × 36" in done.stdout
    sheet = pixels(here / "a-red-bird-grid.png")
    drawn = painter.draw(["a red bird"] * 3 + ["a blue bird"] * 3)
    for index, picture in enumerate(drawn):
        top, left = index // 3 * (PX + 4), index % 3 * (PX + 4)
        cell = sheet[top : top + PX, left : left + PX]
        assert differ(cell, picture) <= 1


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
        (["a bird", "--out", "x.PPM"], "not written as .ppm"),
        (["a bird", "--count", "2", "--out", "x.png"], "2 pictures do not fit"),
        (["a bird", "--grid", "--out", "folder"], "--grid makes one picture"),
        (["a bird", "--grid", "--stages"], "a grid shows neither"),
        (["a bird", "--resume"], "--resume goes on with a folder"),
        (["a bird", "--resume", "--out", "x.png"], "--resume goes on with a folder"),
        (["a bird", "--resume", "--force", "--out", "x"], "--resume goes on, --force"),
        (["a bird", "--seed", str(2**38)], "seed is too large"),
        (["a bird", "--count", str(2**23), "--grid"], "do not fit into one file"),
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


def test_a_bundle_that_reads_letters_counts_and_names_letters(here: Path, own_bundle: Path) -> None:
    (own_bundle / "tokenizer.json").write_bytes(character_tokenizer())
    save_manifest(own_bundle, manifest(own_bundle, "own"))
    done = run("kingfisherälike", "--model", own_bundle, "--json")
    assert done.exit_code == 0, done.stderr
    assert "own does not know 'ä'" in done.stderr
    assert f"2 characters cut: own reads {LENGTH} of a caption\n" in done.stderr
    assert records(done.stdout)[0]["words"] == ["kingfisherli"]


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
    assert not [path for path in here.rglob("index.jsonl") if path.read_text()]


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
    assert head.split() == [*("name", "system", "condition", "px", "bytes", "precision", "where")]
    size = sum(path.stat().st_size for path in mine.iterdir())
    assert ["mine", "attngan", "caption", "16", f"{size:,}", "fp32", "yours"] in [
        row.split() for row in rows
    ]
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
        *(
            "--stages",
            "--attention",
            "--nearest-class",
            "--hold",
            "--interpolate",
            "--frames",
            "--selftest",
            "--json",
            "--device",
            "--threads",
        ),
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
