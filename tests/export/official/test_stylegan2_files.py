"""Checkpoints of rosinality/stylegan2-pytorch become bundles with its numbers."""

import pickle
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from golden import Case, cases
from official_files import State, refused, save, save_legacy, typed

from t2i.export.official.inspection import inspect
from t2i.export.official.load import load
from t2i.export.official.published import Files
from t2i.export.official.stylegan2 import NVIDIA
from t2i.models import renames, stylegan2
from t2i.runtime.bundle import Bundle
from t2i.runtime.sessions import open_session

CASES = {case.name: case for case in cases("stylegan2")}
CASE = CASES["generator_32"]


def state_of(case: Case) -> State:
    kernel = torch.tensor([1.0, 3.0, 3.0, 1.0])
    made = {name: torch.as_tensor(each) for name, each in case.state().items()}
    blurs = {name: torch.outer(kernel, kernel) / 16 for name in case.spec["state"]}
    return {**{name: each for name, each in blurs.items() if "kernel" in name}, **made}


def training(folder: Path) -> Path:
    """All that a training keeps: live and averaged networks, optimisers, settings."""
    averaged = state_of(CASE)
    optimiser = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))])
    live = {name: torch.zeros_like(value) for name, value in averaged.items()}
    return save_legacy(
        {
            "g": live,
            "d": state_of(CASES["discriminator_32_batch8"]),
            "g_ema": averaged,
            "g_optim": optimiser.state_dict(),
            "args": Namespace(size=32, channel_multiplier=2),
            "ada_aug_p": 0.0,
        },
        folder / "550000.pt",
    )


@torch.no_grad()
def test_of_a_training_the_averaged_generator_is_taken(tmp_path: Path) -> None:
    generator = load("stylegan2", Files({"weights": training(tmp_path)})).networks["generator"]
    assert isinstance(generator, stylegan2.Generator)
    official = CASE.state()
    sides = range(len(generator.sides))
    noises = [torch.as_tensor(official[f"noises.noise_{i}"]).flatten() for i in sides]
    grain = torch.cat(noises)[None].expand(2, -1)
    latent = generator.mapping(torch.from_numpy(CASE.inputs()["z"]))
    image = generator(generator.spread(latent), grain)
    CASE.check({"w": latent.numpy(), "image": image.numpy()})


def nvidia_state() -> State:
    """The same weights under NVIDIA's names, and what its networks hold beside them."""
    ours = renames.rename(state_of(CASE), stylegan2.RENAMES["generator"])
    named = {renames.old_name(name, NVIDIA.names): value for name, value in ours.items()}
    for name, value in named.items():
        if name.endswith("torgb.bias"):
            named[name] = value[0, :, 0, 0]
        elif name in NVIDIA.amended:
            named[name] = value[0]
    extra = {"mapping.w_avg": torch.zeros(32), "synthesis.b8.conv1.noise_const": torch.ones(8, 8)}
    return {**named, **extra}


@pytest.fixture
def persistence(monkeypatch: pytest.MonkeyPatch) -> Callable[[State], object]:
    """NVIDIA's code as far as its pickles name it: networks that carry their own source."""

    class EasyDict(dict[str, Any]):
        pass

    def _reconstruct_persistent_obj(meta: Any) -> Any:
        raise AssertionError("nothing of a pickle may be run")

    class Network:
        def __init__(self, state: State) -> None:
            self.parameters = state

        def __reduce__(self) -> Any:
            fields = {"_parameters": self.parameters, "_buffers": {}, "_modules": {}}
            source = "raise AssertionError('nothing of a pickle may be run')"
            meta = EasyDict(type="class", module_src=source, class_name="Generator", state=fields)
            return _reconstruct_persistent_obj, (meta,)

    for module, member in (
        ("torch_utils.persistence", _reconstruct_persistent_obj),
        ("dnnlib.util", EasyDict),
    ):
        member.__module__, member.__qualname__ = module, member.__name__
        monkeypatch.setitem(sys.modules, module.partition(".")[0], ModuleType("parent"))
        monkeypatch.setitem(sys.modules, module, ModuleType(module))
        setattr(sys.modules[module], member.__name__, member)
    return Network


def test_a_pickle_of_nvidia_gives_the_same_generator(
    persistence: Callable[[State], object], tmp_path: Path
) -> None:
    state = {name: torch.nn.Parameter(value) for name, value in nvidia_state().items()}
    nested = {"G": None, "G_ema": persistence(state), "training_set_kwargs": {"path": "x"}}
    file = tmp_path / "ffhq.pkl"
    file.write_bytes(pickle.dumps(nested))
    found = load("stylegan2", Files({"weights": file})).networks["generator"].state_dict()
    known = load("stylegan2", Files({"weights": training(tmp_path)})).networks["generator"]
    for name, value in known.state_dict().items():
        assert torch.equal(found[name], value), name


@pytest.mark.slow
def test_a_training_becomes_a_bundle_with_its_latents(tmp_path: Path) -> None:
    out, kept = tmp_path / "stylegan2.t2i", tmp_path / "kept.safetensors"
    order = ["stylegan2", f"--weights={training(tmp_path)}", f"--save-weights={kept}"]
    done = typed(*order, f"--out={out}")
    assert done.exit_code == 0, done.output
    assert kept.is_file()
    assert "is there already" in refused(*order, f"--out={out}", status=2)
    bundle = Bundle.load(out)
    assert (bundle.manifest.image_px, bundle.manifest.pixels) == (32, "round")
    z = CASE.inputs()["z"]
    fed = {"noise": z, "truncation": torch.ones(len(z)).numpy()}
    session = open_session(bundle, "mapping", device="cpu", threads=1)
    CASE.check({"latent": session.run(fed, ["latents"])["latents"]})


def test_all_networks_of_a_training_are_told(tmp_path: Path) -> None:
    tables = {each["name"]: each["kind"] for each in inspect(training(tmp_path))["tables"]}
    assert tables["g"] == tables["g_ema"] == "StyleGAN2's generator"
    assert "g_optim" not in tables


def test_a_critic_alone_is_no_generator(tmp_path: Path) -> None:
    sizes = stylegan2.Settings(style_size=8, widths=(8, 4))
    critic = {
        "convs.0.0.weight": torch.ones(4, 3, 1, 1),
        "final_linear.0.bias": torch.ones(sizes.widths[0]),
    }
    file = save(critic, tmp_path / "d.pt")
    assert "holds a critic of StyleGAN2, not" in refused("stylegan2", f"--weights={file}")
