"""Inception against the packages that FID is computed with, on weights filled by name."""

import numpy as np
import pytest
import torch
from golden import Case, cases
from golden_pairs import golden_batch

from t2i.models import inception, renames
from t2i.runtime.pictures import to_planes
from t2i.runtime.score.resize import RESIZES

CASES = {case.name: case for case in cases("metrics") if "_64x64" in case.name}
SEEN = [
    case for case in cases("metrics") if case.name.startswith("inception_") and "x" in case.name
]


@pytest.fixture(scope="module")
def network() -> inception.Inception:
    """Filled as the official one is; all cases have the same weights."""
    (built,) = inception.networks(inception.Settings()).values()
    assert isinstance(built, inception.Inception)
    state = {name: torch.from_numpy(value) for name, value in SEEN[0].state().items()}
    renames.load(built, renames.rename(state, inception.RENAMES["image"]))
    return built.eval()


def prepared(case: Case) -> torch.Tensor:
    """The pictures of a case as its package prepares them."""
    kind = {"tf": "tf", "pytorchfid": "pytorch-fid", "clean": "clean"}[case.name.split("_")[1]]
    given = [RESIZES[kind].prepared(picture, 299) for picture in golden_batch(case)]
    return torch.from_numpy(np.stack(given))


@pytest.mark.slow
@pytest.mark.parametrize("case", SEEN, ids=lambda case: case.name)
def test_all_that_it_sees_is_what_the_official_code_sees(
    network: inception.Inception, case: Case
) -> None:
    images = prepared(case)
    with torch.no_grad():
        maps = network.maps(images)
        seen = network(images)
        logits = seen.logits + network.fc.bias
    found = {f"feature_{each.shape[1]}": each.mean(dim=(2, 3)).numpy() for each in maps}
    found |= {"feature_logits_unbiased": seen.logits.numpy(), "feature_logits": logits.numpy()}
    wanted = {name: value for name, value in found.items() if name in case.expected}
    assert "feature_2048" in wanted
    case.check(wanted)


@pytest.mark.slow
def test_the_graphs_own_resize_is_that_of_pytorch_fid(network: inception.Inception) -> None:
    (case,) = (case for case in SEEN if case.name == "inception_pytorchfid_64x64")
    with torch.no_grad():
        seen = network(torch.from_numpy(to_planes(list(golden_batch(case)))))
    case.check({"feature_2048": seen.features.numpy()})
