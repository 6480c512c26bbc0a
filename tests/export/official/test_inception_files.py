"""The weights of pytorch-fid; that their bundle sees what the package sees is tested with the
goldens of Inception."""

from pathlib import Path

import pytest
import torch
from official_files import official_state, refused, save

from t2i.export.official.load import load
from t2i.export.official.published import Files
from t2i.models import inception

SMALL = inception.Settings(kinds=5, px=75, thinner=16)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """An Inception of few channels, from before there were counters of batches."""
    (network,) = inception.networks(SMALL).values()
    named = official_state(network, inception.RENAMES["image"])
    return {name: each for name, each in named.items() if "num_batches" not in name}


def test_a_file_as_pytorch_fid_publishes_it_sees_what_that_sees(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    file = save(state, tmp_path / "pt_inception.pth")
    loaded = load("inception", Files({"weights": file}, settings={"px": 75}))
    assert loaded.sizes == SMALL
    assert loaded.recipe.data == {"weights": "pt_inception.pth"}
    (network,) = inception.networks(SMALL).values()
    network.load_state_dict(state, strict=False)
    pictures = torch.randn(3, 3, 60, 90)
    with torch.no_grad():
        wanted, found = network.eval()(pictures), loaded.networks["image"](pictures)
    assert torch.equal(found.features, wanted.features)
    assert torch.equal(found.logits, wanted.logits)


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
