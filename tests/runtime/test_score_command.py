"""`t2i-score` as people type it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import failed
from PIL import Image
from typer.testing import CliRunner, Result

import t2i
from t2i.runtime.cli.score import app
from t2i.runtime.score.metrics import METRICS

SIZE = (24, 16)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two folders of noise: one picture differs, one is equal, one of each is alone."""
    random = np.random.default_rng(0)
    for folder, alone in (("a", "old"), ("b", "new")):
        (tmp_path / folder).mkdir()
        Image.new("RGB", SIZE, "red").save(tmp_path / folder / "equal.png")
        for name in ("differs", alone):
            levels = random.integers(0, 256, (*SIZE[::-1], 3), np.uint8)
            Image.fromarray(levels).save(tmp_path / folder / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_two_pictures_get_a_line_a_metric() -> None:
    done = run("psnr,ssim", "a/differs.png", "b/differs.png")
    assert done.exit_code == 0
    assert done.stderr == "1 pair\n"
    psnr = t2i.score.psnr("a/differs.png", "b/differs.png")
    ssim = t2i.score.ssim("a/differs.png", "b/differs.png")
    assert done.stdout == f"psnr {psnr:#.6g} dB\nssim {ssim:#.6g}\n"


def test_equal_pictures_have_infinite_psnr() -> None:
    assert run("psnr", "a/equal.png", "b/equal.png").stdout == "psnr inf dB\n"
    line = run("psnr", "a/equal.png", "b/equal.png", "--json").stdout
    assert json.loads(line)["value"] == "inf"


def test_folders_are_matched_by_name_and_the_lonely_are_named() -> None:
    done = run("ssim", "a", "b")
    assert done.exit_code == 0
    assert re.fullmatch(r"ssim 0\.\d{6} ± 0\.\d{6}\n", done.stdout)
    assert done.stderr == "2 pairs\nwarning: 2 without a partner: a/old.png, b/new.png\n"
    assert "2 without a partner" in failed(run("ssim", "a", "b", "--strict"))


def test_json_carries_the_protocol() -> None:
    done = run("psnr,ssim", "a", "b", "--luma", "--json")
    psnr, ssim = (json.loads(line) for line in done.stdout.splitlines())
    assert (psnr["metric"], ssim["metric"]) == ("psnr", "ssim")
    assert psnr["spread"] is None, "the mean is infinite"
    assert ssim["spread"] > 0
    assert set(ssim["protocol"]) == {
        *("definition", "pictures", "pixel_range", "resize", "extractor", "reference"),
        *("options", "seed", "inputs", "software", "unreadable"),
    }
    assert ssim["protocol"]["options"] == {"luma": True}
    assert [each["name"] for each in ssim["protocol"]["inputs"]] == ["a", "b"]
    assert all(re.fullmatch("[0-9a-f]{64}", each["sha256"]) for each in ssim["protocol"]["inputs"])


def test_maps_are_drawn_into_a_new_folder(here: Path) -> None:
    assert run("ssim", "a", "b", "--map", "maps").exit_code == 0
    assert sorted(path.name for path in (here / "maps").iterdir()) == ["differs.png", "equal.png"]
    assert "maps is there already" in failed(run("ssim", "a", "b", "--map", "maps"))
    assert "--map draws what ssim sees" in failed(run("psnr", "a", "b", "--map", "new"), status=2)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [("pnsr", "did you mean 'psnr'?"), ("psnr,", "known are: "), ("psnr,fidd", "mean 'fid'?")],
)
def test_an_unknown_metric_is_wrong_usage(wrong: str, hint: str) -> None:
    assert hint in failed(run(wrong, "a", "b"), status=2)


def test_pictures_of_different_sizes_are_an_error(here: Path) -> None:
    Image.new("RGB", (30, 30)).save(here / "b" / "equal.png")
    said = failed(run("psnr", "a", "b"))
    assert "equal.png: the pictures differ in size: 24 × 16 and 30 × 30" in said


@pytest.mark.parametrize("b", ["missing", "a/equal.png"])
def test_what_cannot_be_compared_is_an_error(b: str) -> None:
    failed(run("psnr", "a", b))


def test_a_broken_picture_is_left_out_and_named_or_an_error_if_strict(here: Path) -> None:
    data = (here / "b" / "differs.png").read_bytes()
    (here / "b" / "differs.png").write_bytes(data[: len(data) // 2])
    done = run("ssim", "a", "b", "--json")
    assert done.exit_code == 0
    assert "1 cannot be read and are left out: differs.png" in done.stderr
    about = json.loads(done.stdout)
    assert (about["value"], about["protocol"]["pictures"]) == (1, 1)
    assert about["protocol"]["unreadable"] == ["differs.png"]
    (here / "a" / "old.png").unlink()
    (here / "b" / "new.png").unlink()
    assert "b/differs.png" in failed(run("ssim", "a", "b", "--strict"))
    assert "b/differs.png" in failed(run("ssim", "a/differs.png", "b/differs.png"))


def test_pairs_lie_in_archives_too(here: Path) -> None:
    wanted = run("ssim,psnr", "a", "b").stdout
    for name in ("a", "b"):
        shutil.make_archive(str(here / name), "zip", here, name)
        shutil.make_archive(str(here / name), "gztar", here, name)
    assert run("ssim,psnr", "a.zip", "b.tar.gz").stdout == wanted
    assert run("ssim,psnr", "a", "b.zip").stdout == wanted


def test_help_opens_with_examples_and_names_every_metric() -> None:
    shown = run("--help").stdout
    assert shown.splitlines()[2:3] == ["  Examples:"]
    for name in METRICS:
        assert f"  {name} " in shown.partition("Score pictures.")[2]


def test_the_command_is_its_own_program() -> None:
    code = "from t2i.runtime.cli.score import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "psnr", "a/equal.png", "a/missing.png"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: there is no a/missing.png\n hint: ")
