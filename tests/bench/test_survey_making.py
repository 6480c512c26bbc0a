"""How a row of the survey is made: how long a system trains, and what stands beside it."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from judges import write_colourist, write_sorter
from PIL import Image
from safetensors.numpy import load_file, save_file
from untrained import write_run

from bench.survey import making, subjects
from t2i.runtime import runs
from t2i.runtime.bundle import Bundle, Need
from t2i.runtime.errors import UsageError
from t2i.runtime.pictures import grid
from t2i.runtime.records import dumps
from t2i.train.settings import change
from t2i.train.systems import preset_of, recipe_of

# As `t2i-train` looks from outside: it logs, and stops when it is asked to.
TRAINING = f"""#!{sys.executable}
import json, pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what runs in the background
run = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
run.mkdir(parents=True, exist_ok=True)
(run / "arguments").write_text(" ".join(sys.argv[1:]))
try:
    for seconds in (25, 50):
        with (run / "log.jsonl").open("a") as log:
            print(json.dumps({{"processor_seconds": seconds}}), file=log)
    time.sleep(600)
except KeyboardInterrupt:
    (run / "stopped").touch()
    sys.exit(130)
"""


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "t2i-train"
    program.write_text(TRAINING, encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(making, "tool", lambda name: str(tmp_path / name))
    return tmp_path / "run"


def test_a_training_is_stopped_when_its_time_is_up(training: Path) -> None:
    making.train("attngan", training, lambda: making.worked_seconds(training) >= 50)
    assert (training / "stopped").exists()
    asked = (training / "arguments").read_text()
    assert asked.startswith("attngan --preset birds --precision bf16 --set threads=1 --out")


def test_a_training_that_had_its_time_is_left_alone(training: Path) -> None:
    training.mkdir()
    (training / "log.jsonl").write_text('{"processor_seconds": 60}\n', encoding="utf-8")
    making.train("attngan", training, lambda: making.worked_seconds(training) >= 50)
    assert not (training / "arguments").exists()


def test_a_training_that_fails_is_no_row(training: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "tool", lambda name: "false")
    with pytest.raises(subprocess.CalledProcessError):
        making.train("attngan", training, lambda: making.worked_seconds(training) >= 50)


@pytest.mark.parametrize(("minutes", "names"), [(20, {"is", "vs"}), (5, {"is"})])
def test_a_metric_that_came_later_is_added_where_the_bundle_still_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    minutes: int,
    names: set[str],
) -> None:
    write_colourist(tmp_path, "attngan")
    kept = {"minutes": minutes, "scores": {"is": {"value": 3.0}}}
    (tmp_path / f"scores-{minutes}.json").write_text(json.dumps(kept), encoding="utf-8")
    monkeypatch.setattr(making, "METRICS", ("is", "vs"))
    monkeypatch.setattr(making, "score", lambda wanted, drawn: {each: {} for each in wanted})
    found = making.point(making.Subject("attngan"), tmp_path, minutes)
    assert found["scores"].keys() == names
    assert found["scores"]["is"] == {"value": 3.0}
    assert making.point(making.Subject("attngan"), tmp_path, minutes) == found


def test_shuffled_captions_keep_all_texts_and_all_facts_but_part_them(tmp_path: Path) -> None:
    path = making.shuffled(tmp_path)
    own = [json.loads(line) for line in making.CAPTIONS.read_text("utf-8").splitlines()]
    mixed = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [each["text"] for each in mixed] == [each["text"] for each in own]
    assert sorted(json.dumps(each["facts"]) for each in mixed) == sorted(
        json.dumps(each["facts"]) for each in own
    )
    same = sum(a["facts"] == b["facts"] for a, b in zip(own, mixed, strict=True))
    assert same < 0.02 * len(own)


def test_captions_are_taken_for_classes_where_a_system_draws_classes(tmp_path: Path) -> None:
    captions, classes = write_colourist(tmp_path), write_sorter(tmp_path)
    assert making.drawn_by(Bundle.load(captions)) == ["--model", str(captions)]
    assert making.drawn_by(Bundle.load(classes)) == ["--model", str(classes), "--nearest-class"]
    assert "a red bird" in making.shown_by(Bundle.load(classes))


def test_what_was_trained_before_is_told_in_minutes_generation_by_generation(
    tmp_path: Path,
) -> None:
    def run(name: str, line: str, **origins: str) -> Path:
        written = write_run(tmp_path / name)
        needs = {need: Need("0" * 64, origin) for need, origin in origins.items()}
        recipe = replace(written.recipe, needs=needs)
        (written.folder / runs.RECIPE).write_text(dumps(recipe), encoding="utf-8")
        (written.folder / "log.jsonl").write_text(line + "\n", encoding="utf-8")
        return written.folder

    first = run("stylegan2", '{"seconds": 90}')
    second = run("inversion", '{"seconds": 99, "processor_seconds": 60}', stylegan2=str(first))
    third = run("run", "{}", inversion=str(second), judge="shipped with t2i 0.1.0")
    assert making.prepared(third) == {"stylegan2": 1.5, "inversion": 1.0, "judge": None}


def test_each_part_that_can_be_left_out_is_a_setting() -> None:
    for system, parts in subjects.ABLATIONS.items():
        for part, ablation in parts.items():
            changes = {system: ablation.settings, **ablation.of_needs}
            assert any(changes.values()), part
            assert set(ablation.of_needs) <= set(recipe_of(system).NEEDS)
            for name, settings in changes.items():
                preset = preset_of(name, "birds")
                for setting in settings:
                    assert change(preset, [setting]) != preset, (name, setting)


def test_what_lacks_a_part_is_named_after_it_and_what_is_unknown_is_refused() -> None:
    attngan = subjects.Subject("attngan", "damsm")
    assert attngan.name == "attngan+no-damsm"
    assert attngan.command.endswith("row attngan --without damsm")
    for system, without in (("atngan", ""), ("attngan", "gates"), ("gancls", "damsm")):
        with pytest.raises(UsageError):
            subjects.Subject(system, without)


def test_a_part_of_what_is_needed_is_left_out_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []
    monkeypatch.setattr(making, "train", lambda *arguments: trained.append(arguments))
    told = making.lacking(making.Subject("cigan", "latent-critic"), tmp_path)
    assert told == [f"--with=inversion={tmp_path / 'inversion'}"]
    ((name, run, _, settings),) = trained
    assert (name, run, settings) == ("inversion", tmp_path / "inversion", ["--set=latent=0"])
    assert making.lacking(making.Subject("attngan", "damsm"), tmp_path) == ["--set=matching=0"]


@pytest.mark.parametrize("write_bundle", [write_colourist, write_sorter])
def test_the_sheet_has_a_row_for_each_caption(
    write_bundle: Callable[[Path], Path], tmp_path: Path
) -> None:
    drawn = Bundle.load(write_bundle(tmp_path))
    making.draw_sheet(drawn, tmp_path / "sheet.png")
    rows, px = len(making.shown_by(drawn)), drawn.manifest.image_px
    wanted = grid(np.zeros((8 * rows, px, px, 3), np.uint8), columns=8)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == wanted.shape[1::-1]


def test_the_generator_alone_is_kept_in_half_precision(tmp_path: Path) -> None:
    weights = {
        "generator.a": np.float32([[0.5, 2.0]]),
        "generator.count": np.int64([3]),
        "text.b": np.float32([1.0]),
    }
    save_file(weights, tmp_path / "weights.safetensors")
    making.save_generator(tmp_path / "weights.safetensors", tmp_path / "rows" / "x.safetensors")
    kept = load_file(tmp_path / "rows" / "x.safetensors")
    assert set(kept) == {"generator.a", "generator.count"}
    assert kept["generator.a"].dtype == np.float16
    assert kept["generator.a"].tolist() == [[0.5, 2.0]]
    assert kept["generator.count"].tolist() == [3]
