"""The weights of pytorch-fid become a bundle that sees what they see."""

from pathlib import Path

import numpy as np
import pytest
import torch
from official_files import official_state, refused, save, typed

from t2i.models import inception
from t2i.runtime.bundle import Bundle
from t2i.runtime.sessions import open_session

SMALL = inception.Settings(kinds=5, px=75, thinner=16)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """An Inception of few channels, from before there were counters of batches."""
    (network,) = inception.networks(SMALL).values()
    named = official_state(network, inception.RENAMES["image"])
    return {name: each for name, each in named.items() if "num_batches" not in name}


@pytest.mark.slow
def test_a_file_as_pytorch_fid_publishes_it_becomes_the_bundle_inception(
    state: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2I_HOME", str(tmp_path))
    file = save(state, tmp_path / "pt_inception.pth")
    done = typed("inception", f"--weights={file}", "--set=px=75")
    assert done.exit_code == 0, done.output
    bundle = Bundle.load(tmp_path / "bundles" / "inception.t2i")
    assert (bundle.manifest.precision, bundle.manifest.pipeline) == ("fp32", "features")
    assert bundle.manifest.training is not None
    assert bundle.manifest.training.data == "weights pt_inception.pth"
    (network,) = inception.networks(SMALL).values()
    network.load_state_dict(state, strict=False)
    pictures = torch.randn(3, 3, 60, 90)
    with torch.no_grad():
        wanted = network.eval()(pictures)
    session = open_session(bundle, "image", device="cpu", threads=1)
    found = session.run({"image": pictures.numpy()}, ["features", "logits"])
    np.testing.assert_allclose(found["features"], wanted.features.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["logits"], wanted.logits.numpy(), rtol=1e-4, atol=1e-5)


def test_what_the_network_has_no_place_for_is_named(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    file = save({**state, "Mixed_9a.weight": torch.ones(1)}, tmp_path / "weights.pth")
    said = refused("inception", f"--weights={file}", "--set=px=75")
    assert "no place for: Mixed_9a.weight" in said


def test_torchvisions_inception_is_told_from_the_one_of_fid(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    file = save({**state, "AuxLogits.fc.weight": torch.ones(1)}, tmp_path / "weights.pth")
    assert "torchvision's Inception-v3" in refused("inception", f"--weights={file}")
