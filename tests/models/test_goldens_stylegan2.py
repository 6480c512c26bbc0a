"""StyleGAN2's networks, losses and resampling against the official code's port."""

from collections.abc import Mapping

import pytest
import torch
from golden import Case, cases
from networks import fill, tensors
from torch import Tensor

from t2i.models import stylegan2
from t2i.models.blocks.resampling import Resample, resample
from t2i.train.losses import adversarial
from t2i.train.losses.path_length import PathLength, lengths

CASES = {case.name: case for case in cases("stylegan2")}


def settings_of(case: Case, *, grouped: bool = False) -> stylegan2.Settings:
    given, size = case.settings, case.settings["size"]
    return stylegan2.Settings(
        style_size=given.get("style_dim", 32),
        mapping_layers=given.get("n_mlp", 4),
        widths=tuple(width for px, width in given["channels"].items() if int(px) <= size),
        grouped=grouped,
    )


def generator_of(case: Case, *, grouped: bool = False) -> tuple[stylegan2.Generator, Tensor]:
    """And the noise that its official buffers hold."""
    sizes = settings_of(case, grouped=grouped)
    generator = stylegan2.Generator(sizes)
    fill(generator, case, stylegan2.RENAMES["generator"])
    official = case.state()
    noises = (official[f"noises.noise_{i}"] for i in range(len(sizes.grain_sides)))
    return generator, torch.cat([torch.as_tensor(each).flatten() for each in noises])[None]


def check(case: Case, outputs: Mapping[str, Tensor]) -> None:
    """Everything the official code tells, and gradients relatively: they are small."""
    assert set(case.expected) <= outputs.keys()
    case.check({name: outputs[name].detach().numpy() for name in case.expected})


@pytest.mark.slow
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("name", ["generator_32", "generator_64_official_widths"])
@torch.no_grad()
def test_generator(name: str, grouped: bool) -> None:
    case = CASES[name]
    generator, noise = generator_of(case, grouped=grouped)
    inputs, grain = tensors(case), noise.expand(2, -1)
    mapping, spread = generator.mapping, generator.spread
    latent, mean = mapping(inputs["z"]), mapping(inputs["z_many"]).mean(dim=0, keepdim=True)
    latents = spread(latent)
    truncated = mean + case.settings["truncation"] * (latent - mean)
    first = torch.arange(generator.layers) < case.settings["inject_index"]
    stages = generator.stages(latents, grain)
    outputs = {
        "w": latent,
        "latent": latents,
        "image": generator(latents, grain),
        "mean_latent": mean,
        "image_truncated": generator(spread(truncated), grain),
        "image_mixed": generator(stylegan2.mixed(latent, mapping(inputs["z2"]), first), grain),
        "image_w_plus": generator(latents + 0.1 * inputs["dw"], grain),
        "image_zero_noise": generator(latents, torch.zeros_like(grain)),
    }
    for stage in stages:
        px = stage.picture.shape[-1]
        outputs |= {f"features_{px}": stage.hidden, f"skip_{px}": stage.picture}
    check(case, outputs)


@pytest.mark.parametrize("grouped", [False, True])
def test_path_length(grouped: bool) -> None:
    case = CASES["path_length"]
    generator, noise = generator_of(case, grouped=grouped)
    inputs, loss = tensors(case), PathLength()
    loss.mean = inputs["mean_path_length"].float()
    latents = generator.spread(generator.mapping(inputs["z"]))
    found = lengths(generator(latents, noise.expand(2, -1)), inputs["image_noise"], latents)
    penalty = loss(found)
    block = generator.blocks[0]
    assert isinstance(block, stylegan2.Block)
    (gradient,) = torch.autograd.grad(penalty, [block.up.conv.modulation.weight])
    outputs = {"penalty": penalty, "mean_path_length": loss.mean, "path_lengths": found}
    check(case, outputs | {"gradient": gradient})


@pytest.mark.parametrize("name", ["discriminator_32_batch8", "discriminator_32_batch2"])
def test_critic(name: str) -> None:
    case = CASES[name]
    critic = stylegan2.Critic(settings_of(case))
    fill(critic, case, stylegan2.RENAMES["critic"])
    gathered: list[Tensor] = []
    critic.gather.register_forward_hook(lambda module, given, found: gathered.append(found))
    real, fake = (tensors(case)[kind] for kind in ("image", "fake"))
    seen = real.clone().requires_grad_()
    score, refused = critic(seen), critic(fake)
    slope = adversarial.gradient_penalty(score[:, None], seen)
    (gradient,) = torch.autograd.grad(slope, [critic.look.first.weight])
    features = critic.look(real)
    outputs = {
        "score_real": score[:, None],
        "score_fake": refused[:, None],
        "features": features,
        "stddev": stylegan2.deviation(features),
        "final_conv": stylegan2.activate(gathered[0]),
        "d_logistic_loss": adversarial.accept(score) + adversarial.refuse(refused),
        "g_nonsaturating_loss": adversarial.accept(refused),
        "r1": slope,
        "r1_gradient": gradient,
    }
    check(case, outputs)
    small = {name: outputs[name].detach().numpy() for name in ("r1", "r1_gradient")}
    case.check(small, rtol=1e-3, atol=1e-6)


def test_resampling() -> None:
    case = CASES["upfirdn2d"]
    maps, kernel = (tensors(case)[name] for name in ("x", "kernel"))
    given = case.settings
    outputs = {
        "up2_down3_pad21": resample(
            maps, kernel, up=given["up"], down=given["down"], pad=tuple(given["pad"])
        ),
        "negative_pad": resample(maps, kernel, pad=tuple(given["negative_pad"])),
        "upsample": Resample((2, 1), up=2, gain=4.0)(maps),
        "downsample": Resample((1, 1), down=2)(maps),
        "blur_pad21": Resample((2, 1))(maps),
    }
    check(case, outputs)
