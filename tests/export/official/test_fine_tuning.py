"""From official files to trainings on one's own folder, which begin with what was kept of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from golden import HERE
from official_files import official_state, save, save_words, typed
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from typer.testing import CliRunner, Result

from t2i.export.official.keeping import keep
from t2i.export.official.load import load
from t2i.export.official.published import Files
from t2i.models import attngan, clip, damsm, stackgan
from t2i.runtime.records import decode
from t2i.runtime.runs import read_recipe
from t2i.runtime.text import character_tokenizer, vocabulary_size
from t2i.train.cli import app as train

WORDS = ["a", "red", "bird", "grey"]
"""More than the captions of the folder have, in another order."""
PREFIXES = ("text", "generator")
LETTERS = vocabulary_size(character_tokenizer())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a user has one."""
    folder = tmp_path_factory.mktemp("pictures")
    with (folder / "metadata.jsonl").open("w") as lines:
        for place, text in enumerate(["a grey bird", "a bird", "bird", "a red bird"]):
            Image.new("RGB", (40, 40), (60 * place, 90, 200)).save(folder / f"{place}.png")
            lines.write(json.dumps({"file_name": f"{place}.png", "text": text}) + "\n")
    return folder


def trained(system: str, *options: str) -> Result:
    """One step, in the current folder."""
    short = ["--preset=toy", "--set=steps=1", "--set=batch_size=2", "--set=sample_every=0"]
    return CliRunner().invoke(train, [system, *short, *options], catch_exceptions=False)


def files(models: Any, sizes: Any, folder: Path, *prefixes: str) -> dict[str, Path]:
    """Official files of some networks of a system."""
    folder.mkdir()
    return {
        prefix: save(official(models, sizes, prefix), folder / f"{prefix}.pth")
        for prefix in prefixes
    }


def official(models: Any, sizes: Any, prefix: str) -> dict[str, torch.Tensor]:
    network: nn.Module = models.networks(sizes)[prefix]
    return official_state(network, models.RENAMES[prefix])


