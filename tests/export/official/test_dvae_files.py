"""DALL-E's pickled networks become bundles that code and draw as they do."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import fill
import numpy as np
import pytest
import torch
from official_files import State, official_state, refused, save, save_legacy, typed
from torch import nn

from t2i.models import dvae, renames
from t2i.runtime.bundle import Bundle
from t2i.runtime.sessions import open_session

SIZES = dvae.Settings(image_px=16, codes=12, width=8, first_width=4, blocks=1)
Pickled = Callable[[State], nn.Module]


@pytest.fixture
def pickled(monkeypatch: pytest.MonkeyPatch) -> Pickled:
    """Networks whose class lies in a package that is not here when they are read."""

    class Encoder(nn.Module):
        pass

    Encoder.__module__, Encoder.__qualname__ = "dall_e.encoder", "Encoder"
    module = ModuleType("dall_e.encoder")
    vars(module)["Encoder"] = Encoder
    monkeypatch.setitem(sys.modules, "dall_e", ModuleType("dall_e"))
    monkeypatch.setitem(sys.modules, "dall_e.encoder", module)

    def whole(state: State) -> nn.Module:
        root = Encoder()
        for name, value in state.items():
            *parents, last = name.split(".")
            place: nn.Module = root
            for parent in parents:
                if not hasattr(place, parent):
                    place.add_module(parent, nn.Sequential())
                place = place.get_submodule(parent)
            place.register_parameter(last, nn.Parameter(value))
        return root

    return whole


def networks() -> dict[str, tuple[nn.Module, State]]:
    """Both of them and their official weights."""
    found = {}
    for prefix, network in dvae.networks(SIZES).items():
        state = official_state(network, dvae.RENAMES[prefix])
        renames.load(network, renames.rename(state, dvae.RENAMES[prefix]))
        found[prefix] = (network.eval(), state)
    return found


@pytest.mark.slow
def test_two_pickled_networks_become_a_bundle_that_codes_and_draws(
    pickled: Pickled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = networks()
    encoder = save(pickled(made["encoder"][1]), tmp_path / "encoder.pkl")
    decoder = save_legacy(pickled(made["decoder"][1]), tmp_path / "decoder.pkl")
    monkeypatch.delitem(sys.modules, "dall_e.encoder")
    out = tmp_path / "dvae.t2i"
    options = (f"--weights={decoder}", f"--image-weights={encoder}", "--set=image_px=16")
    done = typed("dvae", *options, f"--out={out}")
    assert done.exit_code == 0, done.output
    bundle = Bundle.load(out)
    assert bundle.manifest.pixels == "truncate"
    image = np.tanh(fill.tensor("image", (2, 3, 16, 16)))
    codes = open_session(bundle, "codes", device="cpu", threads=1)
    with torch.no_grad():
        wanted = made["encoder"][0](dvae.mapped(torch.from_numpy(image)))
    found = codes.run({"image": image}, ["logits"])["logits"]
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-4)


def test_encoder_and_decoder_are_told_from_each_other(pickled: Pickled, tmp_path: Path) -> None:
    made = networks()
    encoder = save(pickled(made["encoder"][1]), tmp_path / "encoder.pkl")
    decoder = save(pickled(made["decoder"][1]), tmp_path / "decoder.pkl")
    said = refused("dvae", f"--weights={encoder}", f"--image-weights={decoder}")
    assert "holds the encoder of DALL-E's dVAE, not the decoder of DALL-E's dVAE" in said
