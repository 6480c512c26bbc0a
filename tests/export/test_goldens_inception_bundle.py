"""From a file of official weights to the numbers of the official packages, through the commands."""

from pathlib import Path

import numpy as np
import pytest
import torch
from golden import Case, cases
from golden_pairs import golden_batch
from typer.testing import CliRunner

import t2i
from t2i.export.cli import app
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.frechet import Gaussian, frechet_distance

pytestmark = pytest.mark.slow

SEEN = [case for case in cases("metrics") if "fc.weight" in case.spec.get("state", ())]
PACKAGES = {"tf": "tf", "pytorchfid": "pytorch-fid", "clean": "clean"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("official")
    state = {name: torch.from_numpy(value) for name, value in SEEN[0].state().items()}
    torch.save(state, folder / "pt_inception.pth")
    out = folder / "inception.t2i"
    order = ["inception", f"--weights={folder / 'pt_inception.pth'}", f"--out={out}"]
    done = CliRunner().invoke(app, order)
    assert done.exit_code == 0, done.output
    return out


@pytest.mark.parametrize("case", SEEN, ids=lambda case: case.name)
def test_a_bundle_sees_what_the_package_sees(bundle: Path, case: Case) -> None:
    resize = PACKAGES[case.name.split("_")[1]]
    extractor = Extractor.load(bundle, device="cpu", threads=1, resize=resize)
    seen = extractor.look(list(golden_batch(case)), ["features", "logits"])
    found = {"feature_2048": seen["features"], "feature_logits_unbiased": seen["logits"]}
    case.check({name: value for name, value in found.items() if name in case.expected})


def test_fid_of_two_sets_is_that_of_their_official_features(bundle: Path) -> None:
    of_size = {case.name: case for case in SEEN if "pytorchfid" in case.name}
    sets = [of_size[f"inception_pytorchfid_{size}"] for size in ("64x64", "256x256")]
    found = t2i.score.fid(
        *(list(golden_batch(case)) for case in sets), extractor=str(bundle), device="cpu"
    )
    rows = [case.expected["feature_2048"].astype(np.float64) for case in sets]
    known = [Gaussian(each.mean(0), np.cov(each, rowvar=False)) for each in rows]
    assert found == pytest.approx(frechet_distance(*known), rel=1e-3)
