"""Official weights become a bundle that sees what they see, and nothing else does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner, Result

from t2i.export import official
from t2i.export.cli import app
from t2i.models import inception
from t2i.runtime.bundle import Bundle
from t2i.runtime.errors import ExportError, UsageError
from t2i.runtime.sessions import open_session

SMALL = inception.Settings(kinds=5, px=75, thinner=16)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Inception of few channels in the place of the official one."""
    monkeypatch.setattr(inception, "Settings", lambda: SMALL)
    monkeypatch.setattr(official, "is_one_file", lambda system: True)


def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    (network,) = inception.networks(SMALL).values()
    state = network.state_dict()
    return {name: each for name, each in state.items() if "num_batches" not in name}


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.slow
def test_a_file_as_pytorch_fid_publishes_it_becomes_the_bundle_inception(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2I_HOME", str(tmp_path))
    file, state = tmp_path / "pt_inception.pth", weights()
    torch.save(state, file)
    done = typed("inception", f"--weights={file}")
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


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_weights_are_read_from_either_kind_of_file(ending: str, tmp_path: Path) -> None:
    file, state = tmp_path / f"weights.{ending}", weights()
    (save_file if ending == "safetensors" else torch.save)(state, file)  # type: ignore[operator]
    found = official.read_weights(file)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], each) for name, each in state.items())


class Stranger:
    """What a pickle may hold, and a file of weights may not."""


@pytest.mark.parametrize("held", [Stranger(), {"epoch": 3}, [torch.ones(1)]])
def test_what_is_not_a_table_of_tensors_is_refused(held: Any, tmp_path: Path) -> None:
    torch.save(held, tmp_path / "weights.pth")
    with pytest.raises(ExportError, match=r"weights\.pth") as caught:
        official.read_weights(tmp_path / "weights.pth")
    assert "flat table" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"weights", b"PK\3\4"])
def test_a_damaged_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(data)
    with pytest.raises(ExportError, match="cannot be read as weights"):
        official.read_weights(tmp_path / "weights.pth")
    with pytest.raises(ExportError, match="No such file"):
        official.read_weights(tmp_path / "nowhere.pth")


def test_weights_of_another_network_are_refused(small: None, tmp_path: Path) -> None:
    torch.save({**weights(), "AuxLogits.fc.weight": torch.ones(1)}, tmp_path / "weights.pth")
    with pytest.raises(ExportError, match=r"no place for: AuxLogits\.fc\.weight"):
        official.load("inception", tmp_path / "weights.pth")


def test_a_system_that_reads_words_is_more_than_its_weights(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="more than a file of weights tells") as caught:
        official.load("attngan", tmp_path / "weights.pth")
    assert "t2i-train attngan --weights" in caught.value.hint
    with pytest.raises(UsageError, match="no system 'inceptoin'"):
        official.load("inceptoin", tmp_path / "weights.pth")


def test_where_one_file_would_do_the_hint_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "official weights by --weights FILE" in typed("inception").stderr
    assert "--weights" not in typed("gancls").stderr


def test_a_run_and_a_file_exclude_each_other() -> None:
    done = typed("inception", "--run=run", "--weights=file.pth")
    assert done.exit_code == 2
    assert "leave out one of them" in done.stderr
