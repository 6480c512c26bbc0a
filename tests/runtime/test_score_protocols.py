"""Numbers made by one protocol compare with none of another, and the program says so."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import failed, records
from judges import write_judge
from PIL import Image
from typer.testing import CliRunner, Result

from t2i.runtime.cli.score import app
from t2i.runtime.errors import ScoreError, UsageError
from t2i.runtime.score.frechet import Gaussian
from t2i.runtime.score.practice import PRACTICES, practice
from t2i.runtime.score.protocol import differences
from t2i.runtime.score.resize import RESIZES


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It sees the mean colour, and is prepared as an Inception is."""
    return write_judge(tmp_path_factory.mktemp("world"), "inception", system="inception")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "inception.t2i").symlink_to(bundle)
    random = np.random.default_rng(0)
    for name in ("real", "fake"):
        (tmp_path / name).mkdir()
        for n in range(130):
            size = (9 + n % 3, 8, 3)  # of no one size
            pixels = random.integers(0, 256, (1, 1, 3)) * np.ones(size) - random.integers(
                0, 9, size
            )
            levels = np.clip(pixels, 0, 255).astype(np.uint8)
            Image.fromarray(levels).save(tmp_path / name / f"{n:03}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--device=cpu", "--threads=1"])


def results(*arguments: str) -> dict[str, dict[str, Any]]:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return {each["metric"]: each for each in records(done.stdout)}


def test_each_protocol_resizes_in_its_own_way_and_says_so() -> None:
    values = {}
    for name in ("tf", "pytorch-fid", "clean", "stackgan"):
        found = results("fid", "real", "fake", f"--protocol={name}")["fid"]
        assert found["protocol"]["resize"] == RESIZES[name].told
        values[name] = found["value"]
    assert len(set(values.values())) == 4
    assert results("fid", "real", "fake")["fid"]["value"] == values["pytorch-fid"]


def test_a_table_may_resize_otherwise_for_another_metric() -> None:
    found = results("fid,is", "real", "fake", "--protocol=dmgan")
    assert found["fid"]["protocol"]["resize"] == RESIZES["pytorch-fid"].told
    assert found["is"]["protocol"]["resize"] == RESIZES["stackgan"].told
    about = found["is"]["protocol"]["options"]
    assert (about["counted"], about["shuffled by"]) == (128, 0), "a multiple of 64"
    other = results("is", "fake", "--protocol=dmgan", "--seed=1")["is"]
    assert other["value"] != found["is"]["value"]


@pytest.mark.parametrize("seed", [2**32, 2**38 - 200])
def test_every_seed_of_a_picture_shuffles_and_draws_again(seed: int) -> None:
    order = ("fid,is", "real", "fake", "--protocol=stackgan", "--bootstrap=5", f"--seed={seed}")
    found = results(*order)
    assert found["is"]["protocol"]["options"]["shuffled by"] == seed
    assert all(each["interval"] for each in found.values())
    orders = [practice("stackgan").order(130, each).tolist() for each in (seed, seed % 2**32)]
    assert orders[0] != orders[1]


def test_neither_batches_nor_threads_change_a_digit() -> None:
    order = ("fid,kid,is,prdc", "real", "fake", "--subset=50")
    wanted = run(*order).stdout
    for more in (["--batch-size=3"], ["--workers=1"], ["--workers=7", "--batch-size=100"]):
        assert run(*order, *more).stdout == wanted


def test_six_digits_are_printed_and_all_are_in_json() -> None:
    value = results("fid", "real", "fake")["fid"]["value"]
    assert run("fid", "real", "fake").stdout == f"fid {value:#.6g}\n"


def test_confidence_and_the_end_of_fid_are_told_on_request() -> None:
    plain = results("fid,is,kid", "real", "fake", "--subset=50")
    order = ("fid,is,kid", "real", "fake", "--subset=50", "--bootstrap=20", "--extrapolate")
    found = results(*order)
    for name, each in found.items():
        low, high = each["interval"]
        assert each["value"] == plain[name]["value"]
        assert low < each["value"] < high
        assert each["protocol"]["options"]["bootstrap"] == 20
        assert plain[name]["interval"] is None
    (end,) = found["fid"]["parts"]
    assert end["name"] == "FID∞"
    assert end["value"] < found["fid"]["value"]
    assert f"FID∞ {end['value']:#.6g}" in run(*order).stdout


def test_statistics_that_were_written_are_the_pictures_again(here: Path) -> None:
    done = run("fid", "real", "fake", "--statistics=real.npz")
    assert done.exit_code == 0, done.output
    known = run("fid", "real.npz", "fake")
    assert known.stdout == done.stdout
    assert "does not tell" not in known.stderr
    kept = Gaussian.read(here / "real.npz")
    assert (kept.count, kept.resize) == (130, "pytorch-fid")
    with np.load(here / "real.npz") as arrays:  # as pytorch-fid reads it
        assert (arrays["mu"].shape, arrays["sigma"].shape) == ((3,), (3, 3))
    said = failed(run("fid", "real.npz", "fake", "--protocol=tf"))
    assert "resized as pytorch-fid does" in said
    assert "--protocol pytorch-fid" in said
    assert "real.npz is there already" in failed(
        run("fid", "real", "fake", "--statistics=real.npz")
    )


