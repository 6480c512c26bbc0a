"""A row stands after its code changed where its first steps still have the same losses."""

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from untrained import write_run

from bench.survey import confirming
from t2i.runtime import runs

# As `t2i-train` looks from outside: it logs what lies beside it, and stops when it is asked to.
TRAINING = f"""#!{sys.executable}
import pathlib, shutil, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what runs in the background
run, here = pathlib.Path(sys.argv[sys.argv.index("--out") + 1]), pathlib.Path(__file__).parent
run.mkdir(parents=True)
(here / "arguments").write_text(" ".join(sys.argv[1:]))
shutil.copy(here / "log.jsonl", run)
time.sleep(600)
"""


def logged(step: int, **changed: float) -> dict[str, Any]:
    terms = {"generator.fool": 4.25 / step, "critic.match": 1.5}
    return {"step": step, "terms": {**terms, **changed}, "rates": {"critic": 0.1}, "seconds": step}


@pytest.fixture(autouse=True)
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that was begun, and a program that begins it again."""
    program = tmp_path / "t2i-train"
    program.write_text(TRAINING, encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(confirming.making, "tool", lambda name: str(tmp_path / name))
    monkeypatch.setattr(confirming.making, "WORK", tmp_path / "work")
    write_run(tmp_path / "work" / "attngan" / "run")
    write_log(tmp_path / "work" / "attngan" / "run", *map(logged, (1, 10, 20, 30)))


def write_log(folder: Path, *lines: dict[str, Any]) -> None:
    (folder / "log.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in lines), "utf-8")


def row(folder: Path) -> Any:
    return confirming.Row({"system": "attngan", "code": {"models/old.py": "0"}}, folder)


def test_a_row_that_trains_as_it_did_is_of_the_code_as_it_is(tmp_path: Path) -> None:
    write_log(tmp_path, *(logged(step) | {"seconds": 7 * step} for step in (1, 10, 20)))
    before = row(tmp_path)
    assert before.changed()
    assert not confirming.confirm(before)
    after = confirming.Row(json.loads((tmp_path / "attngan.json").read_bytes()), tmp_path)
    assert not after.changed()
    assert after.confirmed == 20
    needs = runs.read_recipe(tmp_path / "work" / "attngan" / "run" / runs.RECIPE).needs
    asked = (tmp_path / "arguments").read_text()
    assert asked.startswith("attngan --preset birds --precision bf16 --set threads=1")
    assert all(f"--with={name}={each.origin}" in asked for name, each in needs.items())


def test_one_that_goes_another_way_stays_of_other_code(tmp_path: Path) -> None:
    other = logged(20, **{"critic.match": 1.5000001})
    write_log(tmp_path, logged(1), logged(10), other)
    assert confirming.confirm(row(tmp_path)).endswith("at step 20: critic.match")
    write_log(tmp_path, logged(1), logged(10), logged(20, **{"critic.clip": 0.0}))
    assert confirming.confirm(row(tmp_path)).endswith("at step 20: critic.clip")
    assert not (tmp_path / "attngan.json").exists()


def test_what_was_trained_elsewhere_is_not_confirmed(tmp_path: Path) -> None:
    (tmp_path / "work" / "attngan" / "run" / "log.jsonl").unlink()
    assert "is not here" in confirming.confirm(row(tmp_path))
    assert not (tmp_path / "arguments").exists()
