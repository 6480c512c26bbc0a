"""Official files of the systems that draw a sentence, with and without what reads captions."""

from pathlib import Path
from typing import Any

import fill
import numpy as np
import pytest
import torch
from golden import Case, cases
from official_files import official_state, parallel, refused, save, save_legacy, typed
from torch import nn

from t2i.export.official.inspection import inspect
from t2i.models import charcnnrnn, hdgan, renames, stackgan1, vs
from t2i.runtime.bundle import Bundle
from t2i.runtime.sessions import open_session

GANCLS = {case.name: case for case in cases("gancls")}
STACKGAN = {case.name: case for case in cases("stackgan")}
LETTERS = 71  # token ids: 69 characters, padding, the unknown one


def state_of(case: Case) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.asarray(each)) for name, each in case.state().items()}


def exported(folder: Path, system: str, *options: str) -> Bundle:
    out = folder / f"{system}.t2i"
    done = typed(system, *options, f"--out={out}")
    assert done.exit_code == 0, done.output
    return Bundle.load(out)


def drawn(bundle: Bundle, fed: dict[str, np.ndarray], *names: str) -> dict[str, np.ndarray]:
    return open_session(bundle, "generator", device="cpu", threads=1).run(fed, list(names))


@pytest.mark.slow
def test_gancls_files_become_a_bundle_that_draws_the_official_pictures(tmp_path: Path) -> None:
    case = GANCLS["generator_reduced"]
    file = save_legacy(parallel(state_of(case)), tmp_path / "gen_190.pth")
    bundle = exported(tmp_path, "gancls", f"--weights={file}")
    assert (bundle.manifest.condition, bundle.manifest.pixels) == ("vector", "truncate")
    inputs = case.inputs()
    noise = inputs["z"].reshape(len(inputs["z"]), -1)
    found = drawn(bundle, {"noise": noise, "sentence": inputs["embed_vector"]}, "image")
    case.check({"image": found["image"]})


@pytest.mark.slow
@pytest.mark.parametrize(("system", "stage"), [("stackgan1", 1), ("stackgan", 2)])
def test_stackgans_files_become_bundles_that_draw_the_official_pictures(
    system: str, stage: int, tmp_path: Path
) -> None:
    case = STACKGAN[f"stage{stage}_generator"]
    file = save(state_of(case), tmp_path / "netG_epoch_90.pth")
    bundle = exported(tmp_path, system, f"--weights={file}")
    inputs = case.inputs()
    details = [inputs[f"epsilon_stage{each}"] for each in range(1, stage + 1)]
    fed = {
        "noise": inputs["noise"],
        "detail": np.concatenate(details, axis=1),
        "sentence": inputs["text_embedding"],
    }
    names = {"image": "image"} | ({"image_stage1": "image_64"} if stage == 2 else {})
    found = drawn(bundle, fed, *names.values())
    case.check({name: found[ours] for name, ours in names.items()})


@pytest.mark.slow
def test_hdgans_files_become_a_bundle_that_draws_alike(tmp_path: Path) -> None:
    sizes = hdgan.Settings(LETTERS, text_size=8, generator_width=2, drawn_px=(64,), residuals=2)
    generator = hdgan.Generator(sizes)
    state = official_state(generator, hdgan.RENAMES["generator"])
    load(generator, state, hdgan.RENAMES["generator"])
    file = save(parallel(state), tmp_path / "G_epoch500.pth")
    bundle = exported(tmp_path, "hdgan", f"--weights={file}")
    fed = {
        "noise": fill.tensor("noise", (2, 100)),
        "detail": fill.tensor("detail", (2, 128)),
        "sentence": fill.tensor("sentence", (2, 8)),
    }
    with torch.no_grad():
        wanted = generator(*map(torch.from_numpy, fed.values())).images[-1]
    np.testing.assert_allclose(drawn(bundle, fed, "image")["image"], wanted.numpy(), atol=1e-4)


def load(network: nn.Module, state: dict[str, torch.Tensor], table: dict[str, str]) -> None:
    ours = {renames.new_name(name, table): value for name, value in state.items()}
    network.load_state_dict(ours)
    network.eval()