def test_earlier_results_are_compared_with_a_warning_where_protocols_differ(here: Path) -> None:
    (here / "before.jsonl").write_text(run("fid,is", "real", "fake", "--json").stdout)
    same = run("fid", "real", "fake", "--against=before.jsonl")
    assert "fid" in same.stdout.splitlines()[1]
    assert "+0.00000 now" in same.stdout
    assert "differ" not in same.stderr
    other = run("fid", "real", "fake", "--against=before.jsonl", "--protocol=tf")
    assert "fid: the protocols differ" in other.stderr
    assert "resize: bilinear from centres" in other.stderr
    third = run("fid", "fake", "real", "--against=before.jsonl")
    assert "reference: real and fake" in third.stderr
    lacking = run("kid", "real", "fake", "--subset=9", "--against=before.jsonl")
    assert "holds no kid" in lacking.stderr


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"metric": "fid"}', '{"metric": 1, "value": []}'),
        '{"metric": "fid", "value": 1, "protocol": {"inputs": 3}}',
        '{"metric": "fid", "value": 1, "protocol": {"software": "numpy"}}',
    ],
)
def test_what_holds_no_results_is_an_error(here: Path, text: str) -> None:
    (here / "before.jsonl").write_text(text)
    done = run("fid", "real", "fake", "--against=before.jsonl")
    if text:
        assert "holds no results" in failed(done)
    else:
        assert "holds no fid" in done.stderr


def test_differences_are_named_one_by_one() -> None:
    one = {"pictures": 5, "resize": "none", "options": {"splits": 10}, "software": {"numpy": "1"}}
    other = {**one, "pictures": 6, "software": {"numpy": "2", "pillow": "3"}}
    assert differences(one, one) == []
    assert differences(one, other) == ["pictures: 5 and 6", "numpy: 1 and 2", "pillow: none and 3"]
    fake = {"name": "fake", "sha256": "a"}
    real = [{"name": "real", "sha256": each} for each in "bc"]
    assert differences({"inputs": [fake, real[0]]}, {"inputs": [real[1], real[0]]}) == []
    assert differences({"inputs": [fake, real[0]]}, {"inputs": [fake, real[1]]}) == [
        "inputs: real and real"
    ]


def test_a_network_that_prepares_its_pictures_itself_is_named(here: Path) -> None:
    write_judge(here, "own")
    done = run("fid", "real", "fake", "--protocol=tf", "--with=fid=own")
    assert "own resizes pictures itself, whatever --protocol says" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fid", "real", "fake", "--protocol=pytorchfid"], "did you mean 'pytorch-fid'?"),
        (["psnr", "real", "fake", "--protocol=tf"], "--protocol is for metrics of sets"),
        (["ssim", "real", "fake", "--resume", "--map=maps"], "--resume keeps numbers, and no maps"),
        (["is", "fake", "--statistics=x.npz"], "add fid to the metrics"),
        (["is", "fake", "--extrapolate"], "--extrapolate is for fid"),
        (["prdc", "real", "fake", "--bootstrap=5"], "--bootstrap is for fid, is and kid"),
        (["fid", "real", "fake", "--statistics=x.txt"], "x.txt is no .npz"),
        (["fid", "real", "fake", "--against=x", "--json"], "leave out --json"),
    ],
)
def test_what_contradicts_itself_is_wrong_usage(arguments: list[str], message: str) -> None:
    assert message in failed(run(*arguments), status=2)


def test_too_few_pictures_for_whole_batches_are_an_error(here: Path) -> None:
    for path in sorted((here / "fake").iterdir())[60:]:
        path.unlink()
    assert "60 pictures cannot be split" in failed(run("is", "fake", "--protocol=stackgan"))


@pytest.mark.parametrize("name", PRACTICES)
def test_every_protocol_resizes_in_known_ways(name: str) -> None:
    assert {practice(name).resize, practice(name).kinds_resize} <= set(RESIZES)
    assert json.dumps(practice(name).order(200, seed=0).tolist())
    with pytest.raises(UsageError):
        practice(f"{name}x")


def test_statistics_of_another_resize_are_not_mixed_in(here: Path) -> None:
    gaussian = Gaussian(np.zeros(3), np.eye(3), 7, "ab" * 32, "clean")
    gaussian.save(here / "x.npz")
    found = Gaussian.read(here / "x.npz")
    assert (found.count, found.extractor, found.resize) == (7, "ab" * 32, "clean")
    np.savez(here / "bad.npz", mu=np.zeros(3), sigma=np.eye(3), resize=np.array([200], np.uint8))
    with pytest.raises(ScoreError, match="holds no statistics"):
        Gaussian.read(here / "bad.npz")
