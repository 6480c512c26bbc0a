"""The networks of GAN-CLS, and what they cost, against a port of the official code."""

import pytest
import torch
import torch.nn.functional as F
from golden import Case, cases
from networks import check, fill, parameters, tensors

from t2i.models import gancls
from t2i.train.losses import adversarial

CASES = {case.name: case for case in cases("gancls")}
SIZES = ("full", "reduced")


def settings_of(case: Case) -> gancls.Settings:
    given = case.settings
    return gancls.Settings(
        vocabulary=1,
        text_size=given["embed_dim"],
        condition_size=given["projected_embed_dim"],
        noise_size=given["noise_dim"],
        generator_width=given["ngf"],
        critic_width=given["ndf"],
        joined=False,
    )


def critic_of(case: Case) -> gancls.Critic:
    critic = gancls.Critic(settings_of(case))
    fill(critic, case, gancls.RENAMES["critic"])
    return critic


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_generator(size: str) -> None:
    case = CASES[f"generator_{size}"]
    generator = gancls.Generator(settings_of(case))
    fill(generator, case, gancls.RENAMES["generator"])
    sentence, noise = (tensors(case)[name] for name in ("embed_vector", "z"))
    condition = generator.condition(sentence)
    outputs = {
        "projection": condition,
        "pre_tanh": generator.grow[:-1](torch.cat([condition[:, :, None, None], noise], dim=1)),
        "image": generator(noise.flatten(1), sentence),
    }
    check(case, outputs)


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_critic(size: str) -> None:
    case = CASES[f"discriminator_{size}"]
    critic, inputs = critic_of(case), tensors(case)
    logits = critic(inputs["inp"], inputs["embed"])
    outputs = {
        "features": critic.features(inputs["inp"]),
        "projection": critic.condition(inputs["embed"]),
        "logit": logits,
        "probability": logits.sigmoid(),
    }
    check(case, outputs)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["eval", "train"])
@torch.no_grad()
def test_losses(size: str, mode: str) -> None:
    """The port smooths the real label and sums in full what the paper halves; it adds two terms."""
    case = CASES[f"losses_{size}_{mode}"]
    critic, inputs = critic_of(case), tensors(case)
    kinds = ("right_images", "wrong_images", "fake_images")
    seen = [critic.features(inputs[kind]) for kind in kinds]
    real, wrong, fake = (critic.judge(each, inputs["right_embed"]) for each in seen)
    outputs = {
        "real_loss": 0.9 * adversarial.accept(real) + 0.1 * adversarial.refuse(real),
        "wrong_loss": adversarial.refuse(wrong),
        "fake_loss": adversarial.refuse(fake),
        "adversarial": adversarial.accept(fake),
        "feature_matching": F.mse_loss(seen[2].mean(dim=0), seen[0].mean(dim=0)),
        "pixel_l1": F.l1_loss(inputs["fake_images"], inputs["right_images"]),
        "real_probability": real.sigmoid(),
        "wrong_probability": wrong.sigmoid(),
        "fake_probability": fake.sigmoid(),
    }
    outputs["discriminator_loss"] = sum(
        (outputs[f"{kind}_loss"] for kind in ("real", "wrong", "fake")), torch.zeros(())
    )
    outputs["generator_loss"] = (
        outputs["adversarial"] + 100 * outputs["feature_matching"] + 50 * outputs["pixel_l1"]
    )
    check(case, outputs)


def test_full_sizes_have_the_official_number_of_parameters() -> None:
    with torch.device("meta"):
        port = gancls.Settings(vocabulary=71, joined=False)
        counts = {
            "generator": parameters(gancls.Generator(port)),
            "discriminator": parameters(gancls.Critic(port)),
        }
        paper = gancls.Critic(gancls.Settings(vocabulary=71))
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    for name, count in counts.items():
        official = CASES[f"{name}_full"].spec["state"]
        shapes = [shape for key, shape in official.items() if not key.endswith(buffers)]
        assert sum(torch.Size(shape).numel() for shape in shapes) == count
    assert counts == {"generator": 4_756_736, "discriminator": 2_899_072}
    # A 1 x 1 convolution of 640 channels to 512 with its norm, in place of a verdict on 640.
    assert parameters(paper) == 2_899_072 + 640 * 512 + 2 * 512 - 128 * 16
