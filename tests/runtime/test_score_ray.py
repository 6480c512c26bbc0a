"""Many machines find what one finds, to the last digit, even if one of them dies."""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import failed, records
from judges import SHADES, write_colourist, write_judge, write_matcher
from PIL import Image
from typer.testing import CliRunner, Result

from t2i.runtime.captions import read_captions
from t2i.runtime.cli.score import app
from t2i.runtime.draw import load
from t2i.runtime.errors import BundleError, PictureError, ScoreError
from t2i.runtime.score import ray as engine
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.looking import LOCAL, Engine
from t2i.runtime.score.memory import Memory
from t2i.runtime.score.metrics import METRICS
from t2i.runtime.score.protocol import Result as Scored
from t2i.runtime.score.ray import Cluster
from t2i.runtime.score.sets import SetMetric, Setting, Work, run
from t2i.runtime.score.sources import Drawn, Source, Stored
from t2i.runtime.score.stored import Item

PICTURES, BROKEN = 150, (17, *range(32, 48), 140)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def machines() -> Iterator[Any]:
    """Two, of one processor each."""
    import ray
    from ray.cluster_utils import Cluster as Machines

    # What tests send over is not installed there.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    machines = Machines(initialize_head=True, head_node_args={"num_cpus": 1})
    machines.add_node(num_cpus=1)
    ray.init(address=machines.address, log_to_driver=False, logging_level=logging.ERROR)
    yield machines
    ray.shutdown()
    machines.shutdown()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles, and pictures of noise of which some are broken, sixteen of one chunk among them."""
    folder = tmp_path_factory.mktemp("world")
    write_judge(folder)
    write_matcher(folder)
    write_colourist(folder)
    random = np.random.default_rng(0)
    for name in ("real", "fake"):
        (folder / name).mkdir()
        for n in range(PICTURES):
            path = folder / name / f"{n:03}.png"
            Image.fromarray(random.integers(0, 256, (24, 24, 3), np.uint8)).save(path)
            if name == "fake" and n in BROKEN:
                path.write_bytes(b"")
    return folder


def scored(
    world: Path,
    source: Source,
    by: Engine,
    names: Sequence[str] = ("fid", "kid", "prdc", "is"),
    judge: str = "judge",
    memory: Memory | None = None,
) -> list[Scored]:
    extractor = Extractor.load(world / f"{judge}.t2i", device="cpu", threads=1)
    works = []
    for name in names:
        metric = METRICS[name]
        assert isinstance(metric, SetMetric)
        setting = Setting(extractor, source, reference=Stored(world / "real"), subset=20)
        works.append(Work.begin(name, metric, setting))
    return run(works, batch_size=8, memory=memory, engine=by)


def test_a_cluster_finds_what_one_process_finds(machines: object, world: Path) -> None:
    one, many = Stored(world / "fake"), Stored(world / "fake", workers=1)
    assert scored(world, many, Cluster(part=32)) == scored(world, one, LOCAL)
    assert many.unreadable == one.unreadable
    assert len(many.unreadable) == len(BROKEN)


def test_a_cluster_draws_too(machines: object, world: Path) -> None:
    (world / "captions.txt").write_text("".join(f"{name} bird\n" for name in SHADES))
    painter = load(world / "colourist.t2i", device="cpu", threads=1)
    lines = read_captions(str(world / "captions.txt"))
    stream = Drawn(painter, lines, "captions.txt", total=150, seed=3)
    order = (world, stream)
    by_cluster = scored(*order, Cluster(part=40), ("r-precision",), "matcher")
    assert by_cluster == scored(*order, LOCAL, ("r-precision",), "matcher")


def test_what_a_cluster_saw_is_kept(machines: object, world: Path, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "seen.sqlite")
    source = Stored(world / "fake")
    first = scored(world, source, Cluster(part=32), ("is",), memory=memory)
    again = Stored(world / "fake")
    assert scored(world, again, LOCAL, ("is",), memory=memory) == first
    assert again.unreadable == source.unreadable
    memory.close()


def die_once(mark: Path, load: Any) -> bytes:
    """The first process that reads this picture dies of it."""
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        data: bytes = load()
        return data
    os._exit(1)


def fragile(source: Stored, place: int, mark: Path) -> Stored:
    """The same pictures, of which one kills a process."""
    items = list(source.items)
    item = items[place]
    items[place] = Item(item.name, item.where, partial(die_once, mark, item.load))
    source.items = tuple(items)
    return source


def test_a_worker_that_is_killed_costs_time_and_no_digit(
    machines: object, world: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "died"
    source = fragile(Stored(world / "real", workers=1), 70, mark)
    found = scored(world, source, Cluster(part=32), ("is",))
    assert mark.exists(), "somebody died"
    assert found == scored(world, Stored(world / "real"), LOCAL, ("is",))


def always_dies() -> bytes:
    os._exit(1)


def test_what_kills_one_after_the_other_is_an_error(
    machines: object, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "RETRIES", 1)
    source = Stored(world / "real", workers=1)
    source.items = (Item("x.png", "x.png", always_dies), *source.items[:20])
    with pytest.raises(ScoreError, match="begun 2 times") as caught:
        scored(world, source, Cluster(part=32), ("is",))
    assert "--resume" in caught.value.hint


def test_errors_come_back_as_they_are(machines: object, world: Path) -> None:
    strict = Stored(world / "fake", strict=True, workers=1)
    with pytest.raises(PictureError, match=r"017\.png") as caught:
        scored(world, strict, Cluster(part=32), ("is",))
    assert caught.value.hint


def score(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_the_command_prints_the_same_digits(
    machines: object, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world)  # the machines are elsewhere
    order = ["fid,ssim,is,psnr", "real", "fake", "--device=cpu", "--threads=1"]
    order += [f"--with={metric}={world / 'judge.t2i'}" for metric in ("fid", "is")]
    many, one = (score(*order, "--json", f"--engine={by}") for by in ("ray", "local"))
    assert many.exit_code == 0, many.output
    assert records(many.stdout) == records(one.stdout)
    assert "ray: 2 machines, 2 processors" in many.stderr
    assert "no machine of the cluster has 64 processors" in failed(
        score(*order[:-3], "--threads=64", "--engine=ray", *order[-2:])
    )


def test_a_machine_that_goes_is_not_missed(machines: Any, world: Path) -> None:
    """The last test: nobody comes back."""
    source = Stored(world / "real", workers=1)
    extractor = Extractor.load(world / "judge.t2i", device="cpu", threads=1)
    wanted = {extractor: ["features"]}
    by = Cluster(part=16)
    seen = by.see(source, wanted, 8, 0, False)
    features = [next(seen).found[extractor]["features"]]
    machines.remove_node(machines.list_all_nodes()[-1], allow_graceful=False)
    features += [each.found[extractor]["features"] for each in seen]
    alone = [each.found[extractor]["features"] for each in LOCAL.see(source, wanted, 8, 0, False)]
    np.testing.assert_array_equal(np.concatenate(features), np.concatenate(alone))


def test_an_error_can_be_sent() -> None:
    import pickle

    sent = pickle.loads(pickle.dumps(BundleError("it is damaged", hint="get it again")))
    assert (type(sent), str(sent), sent.hint) == (BundleError, "it is damaged", "get it again")


def test_without_ray_the_hint_says_what_to_install(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    real = str(world / "real")
    said = failed(score("psnr", real, real, "--engine=ray"))
    assert "pip install 't2i[scale]'" in said
    assert "there is no engine 'rye'" in failed(score("psnr", real, real, "--engine=rye"), 2)
