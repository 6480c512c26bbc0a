"""Where prerequisites come from, in which order, and what is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_recipe import TOY, Specks

from t2i.runtime import runs
from t2i.runtime.errors import TrainingError, UsageError
from t2i.train import data
from t2i.train.command import Order, train
from t2i.train.files import sha256
from t2i.train.prerequisites import Found, Plan, load_brought, plan
from t2i.train.settings import change
from t2i.train.systems import recipe_of


def order(*changes: str, given: dict[str, Path] | None = None, system: str = "tiny") -> Order:
    return Order(system, preset="toy", device="cpu", changes=changes, given=given or {})


def planned(given: dict[str, Path] | None = None, **changes: Any) -> Found | Plan:
    return plan("tiny", "toy", replace(TOY, **changes), given or {}, Specks(TOY.data)).needs[
        "seedling"
    ]


def seedling(*changes: str) -> runs.Run:
    """A run with the settings that `tiny` wants: see `tiny_recipe.module`."""
    return train(order("rate=0.02", *changes, system="seedling"))


def edit(run: runs.Run, **changes: Any) -> None:
    path = run.folder / "recipe.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def shipped(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights that ship: a finished run in the package, half its size."""
    monkeypatch.setattr(runs, "SHIPPED", tiny / "weights")
    run = seedling()
    folder = tiny / "weights" / "seedling"
    folder.mkdir(parents=True)
    for name in ("recipe.json", "tokenizer.json"):
        shutil.copy(run.folder / name, folder)
    halves = {
        key: value.half() if value.is_floating_point() else value
        for key, value in load_file(run.weights).items()
    }
    save_file(halves, folder / "weights.safetensors")
    shutil.rmtree("runs")
    return folder


