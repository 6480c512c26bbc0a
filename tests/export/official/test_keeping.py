"""Official weights, kept as what trainings start from."""

import hashlib
from pathlib import Path

import pytest
import torch
from official_files import official_state, refused, save, save_words, typed
from safetensors.torch import load_file
from typer.testing import CliRunner

from t2i.export.official.keeping import keep
from t2i.export.official.load import load
from t2i.export.official.published import Files
from t2i.models import damsm, stylegan2
from t2i.runtime.errors import DataError
from t2i.runtime.records import decode
from t2i.runtime.runs import read_recipe
from t2i.train.cli import app as train
from t2i.train.data import Settings
from t2i.train.data import open as open_data
from t2i.train.prerequisites import described

SIZES = stylegan2.Settings(style_size=5, mapping_layers=2, widths=(6, 4))
GENERATOR, NAMES = stylegan2.Generator(SIZES), stylegan2.RENAMES["generator"]


@pytest.mark.slow
def test_weights_that_are_kept_are_what_a_training_starts_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / "g.safetensors"
    file = save({"g_ema": official_state(GENERATOR, NAMES)}, tmp_path / "550000.pt")
    keep(load("stylegan2", Files({"weights": file})), kept)
    recipe = read_recipe(kept.with_suffix(".json"))
    assert (recipe.system, decode(stylegan2.Settings, recipe.network)) == ("stylegan2", SIZES)
    tiny = ["--preset=toy", "--set=steps=1", "--set=count=16", "--set=px=8"]
    tiny += ["--set=widths=6,4", "--set=style_size=5", "--set=mapping_layers=2"]
    begun = CliRunner().invoke(train, ["stylegan2", *tiny, f"--weights={kept}", "--out=run"])
    assert begun.exit_code == 0, begun.output
    count = len(load_file(kept))
    assert f"starting from {kept}: {count} of {count} tensors" in begun.stderr


def test_tensors_are_kept_under_their_own_names(tmp_path: Path) -> None:
    state = {"features.0.weight": torch.ones(2, 3), "features.0.bias": torch.arange(2.0)}
    state["tied.weight"] = state["features.0.weight"]
    nested = {"model": {name: torch.zeros(1) for name in state}, "model_ema": state}
    kept = tmp_path / "vgg.safetensors"
    for value in (state, {f"module.{name}": each for name, each in state.items()}, nested):
        file = save(value, tmp_path / "vgg16.pth")
        done = typed(f"--weights={file}", f"--save-weights={kept}", "--force")
        assert done.exit_code == 0, done.output
        found = load_file(kept)
        assert found.keys() == state.keys()
        assert all(torch.equal(found[name], each) for name, each in state.items())
    two = save({"netG": state, "netD": state}, tmp_path / "two.pth")
    said = refused(f"--weights={two}", f"--save-weights={kept}", "--force")
    assert "several tables: netG, netD" in said
    said = refused(f"--weights={file}", f"--save-weights={kept}", status=2)
    assert "is there already" in said
    assert "vgg.safetensors" in refused(f"--weights={file}", "--save-weights=vgg.pth", status=2)
    nowhere = f"--save-weights={tmp_path / 'nowhere' / 'vgg.safetensors'}"
    assert "there is no folder" in refused(f"--weights={file}", nowhere, status=2)


def test_weights_that_cannot_be_written_leave_nothing_behind(tmp_path: Path) -> None:
    file = save({"g_ema": official_state(GENERATOR, NAMES)}, tmp_path / "g.pt")
    long = tmp_path / f"{'v' * 240}.safetensors"  # which leaves a draft no name
    for system in ([], ["stylegan2"]):
        said = refused(*system, f"--weights={file}", f"--save-weights={long}")
        assert "cannot be written" in said
        assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("other", ["--fp16", "--single-file", "--tensorrt", "--vocabulary=w.json"])
def test_a_file_that_is_only_converted_is_asked_for_nothing_else(
    tmp_path: Path, other: str
) -> None:
    file = save({"a.weight": torch.ones(2)}, tmp_path / "a.pth")
    kept = tmp_path / "a.safetensors"
    refused(f"--weights={file}", f"--save-weights={kept}", other, status=2)
    assert not kept.exists()


@pytest.mark.slow
def test_encoders_are_kept_with_their_words(tmp_path: Path) -> None:
    """As a prerequisite of AttnGAN's training takes them: `--with damsm=FILE`."""
    sizes = damsm.Settings(4, embedding=3, text_size=8)
    encoder = official_state(damsm.TextEncoder(sizes), damsm.RENAMES["text"])
    words = save_words(["a", "red", "bird"], tmp_path / "captions.pickle")
    files = {"weights": tmp_path / "image.pth", "text-weights": tmp_path / "text.pth"}
    save(encoder, files["text-weights"])
    with torch.device("meta"):
        seeing = damsm.ImageEncoder(sizes)
    save(official_state(seeing, damsm.RENAMES["image"]), files["weights"])
    kept = keep(load("damsm", Files(files, words)), tmp_path / "damsm.safetensors")
    assert [each.name for each in kept] == [
        "damsm.safetensors",
        "damsm.json",
        "damsm.tokenizer.json",
    ]
    recipe = read_recipe(kept[1])
    assert (recipe.system, recipe.network["align_corners"]) == ("damsm", True)
    assert recipe.data["vocabulary"] == hashlib.sha256(kept[2].read_bytes()).hexdigest()
    data = Settings(kind="birds", px=(8,), count=4, vocabulary=str(kept[2]))
    assert described(open_data(data, ready=False))["vocabulary"] == recipe.data["vocabulary"]
    embedding = load_file(kept[0])["text.embedding.weight"]
    assert torch.equal(embedding[:4], encoder["encoder.weight"])
    assert not embedding[4:].any()


def test_a_vocabulary_for_a_training_must_be_one(tmp_path: Path) -> None:
    for name, data in (("nowhere.json", None), ("odd.json", b"{}")):
        if data:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match="is no vocabulary") as caught:
            open_data(Settings(kind="birds", vocabulary=str(tmp_path / name)), ready=False)
        assert "--set vocabulary=FILE" in caught.value.hint
