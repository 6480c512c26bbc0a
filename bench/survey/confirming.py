"""Whether a row still stands after its code changed: its first steps are trained again.

Where they have the same losses, to the last bit, at the same rates, what changed does not matter to
the training. That takes a minute and the folder of the row's own training, where renewing the row
takes half an hour.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.survey import code, making
from bench.survey.rows import Row
from t2i.runtime import runs

LINES = 3
"""Of the log; they tell of steps 1, 10 and 20."""


def confirm(row: Row) -> str:
    """Let a row be of the code as it is.

    Returns:
        What stands against that, in words; nothing where it trains as it did.
    """
    run = making.WORK / row.name / "run"
    before = _beginning(run)
    if len(before) < LINES:
        return f"the training of {row.name} is not here, so nobody can say"
    for old, new in zip(before, _beginning_again(row, run), strict=True):
        if differing := _differing(old, new):
            return f"{row.name} goes another way at step {old['step']}: {', '.join(differing)}"
    told = {"code": code.of(row.subject.system), "confirmed": before[-1]["step"]}
    making.write_row({**row.record, **told}, row.folder / f"{row.name}.json")
    return ""


def _beginning(run: Path) -> list[dict[str, Any]]:
    log = run / making.LOG
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    return [json.loads(line) for line in lines[:LINES]]


def _beginning_again(row: Row, run: Path) -> list[dict[str, Any]]:
    """With what the training needed then, and without what it lacked."""
    needs = runs.read_recipe(run / runs.RECIPE).needs
    told = [f"--set={each}" for each in row.subject.ablation.settings]
    told += [f"--with={name}={need.origin}" for name, need in needs.items()]
    with tempfile.TemporaryDirectory(prefix="t2i-") as folder:
        again = Path(folder) / "run"
        making.train(row.subject.system, again, lambda: len(_beginning(again)) == LINES, told)
        return _beginning(again)


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Losses and rates that are not the same."""
    if old["step"] != new["step"]:
        return ["it is logged no more"]
    pairs = [(old[kind], new[kind]) for kind in ("terms", "rates")]
    return sorted(name for a, b in pairs for name in {*a, *b} if a.get(name) != b.get(name))
