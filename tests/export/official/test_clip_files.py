"""OpenAI's archives of CLIP, and tables with the same names, become bundles with its numbers."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from golden import HERE, Case, cases
from official_files import State, refused, save, typed
from safetensors.torch import save_file
from torch import nn

from t2i.export.official.inspection import inspect
from t2i.export.official.load import load
from t2i.export.official.published import Files
from t2i.models import clip
from t2i.runtime.bundle import Bundle
from t2i.runtime.sessions import open_session

CASES = {case.name: case for case in cases("clip")}
PAIRS = HERE / "bpe_simple_vocab_16e6.txt.gz"
NAMES = ("vit_tiny", "resnet_tiny")


def state_of(case: Case) -> State:
    return {name: torch.as_tensor(each) for name, each in case.state().items()}


def save_archive(state: State, path: Path) -> Path:
    """A TorchScript archive: modules within modules, and three sizes among the buffers."""
    root = nn.Module()
    for name, value in state.items():
        *parents, last = name.split(".")
        place = root
        for parent in parents:
            if not hasattr(place, parent):
                place.add_module(parent, nn.Module())
            place = place.get_submodule(parent)
        if value.is_floating_point():
            place.register_parameter(last, nn.Parameter(value, requires_grad=False))
        else:
            place.register_buffer(last, value)
    for note in ("input_resolution", "context_length", "vocab_size"):
        root.register_buffer(note, torch.tensor(77))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(root), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_an_archive_of_openai_gives_its_network(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    file = save_archive(state_of(case), tmp_path / "model.pt")
    loaded = load("clip", Files({"weights": file}, PAIRS))
    network = loaded.networks["clip"]
    assert isinstance(network, clip.Clip)
    assert loaded.recipe.text.length == case.settings["context_length"]
    assert loaded.vocabulary == case.settings["vocab_size"]
    tokens = torch.from_numpy(case.expected["tokens"]).long()
    images = torch.from_numpy(case.inputs()["image"])
    outputs = {
        "image_features": network.image(images),
        "text_features": network.text(tokens),
        "logits_per_image": network(images, tokens),
    }
    case.check({key: value.numpy() for key, value in outputs.items()})


@pytest.mark.slow
def test_an_archive_becomes_a_bundle_that_reads_as_clip_does(tmp_path: Path) -> None:
    case = CASES["vit_tiny"]
    file, out = save_archive(state_of(case), tmp_path / "ViT.pt"), tmp_path / "clip.t2i"
    done = typed("clip", f"--weights={file}", f"--vocabulary={PAIRS}", f"--out={out}")
    assert done.exit_code == 0, done.output
    bundle = Bundle.load(out)
    assert bundle.manifest.logit_scale == pytest.approx(float(case.expected["logit_scale_exp"]))
    tokens = case.expected["tokens"].astype(np.int64)
    session = open_session(bundle, "text", device="cpu", threads=1)
    case.check({"text_features": session.run({"tokens": tokens}, ["sentence"])["sentence"]})


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_settings_are_told_by_shapes_in_every_format(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    state = {key: value.half() for key, value in state_of(case).items()}
    save_file(state, tmp_path / "open_clip_model.safetensors")
    files = [
        save_archive(state, tmp_path / "archive.pt"),
        save({"epoch": 3, "state_dict": state}, tmp_path / "epoch_3.pt"),
        tmp_path / "open_clip_model.safetensors",
    ]
    given = case.settings
    for file in files:
        (table,) = inspect(file)["tables"]
        told = table["settings"]
        assert table["kind"] == "CLIP"
        assert (told["image_px"], told["embed_size"]) == (
            given["image_resolution"],
            given["embed_dim"],
        )
        assert told["image_layers"] == given["vision_layers"]
        assert told["image_width"] == given["vision_width"]


@pytest.mark.slow
def test_byte_pairs_of_another_size_are_refused(tmp_path: Path) -> None:
    state = state_of(CASES["vit_tiny"])
    state["token_embedding.weight"] = state["token_embedding.weight"][:1000]
    file = save(state, tmp_path / "model.pt")
    said = refused("clip", f"--weights={file}", f"--vocabulary={PAIRS}")
    assert "reads 1,000 ids" in said
    assert "49,408" in said
    said = refused("clip", f"--weights={file}", f"--vocabulary={file}")
    assert "no file of 48,894 byte pairs" in said


def test_what_a_file_is_can_be_read_by_programs(tmp_path: Path) -> None:
    state = state_of(CASES["vit_tiny"])
    state["token_embedding.weight"] = state["token_embedding.weight"][:10]
    file = save(state, tmp_path / "model.pt")
    done = typed("--inspect", file, "--json")
    record = json.loads(done.stdout)
    assert record["format"] == "a file of torch.save"
    assert record["tables"][0]["for"] == [["clip", "weights"]]
    assert "t2i-export clip --weights FILE" in typed("--inspect", file).stdout
