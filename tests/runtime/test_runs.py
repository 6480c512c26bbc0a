"""Run folders as export finds them: the newest, the shipped, the damaged."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from t2i.runtime import runs
from t2i.runtime.errors import TrainingError
from t2i.runtime.records import dumps

RECIPE = runs.Recipe(
    schema=runs.SCHEMA,
    version="0.1.0",
    system="attngan",
    preset="toy",
    settings={"loop": {"steps": 3}},
    network={"width": 8},
    text=runs.TextSettings(length=18, unknown="drop"),
    classes=("red", "blue"),
    data={"kind": "birds"},
    needs={},
    images_seen=48,
    steps=3,
    finished=True,
    facing=runs.Facing(left=1, right=2, noise=19),
)


def write(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "recipe.json").write_text(dumps(replace(RECIPE, **changes)))
    return folder


def found(run: runs.Run | None) -> Path | None:
    return run and run.folder


def test_a_recipe_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = runs.Run(write(tmp_path / "run"))
    assert run.recipe == RECIPE
    assert run.weights == tmp_path / "run" / "weights.safetensors"
    (run.folder / "tokenizer.json").write_bytes(b"words")
    assert run.tokenizer == b"words"


def test_the_newest_run_has_the_greatest_number(tmp_path: Path) -> None:
    root = tmp_path / "attngan"
    write(root / "002-toy")
    newest = write(root / "010-birds")
    unfinished = write(root / "1000-toy", finished=False)
    (root / "2000-toy").mkdir()
    (root / "3000-toy").mkdir()
    (root / "3000-toy" / "recipe.json").write_text("{")
    write(root / "mine")
    assert found(runs.newest("attngan", root=tmp_path)) == newest
    assert found(runs.newest("attngan", finished=False, root=tmp_path)) == unfinished
    assert found(runs.newest("attngan", finished=None, root=tmp_path)) == unfinished
    assert found(runs.newest("damsm", root=tmp_path)) is None


def test_weights_ship_where_there_is_a_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "SHIPPED", tmp_path)
    (tmp_path / "damsm").mkdir()
    folder = write(tmp_path / "attngan")
    assert found(runs.shipped("attngan")) == folder
    assert runs.shipped("damsm") is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", json.dumps({"schema": 1}), "[" * 100_000, b"\xff\xfe\x00".hex()],
)
def test_a_damaged_recipe_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(TrainingError, match=r"recipe\.json is damaged"):
        _ = runs.Run(tmp_path).recipe


def test_a_newer_recipe_asks_for_an_upgrade(tmp_path: Path) -> None:
    newer = json.loads(dumps(RECIPE)) | {"schema": runs.SCHEMA + 1, "more": "than we know"}
    (tmp_path / "recipe.json").write_text(json.dumps(newer))
    with pytest.raises(TrainingError, match="newer t2i") as caught:
        _ = runs.Run(tmp_path).recipe
    assert "upgrade" in caught.value.hint


def test_a_folder_that_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is no run"):
        _ = runs.Run(tmp_path).recipe
    with pytest.raises(TrainingError, match=r"has no tokenizer\.json"):
        _ = runs.Run(tmp_path).tokenizer


def test_scores_that_were_kept_beside_a_run_go_with_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    assert runs.Run(folder).scores == ()
    line = {
        "metric": "attributes",
        "value": 0.5,
        "unit": "",
        "spread": None,
        "interval": [0.4, 0.6],
        "parts": [{"name": "wing", "value": 0.5, "count": 8, "interval": None, "rendered": None}],
        "protocol": {"pictures": 8, "extractor": "judge 0123"},
    }
    (folder / "scores.jsonl").write_text(json.dumps(line) + "\n")
    (score,) = runs.Run(folder).scores
    assert (score.metric, score.value, score.interval) == ("attributes", 0.5, (0.4, 0.6))
    assert score.parts == {"wing": 0.5}
    assert score.protocol == line["protocol"]


@pytest.mark.parametrize("text", ["{}", "attributes 0.5", '{"metric": 1, "parts": []}', "[1]"])
def test_what_is_no_score_is_said(text: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    (folder / "scores.jsonl").write_text(text)
    with pytest.raises(TrainingError, match=r"scores\.jsonl") as caught:
        _ = runs.Run(folder).scores
    assert "t2i-score" in caught.value.hint
