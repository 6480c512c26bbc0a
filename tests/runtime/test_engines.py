"""An engine is loaded only if it is exactly what was built, for this bundle, card and version."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

import pytest
from bundles import LENGTH, C, E, Z
from cards import Build, use

from t2i.runtime import card, engines, places
from t2i.runtime.bundle import Bundle
from t2i.runtime.card import Card
from t2i.runtime.engines import RECORD, Shelf
from t2i.runtime.errors import DeviceError
from t2i.runtime.sessions import open_session

ORIN = Card("Orin", "8.7", 12060)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test."""
    monkeypatch.setenv("T2I_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def orin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card, and TensorRT for it."""
    monkeypatch.setattr(card, "find", lambda: ORIN)
    monkeypatch.setattr(card, "tensorrt", lambda: "10.9.0")


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Build:
    return use(monkeypatch, Build(("tensorrt", "cuda", "cpu"), raises=True))


@pytest.fixture
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


def start(bundle: Bundle, role: str = "generator") -> None:
    assert open_session(bundle, role, device="tensorrt").device == "tensorrt"


def shelves(kind: str) -> list[Path]:
    return sorted((places.cache() / "tensorrt").glob(f"{kind}-*"))


def engine() -> Path:
    """The one that is kept."""
    (shelf,) = shelves("generator")
    (file,) = shelf.glob("*.engine")
    return file


def left_over() -> list[str]:
    """What is in the cache but shelves."""
    return [path.name for path in places.cache().rglob(f"{engines.SCRATCH}*")]


# What is kept


def test_an_engine_is_built_once_and_then_loaded(tiny: Bundle, build: Build) -> None:
    for _ in range(3):
        start(tiny)
    assert (len(build.built), build.loaded) == (1, [b"engine 1"] * 2)
    assert engine().read_bytes() == b"engine 1"
    assert left_over() == []


def test_the_key_tells_all_that_an_engine_depends_on(tiny: Bundle, build: Build) -> None:
    start(tiny)
    record = json.loads((engine().parent / RECORD).read_text())
    generator = tiny.graph("generator")
    assert record["key"] == {
        "bundle": tiny.sha256,
        "graph": generator.sha256,
        "precision": generator.precision,
        "card": {"name": "Orin", "capability": "8.7", "driver": 12060},
        "onnxruntime": "1.30.0",
        "tensorrt": "10.9.0",
        "low_memory": False,
        "shapes": {
            "noise": {"least": [1, Z], "usual": [4, Z], "most": [16, Z]},
            "detail": {"least": [1, C], "usual": [4, C], "most": [16, C]},
            "sentence": {"least": [1, E], "usual": [4, E], "most": [16, E]},
            "words": {"least": [1, E, 1], "usual": [4, E, LENGTH], "most": [16, E, LENGTH]},
            "mask": {"least": [1, 1], "usual": [4, LENGTH], "most": [16, LENGTH]},
        },
    }
    assert list(record["files"]) == [engine().name]


def test_another_graph_has_a_shelf_of_its_own_and_timings_are_shared(
    tiny: Bundle, build: Build
) -> None:
    start(tiny, "text")
    start(tiny, "generator")
    assert len(build.built) == 2
    assert [len(shelves(kind)) for kind in ("text", "generator", "timings")] == [1, 1, 1]


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr(card, "find", lambda: Card("Orin", "8.7", 12080)),
        lambda patch: patch.setattr(card, "find", lambda: Card("Thor", "11.0", 12060)),
        lambda patch: patch.setattr(card, "tensorrt", lambda: "10.10.0"),
        lambda patch: use(patch, Build(("tensorrt", "cpu"), version="1.31.0")),
    ],
    ids=["driver", "card", "tensorrt", "onnxruntime"],
)
def test_another_machine_or_version_builds_its_own(
    tiny: Bundle, build: Build, monkeypatch: pytest.MonkeyPatch, change: object
) -> None:
    start(tiny)
    change(monkeypatch)  # type: ignore[operator]
    start(tiny)
    assert len(shelves("generator")) == 2
    assert build.loaded == []


