"""What every system must do, with no exception for any."""

import json
import shutil
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from systems.columns import STEPS, Column, command

from t2i.models.catalog import CATALOG
from t2i.runtime.bundle import Bundle
from t2i.runtime.proof import first_of, read_arrays, replay
from t2i.runtime.records import decode
from t2i.runtime.runs import Run
from t2i.runtime.sessions import open_session
from t2i.train import data
from t2i.train.cli import app as train_app
from t2i.train.players import Players
from t2i.train.prerequisites import load_brought
from t2i.train.systems import needed, preset_of, recipe_of, settings_type

pytestmark = pytest.mark.slow

LEVEL = 1 / 127.5


def read_log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def proof_of(bundle: Bundle) -> dict[str, Any]:
    return dict(read_arrays(bundle.read(bundle.manifest.proof.file), "proof.npz"))


def test_a_run_says_how_it_came_about(column: Column) -> None:
    recipe = column.run.recipe
    assert (recipe.system, recipe.preset) == (column.system, "toy")
    assert (recipe.steps, recipe.finished) == (STEPS, True)
    assert set(recipe.needs) == set(needed(column.system, preset_of(column.system, "toy")))
    assert column.bundle.manifest.training is not None
    assert column.bundle.manifest.training.settings == recipe.settings


def test_a_run_that_tells_tokens_keeps_streams_that_were_not_trained_on(column: Column) -> None:
    path = column.run.folder / "streams.safetensors"
    assert path.is_file() == (CATALOG[column.system].family == "telling")
    if path.is_file():
        streams = load_file(path)
        (pixels,) = (each for each in column.bundle.manifest.graphs if each.role == "pixels")
        assert streams["codes"].shape == (len(streams["tokens"]), pixels.inputs[0].shape[1])


def test_a_run_that_draws_captions_keeps_some_of_those_it_learns(column: Column) -> None:
    drawn = CATALOG[column.system].pipeline == "gan"
    told = drawn and column.bundle.manifest.condition == "caption"
    pictures = column.run.recipe.data["captioned"]
    assert len(column.run.captions) == (min(128, pictures) if told else 0)


def paper_sizes(models: Any, run: Run) -> Any:
    """The paper's sizes are the defaults; what has none, the data of the run decide."""
    asked = [each.name for each in fields(models.Settings) if each.default is MISSING]
    return decode(models.Settings, {name: run.recipe.network[name] for name in asked})


def test_every_exported_weight_has_an_official_name(column: Column) -> None:
    models = import_module(f"t2i.models.{column.system}")
    with torch.device("meta"):
        networks = models.networks(paper_sizes(models, column.run))
    for prefix, network in networks.items():
        ours = tuple(models.RENAMES[prefix].values())
        for name in network.state_dict():
            assert any(name == each or name.startswith(f"{each}.") for each in ours), name


def test_one_update_moves_only_its_player(column: Column) -> None:
    recipe = column.run.recipe
    settings = decode(settings_type(column.system), recipe.settings)
    dataset = data.open(settings.data)
    wanted = needed(column.system, settings)
    needs = load_brought(column.run.folder, recipe.needs, dataset, wanted)
    torch.manual_seed(0)
    built = recipe_of(column.system).build(settings, dataset.source(), needs, torch.device("cpu"))
    players = Players(built.players, "fp32", torch.device("cpu"))

    def weights() -> dict[str, list[torch.Tensor]]:
        return {
            name: [each.detach().clone() for each in player.networks.parameters()]
            for name, player in built.players.items()
        }

    players.begin(0)
    moved = set()
    for update in built.step(dataset.batch(0, settings.loop.batch_size, 0)):
        before = weights()
        players.learn(update, share=1.0)
        players.move(update.player, 0)
        after = weights()
        for name in before:
            pairs = zip(before[name], after[name], strict=True)
            same = all(torch.equal(one, other) for one, other in pairs)
            assert same != (name == update.player), f"{update.player} moved {name}"
        moved.add(update.player)
    assert moved == set(built.players)


def test_a_resumed_run_goes_on_as_if_nothing_had_happened(column: Column, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(column.run.folder, folder)
    newest = max((folder / "checkpoints").iterdir())
    assert newest.name.startswith(f"{STEPS:08}")
    shutil.rmtree(newest)
    command(train_app, [column.system, f"--out={folder}", "--resume"])
    assert read_log(folder)[-1]["terms"] == read_log(column.run.folder)[-1]["terms"]
    again, first = load_file(folder / "weights.safetensors"), load_file(column.run.weights)
    assert again.keys() == first.keys()
    for name, value in first.items():
        assert np.array_equal(again[name], value), name


def test_the_bundle_computes_what_pytorch_computed(column: Column) -> None:
    manifest = column.bundle.manifest
    assert manifest.check.worst <= manifest.check.tolerance == LEVEL
    assert manifest.check.batches == (2, 1, 5)
    roles = [graph.role for graph in manifest.graphs]
    sessions = {role: open_session(column.bundle, role, device="cpu") for role in roles}
    assert replay(column.bundle, sessions).ok


def test_every_graph_gives_the_documented_shapes_alone_as_in_company(column: Column) -> None:
    proof = proof_of(column.bundle)
    for graph in column.bundle.manifest.graphs:
        session = open_session(column.bundle, graph.role, device="cpu", threads=1)
        feeds = {each.name: proof[f"{graph.role}.in.{each.name}"] for each in graph.inputs}
        outputs = [each.name for each in graph.outputs]
        together = session.run(feeds, outputs)
        inputs = {each.name: first_of(feeds[each.name], each) for each in graph.inputs}
        alone = session.run(inputs, outputs)
        sizes: dict[int | str, int] = {"B": 2}
        for each in graph.inputs:
            sizes |= dict(zip(each.shape, feeds[each.name].shape, strict=True))
        assert sizes["B"] == 2
        for each in graph.outputs:
            shape = tuple(sizes.get(n, n) for n in each.shape)
            assert together[each.name].shape == shape
            gap = np.abs(first_of(together[each.name], each).astype(float) - alone[each.name])
            assert gap.max() <= LEVEL, each.name


def test_a_bundle_holds_what_its_kind_needs(column: Column) -> None:
    """Words only where captions are read, a preview only where they are drawn."""
    manifest = column.bundle.manifest
    draws = manifest.draws
    assert (manifest.text is None) == (manifest.condition == "none")
    assert (column.path / "tokenizer.json").is_file() == (manifest.text is not None)
    assert (manifest.preview is not None) == draws
    drawn = draws or manifest.pipeline == "latent"
    assert ("It draws drawings" in column.bundle.read("card.md").decode()) == drawn
