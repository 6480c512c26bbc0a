"""An index is searched in its file, grows by what is new, and fits the bundle that made it."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import failed, records
from judges import write_clip, write_matcher
from PIL import Image
from typer.testing import CliRunner, Result

from t2i.runtime import search
from t2i.runtime.cli.search import app
from t2i.runtime.errors import DataError
from t2i.runtime.matching import Matcher
from t2i.runtime.search import Index, Update


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_clip(folder, "birds-clip")
    write_matcher(folder)
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, bundles: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for bundle in bundles.iterdir():
        (tmp_path / bundle.name).symlink_to(bundle)
    for name in ("red", "blue", "within/lime", "within/a grey ø"):
        paint(tmp_path / "photos" / f"{name}.png", name.rpartition("/")[2].split()[-1])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paint(path: Path, colour: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = colour if colour.isascii() else "grey"
    Image.new("RGB", (8, 12), shown).save(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--threads=1", "--device=cpu"])


def found(*arguments: str) -> list[tuple[str, float]]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    folder = Path("photos").resolve()
    return [
        (Path(each["file"]).relative_to(folder).as_posix(), each["cosine"])
        for each in records(result.stdout)
    ]


def told(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout + result.stderr


def test_the_nearest_picture_comes_first() -> None:
    first, *others = found("i", "a red bird", "--folder=photos")
    assert first == ("red.png", pytest.approx(1, abs=1e-5))
    assert len(others) == 3
    assert [cosine for _, cosine in others] == sorted((c for _, c in others), reverse=True)
    assert found("i", "green", "--top=1")[0][0] == "within/lime.png"


def test_only_new_and_changed_pictures_are_looked_at(here: Path) -> None:
    assert "4 pictures, 4 new or changed, 0 gone" in told("i", "--folder=photos")
    assert "4 pictures, 0 new or changed, 0 gone" in told("i", "--folder=photos")
    paint(here / "photos" / "new.png", "blue")
    paint(here / "photos" / "blue.png", "red")
    os.utime(here / "photos" / "blue.png", ns=(1, 1))
    (here / "photos" / "within" / "lime.png").unlink()
    assert "4 pictures, 2 new or changed, 1 gone" in told("i", "--folder=photos")
    assert found("i", "blue", "--top=1")[0][0] == "new.png"
    assert {name for name, _ in found("i", "red", "--top=2")} == {"red.png", "blue.png"}
    assert sorted(path.name for path in here.glob("*")) == sorted(
        ["birds-clip.t2i", "matcher.t2i", "photos", "i"]
    )


def test_a_broken_picture_is_named_and_the_others_are_found(here: Path) -> None:
    (here / "photos" / "torn.png").write_bytes(b"no picture")
    result = run("i", "red", "--folder=photos", "--top=1")
    assert "red.png" in result.stdout
    assert "1 of 5 pictures could not be read" in failed(result)
    assert "torn.png cannot be read" in result.stderr


def test_a_link_that_leads_nowhere_is_named_and_the_others_are_found(here: Path) -> None:
    (here / "photos" / "gone.png").symlink_to(here / "nowhere.png")
    result = run("i", "red", "--folder=photos", "--top=1")
    assert "red.png" in result.stdout
    assert "1 of 5 pictures could not be read" in failed(result)
    assert "gone.png cannot be read" in result.stderr


def test_what_was_seen_before_somebody_stops_it_is_kept(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matcher = Matcher.load("birds-clip", device="cpu", threads=1)
    looks: list[Any] = []

    def stop_at_third(pixels: Any) -> Any:
        looks.append(pixels)
        if len(looks) == 3:
            raise KeyboardInterrupt
        return type(matcher).pictures(matcher, pixels)

    monkeypatch.setattr(matcher, "pictures", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        Update(here / "i", here / "photos", matcher, batch_size=1).run()
    assert "4 pictures, 2 new or changed, 0 gone" in told("i", "--folder=photos")


def test_an_index_fits_only_the_bundle_that_made_it() -> None:
    told("i", "--folder=photos")
    for further in ([], ["--folder=photos"]):
        said = failed(run("i", "red", "--model=matcher", *further))
        assert "i was made by birds-clip, not by this matcher" in said
        assert "--model birds-clip" in said


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (["i"], "say what to find", 2),
        (["i", " "], "no words to search for", 1),
        (["i", "red"], "there is no index i", 1),
        (["photos", "red"], "photos is no index", 1),
        (["photos/red.png", "red"], "is no index: it begins otherwise", 1),
        (["empty", "red"], "empty is no index", 1),
        (["i", "--folder=none"], "none is no folder", 1),
        (["i", "--folder=bare"], "no pictures in bare", 1),
    ],
)
def test_what_cannot_be_done_is_an_error(
    here: Path, arguments: list[str], message: str, status: int
) -> None:
    (here / "empty").touch()
    (here / "bare").mkdir()
    assert message in failed(run(*arguments), status)


def test_a_damaged_index_is_refused(here: Path) -> None:
    told("i", "--folder=photos")
    data = (here / "i").read_bytes()
    for damaged, message in (
        (data[:4200], "cut off"),
        (data.replace(b'"count": 4', b'"count":-4'), "cut off"),
        (data.replace(b'"schema": 1', b'"schema": 7'), "another version"),
        (data.replace(b'"folder"', b'"holder"'), "unknown key"),
    ):
        (here / "i").write_bytes(damaged)
        with pytest.raises(DataError, match=message) as caught:
            Index(here / "i")
        assert caught.value.hint


def test_words_that_are_too_many_are_cut_with_a_warning_or_refused() -> None:
    told("i", "--folder=photos")
    assert "8 words cut: birds-clip reads 12 of a caption" in told("i", "red " * 20)
    assert "8 words too many" in failed(run("i", "red " * 20, "--strict"))


class Looked:
    """Stands in for a matcher that has looked at many pictures."""

    name, size = "many", 512

    class extractor:  # noqa: N801
        sha256 = "0" * 64


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of 100,000 pictures that nobody has."""
    path = tmp_path_factory.mktemp("large") / "large.index"
    update: Any = Update(path, path.parent, Looked())  # type: ignore[arg-type]
    dice = np.random.default_rng(0)
    with path.open("wb") as file:
        update._file, update._names, update._stamps = file, [], []
        file.write(b" " * search.VECTORS)
        for start in range(0, 100_000, 1000):
            vectors = dice.standard_normal((1000, 512), np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            names = [f"{place:06}.png" for place in range(start, start + 1000)]
            update._add(names, [(1, 1)] * 1000, vectors)
        update._close()
    return path


@pytest.mark.slow
def test_a_hundred_thousand_pictures_are_searched_in_a_tenth_of_a_second(large: Path) -> None:
    index = Index(large)
    wanted = np.asarray(index.vectors[77_777])
    (first, *_) = index.search(wanted, top=10)
    assert (first.file.name, first.cosine) == ("077777.png", pytest.approx(1, abs=1e-5))
    seconds = []
    for _ in range(7):
        begun = time.perf_counter()
        Index(large).search(wanted, top=10)
        seconds.append(time.perf_counter() - begun)
    assert min(seconds) < 0.1
    by_hand = np.argsort(-(index.vectors @ wanted), kind="stable")[:10]
    assert [hit.file.name for hit in index.search(wanted, 10)] == [f"{n:06}.png" for n in by_hand]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_index(large: Path) -> None:
    """205 MB of vectors are searched within 20 MB."""
    import subprocess
    import sys

    code = (
        "import resource, sys, numpy as np; from pathlib import Path\n"
        "from t2i.runtime.search import Index\n"
        "index = Index(Path(sys.argv[1]))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "index.search(np.ones(512) / 512**0.5, 10)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, large], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) * (1 if sys.platform == "darwin" else 1024) < 20e6