@pytest.fixture(scope="module")
def bird(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AttnGAN and DAMSM of official files, kept as bird.safetensors and damsm.safetensors."""
    folder = tmp_path_factory.mktemp("bird")
    text = {"vocabulary": 1 + len(WORDS), "embedding": 3, "text_size": 8}
    sizes = {"condition_size": 6, "noise_size": 5, "generator_width": 4, "first_px": 8}
    small = attngan.Settings(**{**text, "residuals": 1, **sizes})
    drawing = files(attngan, small, folder / "attngan", "text", "generator")
    with torch.device("meta"):
        seeing = damsm.ImageEncoder(damsm.Settings(**text))
    image = save(official_state(seeing, damsm.RENAMES["image"]), folder / "image_encoder.pth")
    words = save_words(WORDS, folder / "captions.pickle")
    done = typed(
        "attngan",
        f"--weights={drawing['generator']}",
        f"--text-weights={drawing['text']}",
        f"--vocabulary={words}",
        f"--save-weights={folder / 'bird.safetensors'}",
        f"--out={folder / 'bird.t2i'}",
    )
    assert done.exit_code == 0, done.output
    given = Files({"weights": image, "text-weights": drawing["text"]}, words)
    keep(load("damsm", given), folder / "damsm.safetensors")
    return folder


@pytest.mark.slow
def test_attngan_goes_on_from_official_weights_with_their_words(
    bird: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = [f"--data={pictures}", f"--weights={bird / 'bird.safetensors'}"]
    alone = trained("attngan", *options)
    assert alone.exit_code == 2
    assert "holds a part of damsm, and lacks its network image" in alone.stderr
    assert "--with damsm=FILE" in alone.stderr
    assert not Path("runs").exists()
    begun = trained("attngan", *options, f"--with=damsm={bird / 'damsm.safetensors'}")
    assert begun.exit_code == 0, begun.output
    kept, run = load_file(bird / "bird.safetensors"), Path("runs/attngan/001-toy")
    assert f"{len(kept)} of {len(kept)} tensors" in begun.stderr
    recipe, official = read_recipe(run / "recipe.json"), read_recipe(bird / "bird.json")
    assert recipe.settings["data"]["px"] == [8, 16, 32]
    told = official.settings.keys()
    assert {k: recipe.network[k] for k in told} == {k: official.network[k] for k in told}
    words = bird / "bird.tokenizer.json"
    assert (run / "tokenizer.json").read_bytes() == words.read_bytes()
    weights = load_file(run / "weights.safetensors")
    assert all(torch.equal(weights[k], kept[k]) for k in kept if k.startswith("text."))


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both stages of StackGAN, kept with and without what reads captions."""
    folder = tmp_path_factory.mktemp("stages")
    text = {"text_size": 8, "first_width": 4, "second_width": 4, "recurrent_size": 4}
    sizes = {"condition_size": 4, "noise_size": 5, "generator_width": 2, "first_px": 8}
    small = stackgan.Settings(LETTERS, recurrence="relu", residuals=1, **{**text, **sizes})
    official = files(stackgan, replace(small, refiner_width=4), folder / "official", *PREFIXES)
    drawing = {"weights": official["generator"]}
    keep(load("stackgan", Files(drawing)), folder / "drawing.safetensors")
    whole = Files({**drawing, "text-weights": official["text"]})
    keep(load("stackgan", whole), folder / "whole.safetensors")
    return folder


@pytest.mark.slow
def test_stackgan_finds_its_first_stage_in_official_weights(
    stages: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole, drawing = (stages / f"{name}.safetensors" for name in ("whole", "drawing"))
    begun = trained("stackgan", f"--data={pictures}", f"--weights={whole}")
    assert begun.exit_code == 0, begun.output
    kept, run = load_file(whole), Path("runs/stackgan/001-toy")
    assert f"{len(kept)} of {len(kept)} tensors" in begun.stderr
    assert "stackgan takes its stackgan1 from" in begun.stderr
    recipe = read_recipe(run / "recipe.json")
    assert recipe.settings["data"]["px"] == [32]
    assert read_recipe(run / "needs" / "stackgan1.json").system == "stackgan1"
    brought = load_file(run / "needs" / "stackgan1.safetensors")
    assert {key.partition(".")[0] for key in brought} == set(PREFIXES)
    assert not any(key.startswith("generator.first") for key in brought)

    lacking = trained("stackgan", f"--data={pictures}", f"--weights={drawing}")
    assert "holds a part of stackgan1, and lacks its network text" in lacking.stderr

    brought["text.project.bias"] += 1
    save_file(brought, run / "needs" / "stackgan1.safetensors")
    other = f"--with=stackgan1={run / 'needs' / 'stackgan1.safetensors'}"
    mixed = trained("stackgan", f"--data={pictures}", f"--weights={whole}", other)
    assert mixed.exit_code == 2
    assert "text.project.bias is another than in what this training needs" in mixed.stderr


@pytest.mark.slow
def test_clip_goes_on_from_official_weights_with_their_pairs(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sizes = {"embed_size": 6, "image_px": 16, "image_width": 64, "patch_px": 8}
    small = clip.Settings(49_408, length=12, image_layers=1, text_width=64, text_layers=1, **sizes)
    (file,) = files(clip, small, tmp_path / "official", "clip").values()
    kept = tmp_path / "clip.safetensors"
    pairs = HERE / "bpe_simple_vocab_16e6.txt.gz"
    keep(load("clip", Files({"weights": file}, pairs)), kept)
    begun = trained("clip", f"--data={pictures}", f"--weights={kept}")
    assert begun.exit_code == 0, begun.output
    count = len(load_file(kept))
    assert f"{count} of {count} tensors" in begun.stderr
    run = Path("runs/clip/001-toy")
    recipe = read_recipe(run / "recipe.json")
    assert decode(clip.Settings, recipe.network) == small
    kept.with_suffix(".tokenizer.json").unlink()
    longer = CliRunner().invoke(train, ["clip", "--resume", f"--out={run}", "--set=steps=2"])
    assert longer.exit_code == 0, longer.output
    said = trained("damsm", f"--data={pictures}", f"--weights={kept}").stderr
    assert "holds weights of clip, not of damsm" in said
