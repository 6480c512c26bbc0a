"""What was seen is kept: interrupted scorings go on, bit for bit, and nothing is seen twice."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judges import write_colourist, write_judge
from PIL import Image

from t2i.runtime.captions import read_captions
from t2i.runtime.draw import load
from t2i.runtime.errors import ScoreError
from t2i.runtime.pictures import Pixels
from t2i.runtime.score import pairs
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.looking import CHUNK, look
from t2i.runtime.score.memory import Chunk, Memory
from t2i.runtime.score.metrics import METRICS
from t2i.runtime.score.pairs import Compare, Options, PairMetric
from t2i.runtime.score.protocol import Result
from t2i.runtime.score.sets import SetMetric, Setting, Work, run
from t2i.runtime.score.sources import Drawn, Source, Stored
from t2i.runtime.sessions import Arrays

PICTURES, BROKEN = 70, (17, 40, 69)


class StopError(Exception):
    """As if the process had been killed."""


class Looking(Extractor):
    """Counts how often it looks, and stops after so many times."""

    looks, stop_after = 0, 1000

    def look(self, pictures: Sequence[Any], outputs: Sequence[str]) -> Arrays:
        if self.looks == self.stop_after:
            raise StopError
        self.looks += 1
        return super().look(pictures, outputs)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_judge(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for n in range(PICTURES):
        path = folder / f"{n:02}.png"
        Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(path)
        if n in BROKEN:
            path.write_bytes(b"")
    return folder


def looking(judge: Path, stop_after: int = 1000) -> Looking:
    extractor = Looking.load(judge, device="cpu", threads=1)
    assert isinstance(extractor, Looking)
    extractor.stop_after = stop_after
    return extractor


def scored(
    extractor: Extractor, source: Source, real: Path, memory: Memory | None, *names: str
) -> list[Result]:
    works = []
    for name in names:
        metric = METRICS[name]
        assert isinstance(metric, SetMetric)
        setting = Setting(extractor, source, reference=Stored(real), subset=20)
        works.append(Work.begin(name, metric, setting))
    return run(works, batch_size=8, memory=memory)


@pytest.mark.parametrize("stop_after", [0, 1, 3, 4])
def test_an_interrupted_scoring_goes_on_as_if_nothing_had_happened(
    judge: Path, pictures: Path, tmp_path: Path, stop_after: int
) -> None:
    metrics = ("fid", "kid", "prdc", "is")
    whole = scored(looking(judge), Stored(pictures), pictures, None, *metrics)
    memory = Memory(tmp_path / "seen.sqlite")
    with pytest.raises(StopError):
        scored(looking(judge, stop_after), Stored(pictures), pictures, memory, *metrics)
    memory.close()
    memory, again = Memory(tmp_path / "seen.sqlite"), looking(judge)
    resumed = scored(again, Stored(pictures), pictures, memory, *metrics)
    memory.close()
    assert resumed == whole, "every digit, and what could not be read"
    assert len(whole[0].protocol.unreadable) == len(BROKEN)
    assert whole[0].protocol.pictures == PICTURES - len(BROKEN)
    chunks = -(-(PICTURES - len(BROKEN)) // CHUNK)
    assert again.looks == chunks - stop_after


def test_what_was_seen_serves_other_metrics_and_other_places(
    judge: Path, pictures: Path, tmp_path: Path
) -> None:
    memory = Memory(tmp_path / "seen.sqlite")
    scored(looking(judge), Stored(pictures), pictures, memory, "fid")
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in pictures.iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    again = looking(judge)
    scored(again, Stored(moved), moved, memory, "is", "kid")
    assert again.looks == 0
    (moved / "00.png").write_bytes((moved / "01.png").read_bytes())
    scored(again, Stored(moved), moved, memory, "is")
    assert again.looks > 0, "another picture is seen"
    memory.close()


def test_a_chunk_of_which_nothing_can_be_read_is_no_gap(
    judge: Path, pictures: Path, tmp_path: Path
) -> None:
    holed = tmp_path / "holed"
    holed.mkdir()
    for n, path in enumerate(sorted(pictures.iterdir())):
        (holed / path.name).write_bytes(b"" if n // CHUNK == 1 else path.read_bytes())
    whole = scored(looking(judge), Stored(holed), pictures, None, "is")
    memory = Memory(tmp_path / "seen.sqlite")
    assert scored(looking(judge), Stored(holed), pictures, memory, "is") == whole
    again = looking(judge)
    assert scored(again, Stored(holed), pictures, memory, "is") == whole
    assert again.looks == 0
    assert len(whole[0].protocol.unreadable) == CHUNK + sum(n // CHUNK != 1 for n in BROKEN)
    memory.close()


def test_what_cannot_be_read_changes_no_chunk_but_its_own(
    judge: Path, pictures: Path, tmp_path: Path
) -> None:
    sound = tmp_path / "sound"
    sound.mkdir()
    for path in pictures.iterdir():
        data = path.read_bytes() or (pictures / "00.png").read_bytes()
        (sound / path.name).write_bytes(data)
    extractor = looking(judge)
    seen, whole = (
        list(look(Stored(folder), {extractor: ["features"]}, 8)) for folder in (pictures, sound)
    )
    for some, all_of_it in zip(seen, whole, strict=True):
        assert {place // CHUNK for place in some.places} == {all_of_it.places[0] // CHUNK}
        kept = [all_of_it.places.index(place) for place in some.places]
        np.testing.assert_allclose(
            some.found[extractor]["features"],
            all_of_it.found[extractor]["features"][kept],
            rtol=1e-6,
        )


def test_a_stream_goes_on_too(judge: Path, pictures: Path, tmp_path: Path) -> None:
    painter = load(write_colourist(tmp_path), device="cpu", threads=1)
    (tmp_path / "captions.txt").write_text("red bird\nblue bird\ngreen bird\n")
    lines = read_captions(str(tmp_path / "captions.txt"))

    def stream() -> Drawn:
        return Drawn(painter, lines, "captions.txt", total=60, seed=3)

    whole = scored(looking(judge), stream(), pictures, None, "is", "fid")
    memory = Memory(tmp_path / "seen.sqlite")
    with pytest.raises(StopError):
        scored(looking(judge, 8), stream(), pictures, memory, "is", "fid")
    again = looking(judge)
    assert scored(again, stream(), pictures, memory, "is", "fid") == whole
    assert again.looks == 5 + 4 - 8
    other = Drawn(painter, lines, "captions.txt", total=60, seed=4)
    scored(again, other, pictures, memory, "is")
    assert again.looks > 2, "another seed draws other pictures"
    memory.close()


def test_pairs_go_on_too(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "KEPT", 8)
    other = tmp_path / "other"
    other.mkdir()
    for n in range(PICTURES):
        Image.new("RGB", (8, 8), (n, 0, 0)).save(other / f"{n:02}.png")
    metric = METRICS["psnr"]
    assert isinstance(metric, PairMetric)
    compared, stop_after = 0, 30

    def counted(a: Pixels, b: Pixels, options: Options) -> float:
        nonlocal compared
        if compared == stop_after:
            raise StopError
        compared += 1
        return metric.compare(a, b, options)

    def found(compare: Compare, memory: Memory | None) -> list[Result]:
        counting = {"psnr": replace(metric, compare=compare)}
        matched, names = pairs.match(pictures, other), ("a", "b")
        return pairs.compare(
            counting, matched, Options(), names=names, workers=1, memory=memory
        ).results()

    whole = found(metric.compare, None)
    memory = Memory(tmp_path / "seen.sqlite")
    with pytest.raises(StopError):
        found(counted, memory)
    compared, stop_after = 0, 1000
    assert found(counted, memory) == whole, "every digit, and what could not be read"
    assert compared <= PICTURES - len(BROKEN) - 30 + 2 * 8
    compared = 0
    assert found(counted, memory) == whole
    assert compared == 0
    memory.close()


def test_a_chunk_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "deep" / "seen.sqlite")
    seen = {"features": np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)}
    kept = Chunk((4, 7), (None, 1), {"x.png": "it is broken"}, seen)
    memory.keep("key", 0, kept)
    memory.keep("key", 2, kept)
    found = memory.recall("key", 0)
    assert (found.places, found.captions, found.unreadable) == (
        kept.places,
        kept.captions,
        kept.unreadable,
    )
    np.testing.assert_array_equal(found.seen["features"], seen["features"])
    assert (memory.known("key"), memory.known("other")) == (1, 0)
    memory.close()


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "seen.sqlite"
    path.write_bytes(b"no database, but long enough to be looked at as one" * 100)
    with pytest.raises(ScoreError, match="cannot keep what is seen") as caught:
        Memory(path)
    assert "delete the file" in caught.value.hint


def test_damage_behind_the_first_page_is_an_error_too(tmp_path: Path) -> None:
    path = tmp_path / "seen.sqlite"
    memory = Memory(path)
    for number in range(4):
        memory.keep("key", number, Chunk((number,), (None,), {}, {"features": np.zeros((1, 999))}))
    memory.close()
    first = path.read_bytes()[:4096]
    path.write_bytes(first + b"\xff" * (path.stat().st_size - len(first)))
    memory = Memory(path)
    for ask in (lambda: memory.known("key"), lambda: memory.recall("key", 0)):
        with pytest.raises(ScoreError, match="is damaged") as caught:
            ask()
        assert "delete the file" in caught.value.hint
    memory.close()


KILLED = """
import os, signal, sys
from t2i.runtime.cli.score import app
from t2i.runtime.score.features import Extractor
look, looks, most = Extractor.look, 0, int(sys.argv[1])

def counted(self, *arguments):
    global looks
    looks += 1
    if looks > most:
        os.kill(os.getpid(), signal.SIGKILL)
    return look(self, *arguments)

Extractor.look = counted
sys.argv = ["t2i-score", *sys.argv[2:]]
app()
"""


@pytest.mark.slow
def test_the_command_goes_on_after_it_was_killed(
    judge: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2I_HOME", str(tmp_path))
    order = ["fid,is", str(pictures), str(pictures), f"--with=fid={judge}", f"--with=is={judge}"]
    order += ["--device=cpu", "--threads=1", "--json"]

    def typed(stop_after: int, *more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", KILLED, str(stop_after), *order, *more]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    whole = typed(1000)
    assert whole.returncode == 0, whole.stderr
    assert typed(3, "--resume").returncode == -9
    resumed = typed(1000, "--resume")
    assert resumed.stdout == whole.stdout
    assert "pictures were seen before" in resumed.stderr
    assert typed(0, "--resume").stdout == whole.stdout, "nothing is looked at again"