def test_the_engine_of_another_key_is_not_loaded_from_under_this_name(
    tiny: Bundle, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(tiny)
    there = engine().parent
    monkeypatch.setattr(card, "find", lambda: Card("Thor", "11.0", 13000))
    start(tiny)
    (here,) = set(shelves("generator")) - {there}
    shutil.rmtree(here)
    shutil.copytree(there, here)
    start(tiny)
    assert build.loaded == []
    assert len(build.built) == 3


# What is broken


def torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def flipped(file: Path) -> None:
    file.write_bytes(bytes(each ^ 1 for each in file.read_bytes()))


def missing(file: Path) -> None:
    file.unlink()


def without_record(file: Path) -> None:
    (file.parent / RECORD).unlink()


def torn_record(file: Path) -> None:
    torn(file.parent / RECORD)


def empty_record(file: Path) -> None:
    (file.parent / RECORD).write_text("{}")


def strange_record(file: Path) -> None:
    (file.parent / RECORD).write_text('["key", "files"]')


@pytest.mark.parametrize(
    "spoil",
    [torn, flipped, missing, without_record, torn_record, empty_record, strange_record],
    ids=lambda spoil: spoil.__name__,
)
def test_what_is_not_as_it_was_built_is_built_again(
    tiny: Bundle, build: Build, spoil: object
) -> None:
    start(tiny)
    spoil(engine())  # type: ignore[operator]
    start(tiny)
    assert (len(build.built), build.loaded) == (2, [])
    start(tiny)
    assert build.loaded == [b"engine 2"]


def test_an_engine_that_tensorrt_refuses_is_built_again(tiny: Bundle, build: Build) -> None:
    start(tiny)
    shelf = engine().parent
    record = json.loads((shelf / RECORD).read_text())
    spoilt = Shelf("generator", record["key"], engines.ENGINES)
    spoilt.publish({engine().name: b"of another age"})
    start(tiny)
    assert build.loaded == [b"of another age"]
    assert engine().read_bytes() == b"engine 2"


def test_what_fails_with_a_fresh_engine_too_is_an_error(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Build(("cpu",), raises=True))
    with pytest.raises(DeviceError, match="tensorrt cannot be used here"):
        start(tiny)
    assert left_over() == []


def test_a_graph_that_is_read_in_parts_is_built_as_it_runs(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then ONNX Runtime refuses shapes that are told for the whole."""
    told = "trt_profile_min_shapes"
    build = use(monkeypatch, Build(("tensorrt", "cuda", "cpu"), unknown=(told,)))
    start(tiny)
    assert not {told, "trt_engine_cache_enable"} & set(build.asked[-1][0][1])
    assert shelves("generator") == left_over() == []


# A cache that cannot be used


def test_a_cache_that_cannot_be_made_is_done_without(
    tiny: Bundle, build: Build, home: Path
) -> None:
    home.write_text("a file where the folder should be")
    start(tiny)
    start(tiny)
    assert len(build.built) == 2
    assert not build.built[0].exists()


def test_a_read_only_cache_is_read(
    tiny: Bundle, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(tiny)
    make = tempfile.mkdtemp

    def refuse(prefix: str, dir: Path) -> str:
        if dir.is_relative_to(places.cache()):
            raise PermissionError(f"{dir} is read-only")
        return make(prefix=prefix, dir=dir)

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    start(tiny)
    assert build.loaded == [b"engine 1"]
    start(tiny, "text")
    assert shelves("text") == []
    assert not build.built[1].exists()


Usage = namedtuple("Usage", "total used free")


def test_on_a_full_disk_nothing_is_kept(
    tiny: Bundle, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(2**40, 2**40, 0))
    start(tiny)
    assert "trt_engine_cache_enable" not in build.asked[0][0][1]
    assert shelves("generator") == []


def test_what_was_built_while_the_disk_filled_up_is_not_kept(
    tiny: Bundle, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = iter([engines.ROOM, 0])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(2**40, 0, next(room)))
    start(tiny)
    assert len(build.built) == 1
    assert shelves("generator") == []


# Two at once


def test_who_comes_too_late_leaves_what_is_there(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if another process published once the place was clear."""
    shelf = Shelf("generator", {"bundle": "b"}, "*")
    rename = Path.rename

    def late(path: Path, target: Path) -> Path:
        if target != shelf.folder:
            return rename(path, target)
        monkeypatch.setattr(Path, "rename", rename)
        shelf.publish({"x.engine": b"theirs"})
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", late)
    shelf.publish({"x.engine": b"ours"})
    assert shelf.read() == {"x.engine": b"theirs"}


PUBLISHER = """
import sys
from t2i.runtime.engines import Shelf
shelf = Shelf("generator", {"bundle": "b"}, "*")
for _ in range(100):
    shelf.publish({"x.engine": sys.argv[1].encode() * 1000})
"""


@pytest.mark.slow
def test_processes_that_publish_at_once_all_finish_and_nobody_reads_a_part(home: Path) -> None:
    names = ("a", "b", "c")
    shelf = Shelf("generator", {"bundle": "b"}, "*")
    running = [subprocess.Popen([sys.executable, "-c", PUBLISHER, name]) for name in names]
    whole: list[engines.Files] = [{"x.engine": name.encode() * 1000} for name in names]
    while any(each.poll() is None for each in running):
        assert shelf.read() in ({}, *whole)
    assert [each.returncode for each in running] == [0, 0, 0]
    assert shelf.read() in whole
    assert left_over() == []


BUILDER = """
import os, sys, time
import pytest
from cards import Build, use
from pathlib import Path
from t2i.runtime import card
from t2i.runtime.bundle import Bundle
from t2i.runtime.sessions import open_session

class Waits(Build):
    def _use_cache(self, folder):
        super()._use_cache(folder)
        here = Path(sys.argv[2]) / str(os.getpid())
        here.touch()
        while len(list(here.parent.iterdir())) < 2:  # both are building now
            time.sleep(0.01)

with pytest.MonkeyPatch.context() as patch:
    patch.setattr(card, "find", lambda: card.Card("Orin", "8.7", 12060))
    patch.setattr(card, "tensorrt", lambda: "10.9.0")
    build = use(patch, Waits(("tensorrt", "cuda", "cpu")))
    session = open_session(Bundle.load(Path(sys.argv[1])), "generator", device="tensorrt")
    assert (session.device, len(build.built)) == ("tensorrt", 1)
"""


@pytest.mark.slow
def test_two_processes_that_build_the_same_engine_both_finish(
    tiny: Bundle, tiny_bundle: Path, build: Build, tmp_path: Path
) -> None:
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    command = [sys.executable, "-c", BUILDER, tiny_bundle, meeting]
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    both = [subprocess.Popen(command, env=os.environ | paths) for _ in range(2)]
    assert [each.wait(timeout=60) for each in both] == [0, 0]
    start(tiny)  # a third one finds a whole engine
    assert (build.built, build.loaded) == ([], [b"engine 1"])
    assert left_over() == []


def test_a_shelf_that_cannot_be_written_says_so(home: Path) -> None:
    home.write_text("")
    with pytest.raises(OSError, match="home"):
        Shelf("generator", {}, "*").publish({"x.engine": b""})


def test_what_a_killed_process_left_is_swept_away_when_it_is_old(
    tiny: Bundle, build: Build
) -> None:
    root = places.cache() / "tensorrt"
    old, new = root / f"{engines.SCRATCH}old", root / f"{engines.SCRATCH}new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    start(tiny)
    assert left_over() == [new.name]
