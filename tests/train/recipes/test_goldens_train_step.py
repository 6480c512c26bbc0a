"""One whole training step of AttnGAN against the official trainer."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from golden import Case, cases
from torch import Tensor, nn

from t2i.models import attngan, damsm, renames
from t2i.runtime import runs
from t2i.runtime.records import encode
from t2i.train.data.batch import Batch
from t2i.train.losses import matching
from t2i.train.prerequisites import Needed
from t2i.train.recipes.attngan import PRESETS, AttnGAN, Settings

PX = (64, 128, 256)


@pytest.fixture
def case() -> Case:
    return next(each for each in cases("attngan") if each.name == "train_step")


def official(case: Case, network: str, table: Mapping[str, str]) -> dict[str, Tensor]:
    state = {key: torch.from_numpy(np.asarray(value)) for key, value in case.state(network).items()}
    return renames.rename(state, table)


def trained_matcher(case: Case) -> Needed:
    sizes = damsm.Settings(vocabulary=40, align_corners=case.settings["resize_align_corners"])
    state = {
        f"{prefix}.{key}": value
        for prefix, name in (("text", "text_encoder"), ("image", "image_encoder"))
        for key, value in official(case, name, damsm.RENAMES[prefix]).items()
    }
    settings = {"sharpness": encode(matching.Sharpness()), "classes_apart": True}
    recipe = runs.Recipe(
        schema=runs.SCHEMA,
        version="",
        system="damsm",
        preset="cub",
        settings=settings,
        network=encode(sizes),
        text=runs.TextSettings(length=18, unknown="drop"),
        classes=(),
        data={},
        needs={},
        images_seen=0,
        steps=0,
        finished=True,
        facing=None,
    )
    return Needed(state, recipe, sha256="", origin="")


def settings_of(case: Case) -> Settings:
    return replace(
        PRESETS["cub"],
        generator_width=case.settings["GF_DIM"],
        critic_width=case.settings["DF_DIM"],
        residuals=case.settings["R_NUM"],
        matching=case.settings["LAMBDA"],
        learning_rate=case.settings["lr"],
    )


@pytest.fixture
def recipe(
    case: Case, monkeypatch: pytest.MonkeyPatch, official_mask: Callable[[Tensor, int], Tensor]
) -> AttnGAN:
    recipe = AttnGAN(settings_of(case), trained_matcher(case), torch.device("cpu"))
    renames.load(recipe.generator, official(case, "netG", attngan.RENAMES["generator"]))
    for number, critic in enumerate(recipe.critics):
        renames.load(critic, official(case, f"netD{number}", attngan.RENAMES["critic"]))
    inputs = case.inputs()
    draws = torch.from_numpy(inputs["z_code"]), torch.from_numpy(inputs["eps"])
    monkeypatch.setattr(recipe, "noise", lambda *_: draws)

    # The official attention pairs places with other captions' masks, and so did this golden step.
    ours = attngan.RefiningStage.forward

    def as_official(self: nn.Module, hidden: Tensor, words: Tensor, mask: Tensor) -> object:
        return ours(self, hidden, words, official_mask(mask[:, 0], hidden[0, 0].numel()))

    monkeypatch.setattr(attngan.RefiningStage, "forward", as_official)
    return recipe


@pytest.mark.slow
def test_a_whole_step_equals_the_official_trainer(case: Case, recipe: AttnGAN) -> None:
    inputs = case.inputs()
    batch = Batch(
        images=tuple(torch.from_numpy(inputs[f"real{px}"]) for px in PX),
        tokens=torch.from_numpy(inputs["captions"]),
        labels=torch.tensor(inputs["class_ids"]),
        captions=("",) * 3,
    )
    outputs: dict[str, Tensor] = {}
    for update in recipe.step(batch):
        total = torch.stack(list(update.terms.values())).sum()
        player = recipe.players[update.player]
        player.optimiser.zero_grad()
        total.backward(inputs=list(player.networks.parameters()))
        if update.player == "generator":
            outputs["errG_total"], outputs["kl"] = total, update.terms["divergence"]
        else:
            outputs[f"errD{PX.index(int(update.player.removeprefix('critic_')))}"] = total
            player.optimiser.step()
    assert outputs.keys() == {"errD0", "errD1", "errD2", "errG_total", "kl"}
    case.check({key: value.detach().numpy() for key, value in outputs.items()}, 1e-3, 1e-3)

    ours = dict(recipe.generator.named_parameters())
    for name, wanted in case.expected.items():
        if name.startswith("grad:"):
            renamed = renames.new_name(
                name.removeprefix("grad:netG."), attngan.RENAMES["generator"]
            )
            gradient = ours[str(renamed)].grad
            assert gradient is not None
            likeness = torch.cosine_similarity(
                gradient.flatten(), torch.from_numpy(wanted).flatten(), dim=0
            )
            assert likeness > 0.99, name
    mean = recipe.generator.state_dict()["refine.0.grow.2.running_mean"]
    case.check({"after:netG.h_net2.upsample.2.running_mean": mean.numpy()})
