"""TF-Slim's checkpoint becomes a bundle whose Inception Score is that of the official script."""

from pathlib import Path

import numpy as np
import pytest
import slim_inception
import tensorflow_files
import torch
from commands import records
from official_files import refused, typed
from PIL import Image
from typer.testing import CliRunner

from t2i.export.official.load import load
from t2i.export.official.published import Files
from t2i.models import inception
from t2i.runtime.bundle import Bundle
from t2i.runtime.cli import score

CLASSES, PICTURES = 5, 70


@pytest.fixture(scope="module")
def variables() -> slim_inception.Variables:
    return slim_inception.variables(CLASSES, thinner=16)


@pytest.mark.slow
@torch.no_grad()
def test_our_network_tells_the_classes_as_tf_slim_would(
    variables: slim_inception.Variables, tmp_path: Path
) -> None:
    plain = slim_inception.variables(CLASSES, thinner=16, averaged=False)
    pictures = torch.tanh(torch.randn(2, 3, 299, 299, generator=torch.Generator().manual_seed(0)))
    wanted = slim_inception.logits(variables, pictures)[:, 1:]
    assert wanted.std() > 0.1
    for held, write in ((variables, tensorflow_files.write_newer), (plain, write_older)):
        loaded = load("inception", Files({"weights": write(tmp_path / "model.ckpt-5000", held)}))
        assert loaded.sizes == inception.Settings(CLASSES, biased=True, slim=True, thinner=16)
        found = loaded.networks["image"](pictures).logits
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def write_older(path: Path, variables: slim_inception.Variables) -> Path:
    return tensorflow_files.write_older(path.with_name("model.ckpt"), variables)


def test_of_birds_there_are_fifty_and_the_background_and_norms_have_no_gain() -> None:
    with torch.device("meta"):
        (network,) = inception.networks(inception.Settings(50, slim=True)).values()
    channels = sum(kernel[0] for _, _, kernel in slim_inception.convolutions())
    # torchvision's without its auxiliary classifier, but for kinds and gains.
    wanted = 23_834_568 - (1000 - 51) * 2049 - channels
    assert sum(each.numel() for each in network.parameters()) == wanted


@pytest.mark.slow
def test_the_score_of_a_folder_is_that_of_the_official_script(
    variables: slim_inception.Variables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2I_HOME", str(tmp_path))
    dice = np.random.default_rng(0)
    levels = dice.integers(0, 256, (PICTURES, 6, 6, 3), np.uint8)
    pictures = [Image.fromarray(each).resize((320, 300)) for each in levels]
    variables = telling(variables, pictures)
    prefix = tensorflow_files.write_newer(tmp_path / "model.ckpt-5000", variables)
    done = typed("inception", f"--weights={prefix}")
    assert done.exit_code == 0, done.output
    bundle = Bundle.load(tmp_path / "bundles" / f"inception-slim-{CLASSES}.t2i")
    assert bundle.manifest.precision == "fp32"
    assert bundle.manifest.training is not None
    assert bundle.manifest.training.data == "weights model.ckpt-5000"

    (tmp_path / "fake").mkdir()
    for place, picture in enumerate(pictures):
        picture.save(tmp_path / "fake" / f"{place:02}.png")
    order = ["is", str(tmp_path / "fake"), f"--with=is={bundle.name}", "--protocol=stackgan"]
    scored = CliRunner().invoke(score.app, [*order, "--json", "--device=cpu", "--threads=1"])
    assert scored.exit_code == 0, scored.output
    (found,) = records(scored.stdout)
    mean, spread = official_score(variables, pictures, seed=0)
    assert mean > 1.02
    assert found["value"] == pytest.approx(mean, rel=1e-3)
    assert found["spread"] == pytest.approx(spread, rel=1e-2)
    assert found["called"] == f"is (inception-slim-{CLASSES})"


@torch.no_grad()
def telling(
    variables: slim_inception.Variables, pictures: list[Image.Image]
) -> slim_inception.Variables:
    """With a classifier that is of different minds about these pictures."""
    logits = slim_inception.logits(variables, given(pictures)).numpy()
    scale = (0.4 / logits.std(0)).astype(np.float32)
    weights, biases = (
        f"logits/logits/{name}{slim_inception.AVERAGE}" for name in ("weights", "biases")
    )
    centred = (variables[biases] - logits.mean(0)) * scale
    return {**variables, weights: variables[weights] * scale, biases: centred}


def given(pictures: list[Image.Image]) -> torch.Tensor:
    """As `preprocess` hands pictures to the network."""
    resized = [each.resize((299, 299), Image.Resampling.BILINEAR) for each in pictures]
    levels = np.stack([np.asarray(each).astype(np.float32) / 127.5 - 1 for each in resized])
    return torch.from_numpy(levels.transpose(0, 3, 1, 2))


@torch.no_grad()
def official_score(
    variables: slim_inception.Variables, pictures: list[Image.Image], seed: int
) -> tuple[float, float]:
    """`get_inception_score`, whose shuffling has a seed here; whole batches of 64 alone count."""
    places = list(np.arange(len(pictures)))
    np.random.RandomState(seed).shuffle(places)
    counted = given([pictures[place] for place in places[: len(pictures) // 64 * 64]])
    logits = slim_inception.logits(variables, counted)
    chances = torch.softmax(logits[:, 1:].double(), dim=1).numpy()
    scores = []
    for split in range(10):
        part = chances[split * len(chances) // 10 : (split + 1) * len(chances) // 10]
        divergence = part * (np.log(part) - np.log(part.mean(0, keepdims=True)))
        scores.append(np.exp(divergence.sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


@pytest.mark.parametrize(
    "lost",
    [
        "mixed_8x8x2048b/branch3x3dbl/Conv_3/BatchNorm/moving_variance",
        "logits/logits/biases",
        "logits/logits/weights",
    ],
)
def test_another_network_is_refused(
    lost: str, variables: slim_inception.Variables, tmp_path: Path
) -> None:
    rest = {name: each for name, each in variables.items() if not name.startswith(lost)}
    file = tensorflow_files.write_newer(tmp_path / "model.ckpt", rest)
    said = refused("inception", f"--weights={file}")
    assert "model.ckpt.index" in said


def test_what_a_checkpoint_is_can_be_asked(
    variables: slim_inception.Variables, tmp_path: Path
) -> None:
    file = tensorflow_files.write_newer(tmp_path / "model.ckpt", variables)
    done = typed("--inspect", file)
    assert done.exit_code == 0, done.output
    assert "a checkpoint of TensorFlow" in done.stdout
    assert "ema: Inception as TF-Slim fine-tunes it, kinds 5" in done.stdout