@pytest.mark.parametrize(
    "sizes",
    [
        {"drawn_px": (64,), "residuals": 2, "condition_size": 6},
        {"drawn_px": (64, 128), "noise_size": 7, "condition_size": 5},
        {"drawn_px": (64, 128, 256, 512), "enlarged": True},
    ],
)
def test_hdgans_sizes_are_told_by_shapes(sizes: dict[str, Any], tmp_path: Path) -> None:
    small = {"text_size": 8, "generator_width": 2, **sizes}
    with torch.device("meta"):
        generator = hdgan.Generator(hdgan.Settings(LETTERS, **small))
    table = hdgan.RENAMES["generator"]
    if sizes.get("enlarged"):  # the stream of 256 px lies in that of 512 px
        table = {
            name: ours for name, ours in table.items() if "generator_256" in name or "512" in name
        }
    file = save(official_state(generator, table), tmp_path / "G_epoch80.pth")
    told = inspect(file)["tables"][0]
    wanted = {**small, "drawn_px": list(sizes["drawn_px"])}
    assert told["settings"] == {**told["settings"], **wanted}


@pytest.mark.slow
def test_a_reader_of_captions_makes_a_bundle_that_reads_captions(tmp_path: Path) -> None:
    sizes = stackgan1.Settings(
        LETTERS,
        text_size=8,
        first_width=4,
        second_width=4,
        recurrent_size=4,
        recurrence="relu",
        generator_width=2,
        first_px=8,
    )
    networks = stackgan1.networks(sizes)
    files = {}
    for prefix, network in networks.items():
        table = stackgan1.RENAMES[prefix]
        state = official_state(network, table)
        load(network, state, table)
        files[prefix] = save(state, tmp_path / f"{prefix}.pth")
    options = (f"--weights={files['generator']}", f"--text-weights={files['text']}")
    bundle = exported(tmp_path, "stackgan1", *options)
    assert bundle.manifest.condition == "caption"
    tokens = fill.integers("tokens", (2, 30), 1, LETTERS - 1)
    found = open_session(bundle, "text", device="cpu", threads=1).run(
        {"tokens": tokens}, ["sentence"]
    )
    with torch.no_grad():
        wanted = networks["text"](torch.from_numpy(tokens))
    np.testing.assert_allclose(found["sentence"], wanted.numpy(), atol=1e-5)


def test_what_the_authors_trained_of_vs_is_told(tmp_path: Path) -> None:
    space = vs.Space(1536, 1024, 512)
    state = official_state(space, vs.RENAMES["space"])
    state["device_id"] = torch.zeros(1, dtype=torch.int32)
    file = save(state, tmp_path / "W_epoch110.pth")
    (table,) = inspect(file)["tables"]
    assert table["kind"] == "VS similarity's space"
    assert table["settings"] == {"space_size": 512, "text_size": 1024}
    said = refused("vs", f"--weights={file}", status=2)
    assert "vs needs --text-weights and --image-weights" in said


@pytest.mark.parametrize(
    ("system", "case", "title"),
    [
        ("gancls", GANCLS["discriminator_reduced"], "a critic of GAN-CLS"),
        ("stackgan", STACKGAN["stage2_discriminator"], "a critic of StackGAN"),
        ("stackgan", STACKGAN["stage1_generator"], "StackGAN's generator of stage I"),
    ],
)
def test_what_is_no_generator_of_the_system_is_named(
    system: str, case: Case, title: str, tmp_path: Path
) -> None:
    file = save(state_of(case), tmp_path / "disc_190.pth")
    assert f"holds {title}, not" in refused(system, f"--weights={file}")


@pytest.mark.parametrize("case", cases("charcnnrnn"), ids=lambda case: case.name)
def test_a_text_encoder_of_either_recurrence_is_told(case: Case, tmp_path: Path) -> None:
    if "state" not in case.spec:
        return
    (table,) = inspect(save(state_of(case), tmp_path / "encoder.pth"))["tables"]
    assert table["kind"] == "char-CNN-RNN's text encoder"
    settings = charcnnrnn.TextSettings(LETTERS, **table["settings"])
    own = charcnnrnn.TextEncoder(settings).state_dict()
    assert sum(value.numel() for value in own.values()) == table["numbers"]