def test_what_these_settings_do_not_need_is_neither_planned_nor_taken(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seedling()
    monkeypatch.setattr(recipe_of("tiny"), "needed_settings", lambda settings, name: None)
    assert plan("tiny", "toy", TOY, {}, Specks(TOY.data)).needs == {}
    with pytest.raises(UsageError, match="does not need 'seedling' with these") as caught:
        plan("tiny", "toy", TOY, {"seedling": tiny}, Specks(TOY.data))
    assert "--with seedling" in caught.value.hint


def test_the_order_is_given_newest_shipped_trained(shipped: Path) -> None:
    assert planned() == Found(
        shipped / "weights.safetensors", shipped / "recipe.json", "shipped with t2i 0.1.0"
    )
    old, new = seedling(), seedling()
    found = planned()
    assert isinstance(found, Found)
    assert found.origin == "runs/seedling/002-toy"
    edit(new, finished=False)
    assert planned() == replace(
        found, **{key: old.folder / name for key, name in FILES.items()}, origin=str(old.folder)
    )
    given = planned({"seedling": new.folder})
    assert isinstance(given, Found)
    assert given.weights == new.weights
    shutil.rmtree("runs")
    shutil.rmtree(shipped)
    wanted = planned()
    assert isinstance(wanted, Plan)
    assert (wanted.system, wanted.preset, wanted.settings.rate) == ("seedling", "toy", 0.02)


def test_weights_of_a_further_preset_ship_beside_the_first(shipped: Path) -> None:
    further = shipped.with_name("seedling-toy")
    shutil.copytree(shipped, further)
    edit(runs.Run(shipped), settings={})
    found = planned()
    assert isinstance(found, Found)
    assert (found.weights.parent, found.origin) == (further, "shipped with t2i 0.1.0")
    (further / "recipe.json").unlink()
    assert isinstance(planned(), Plan)


FILES = {"weights": "weights.safetensors", "recipe": "recipe.json"}


@pytest.mark.parametrize(
    ("changes", "alike"),
    [
        ([], True),
        (["sample_every=0", "checkpoint_every=3", "keep=1", "threads=2"], True),
        (["loop.seed=1"], False),
        (["steps=24"], False),
        (["width=9"], False),
        (["count=19"], False),
    ],
)
def test_only_equal_settings_are_taken(changes: list[str], alike: bool, tiny: Path) -> None:
    seedling(*changes)
    assert isinstance(planned(), Found) == alike


def test_other_data_or_words_are_not_taken(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = seedling()
    edit(run, data={**run.recipe.data, "kind": "others"})
    assert isinstance(planned(), Plan)
    edit(run, data={**run.recipe.data, "vocabulary": "of other words"})
    assert isinstance(planned(), Plan)


def test_a_run_without_some_new_setting_counts_with_its_default(tiny: Path) -> None:
    run = seedling()
    settings = dict(run.recipe.settings)
    del settings["broken_at"]
    edit(run, settings=settings)
    assert isinstance(planned(), Found)


def test_a_prerequisite_is_trained_first_and_moves_with_the_run(tiny: Path) -> None:
    run = train(order("steps=3"))
    trained = runs.Run(Path("runs/seedling/001-toy"))
    assert trained.recipe.finished
    assert trained.recipe.steps == 25, "--set is for the system that was asked for"
    need = run.recipe.needs["seedling"]
    assert need.origin == "runs/seedling/001-toy"
    copy = run.folder / "needs" / "seedling.safetensors"
    assert need.sha256 == sha256(copy) == sha256(trained.weights)
    shutil.rmtree("runs/seedling")
    moved = Path("elsewhere")
    run.folder.rename(moved)
    longer = train(replace(order("steps=6"), preset=None, out=moved, resume=True))
    assert longer.recipe.steps == 6
    assert longer.recipe.needs == run.recipe.needs


def test_the_recipe_begins_with_what_it_needs(shipped: Path) -> None:
    run = train(order("rate=0", "steps=1"))
    assert torch.equal(
        load_file(run.weights)["generator.0.weight"],
        load_file(shipped / "weights.safetensors")["generator.0.weight"].float(),
    )
    assert not (Path("runs") / "seedling").exists()


@pytest.mark.parametrize("what", ["folder", "weights", "needs"])
def test_given_is_a_run_or_its_weights_or_what_another_run_carries(what: str, tiny: Path) -> None:
    trained = seedling()
    first = train(order("steps=1"))
    path = {
        "folder": trained.folder,
        "weights": trained.weights,
        "needs": first.folder / "needs" / "seedling.safetensors",
    }[what]
    run = train(order("steps=1", given={"seedling": path}))
    assert run.recipe.needs["seedling"].sha256 == sha256(trained.weights)
    assert run.recipe.needs["seedling"].origin == str(path)


def test_what_is_given_must_fit(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="does not need 'seedlin'") as caught:
        train(order(given={"seedlin": tiny}))
    assert "did you mean 'seedling'" in caught.value.hint
    with pytest.raises(UsageError, match="there are no weights"):
        train(order(given={"seedling": tiny}))
    other = train(order("steps=1"))
    with pytest.raises(UsageError, match="this is a tiny"):
        train(order(given={"seedling": other.folder}))
    trained = runs.Run(Path("runs/seedling/001-toy"))
    monkeypatch.setattr(data, "open", lambda settings, ready=True: Specks(settings, ("new",)))
    with pytest.raises(TrainingError, match="another vocabulary"):
        train(order(given={"seedling": trained.folder}))


def test_needs_that_were_changed_are_refused(tiny: Path) -> None:
    run = train(order("steps=1"))
    path = run.folder / "needs" / "seedling.safetensors"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(TrainingError, match="missing or not what the run began with"):
        load_brought(run.folder, run.recipe.needs, Specks(TOY.data), {"seedling": TOY})


def test_a_preset_is_recognised_whatever_its_data(tiny: Path) -> None:
    wanted = planned(width=16)
    assert isinstance(wanted, Plan)
    assert wanted.preset == "toy", "no preset has these settings: the name of the asking one"
    settings = change(TOY, ["rate=0.02"])
    assert plan("seedling", "toy", settings, {}, Specks(TOY.data)).needs == {}
