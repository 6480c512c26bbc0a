"""Both stages of StackGAN, and what their critics cost, against the official code."""

import pytest
import torch
from golden import Case, cases
from networks import check, fill, tensors

from t2i.models import renames, stackgan, stackgan1
from t2i.models.attngan import Critic
from t2i.train.losses import adversarial, divergence
from t2i.train.recipes.stackgan1 import critic_loss, fool

CASES = {case.name: case for case in cases("stackgan")}
SEVERAL = {"stage1": stackgan1, "stage2": stackgan}


def settings_of(case: Case) -> stackgan.Settings:
    given = case.settings
    return stackgan.Settings(
        vocabulary=1,
        text_size=given["TEXT_DIMENSION"],
        condition_size=given["CONDITION_DIM"],
        noise_size=given["Z_DIM"],
        generator_width=given["GF_DIM"],
        critic_width=given["DF_DIM"],
        refiner_width=given["GF_DIM"],
        residuals=given["R_NUM"],
    )


@torch.no_grad()
def test_conditioning_augmentation() -> None:
    case = CASES["ca_net"]
    augmentation, inputs = stackgan1.ConditioningAugmentation(32, 8), tensors(case)
    fill(augmentation, case, {"fc": "project.0"})
    condition, mean, log_variance = augmentation(inputs["text_embedding"], inputs["epsilon_stage1"])
    kl = divergence.to_standard_normal(mean, log_variance)
    check(case, {"condition": condition, "mu": mean, "logvar": log_variance, "kl_loss": kl})


@torch.no_grad()
def test_generator_of_stage_one() -> None:
    case = CASES["stage1_generator"]
    generator, inputs = stackgan1.Generator(settings_of(case)), tensors(case)
    fill(generator, case, stackgan1.RENAMES["generator"])
    noise, detail, sentence = (
        inputs[name] for name in ("noise", "epsilon_stage1", "text_embedding")
    )
    condition, mean, log_variance = generator.condition(sentence, detail)
    hidden = [generator.expand(torch.cat([noise, condition], dim=1)).unflatten(1, (-1, 4, 4))]
    for up in generator.grow:
        hidden.append(up(hidden[-1]))
    outputs = {
        "image": generator(noise, detail, sentence).images[0],
        "mu": mean,
        "logvar": log_variance,
        "fc": hidden[0],
        "upsample1": hidden[1],
        "upsample4": hidden[4],
        "pre_tanh": generator.head[0](hidden[4]),
    }
    check(case, outputs)


@torch.no_grad()
def test_generator_of_stage_two() -> None:
    case = CASES["stage2_generator"]
    generator, inputs = stackgan.Generator(settings_of(case)), tensors(case)
    fill(generator, case, stackgan.RENAMES["generator"])
    noise, sentence = inputs["noise"], inputs["text_embedding"]
    detail = torch.cat([inputs["epsilon_stage1"], inputs["epsilon_stage2"]], dim=1)
    drawn = generator(noise, detail, sentence)
    condition, mean, log_variance = generator.condition(sentence, inputs["epsilon_stage2"])
    seen = generator.look(drawn.images[0])
    beside = condition[:, :, None, None].expand(-1, -1, 16, 16)
    joined = generator.join(torch.cat([seen, beside], dim=1))
    refined = generator.residuals(joined)
    outputs = {
        "image_stage1": drawn.images[0],
        "image": drawn.images[1],
        "mu": mean,
        "logvar": log_variance,
        "encoder": seen,
        "hr_joint": joined,
        "residual": refined,
        "pre_tanh": generator.head[0](generator.grow(refined)),
    }
    check(case, outputs)


def critic_of(case: Case) -> Critic:
    stage = SEVERAL[case.name.partition("_")[0]]
    critic = stage.critic(settings_of(case))
    fill(critic, case, stage.RENAMES["critic"])
    return critic


@pytest.mark.parametrize("stage", SEVERAL)
@torch.no_grad()
def test_critic(stage: str) -> None:
    case = CASES[f"{stage}_discriminator"]
    critic, inputs = critic_of(case), tensors(case)
    features = critic.features(inputs["image"])
    logit = critic.conditional(features, inputs["condition"])
    outputs = {
        "features": features,
        "conditional_logit": logit,
        "conditional_probability": logit.sigmoid(),
    }
    if critic.has_unconditional:
        alone = critic.unconditional(features)
        outputs |= {"unconditional_logit": alone, "unconditional_probability": alone.sigmoid()}
    check(case, outputs)


@pytest.mark.parametrize("stage", SEVERAL)
@pytest.mark.parametrize("mode", ["eval", "train"])
@torch.no_grad()
def test_losses(stage: str, mode: str) -> None:
    case = CASES[f"{stage}_losses_{mode}"]
    critic, inputs = critic_of(case), tensors(case)
    real, fake, mean = inputs["real_images"], inputs["fake_images"], inputs["mu"]
    outputs = {"discriminator_loss": critic_loss(critic, real, fake, mean)}
    after = critic.state_dict()
    for name in case.expected:
        if name.startswith("after."):
            ours = renames.new_name(name.removeprefix("after."), stackgan.RENAMES["critic"])
            assert ours is not None
            outputs[name] = after[ours].clone()
    outputs |= {
        "generator_loss": sum(fool(critic, fake, mean).values(), torch.zeros(())),
        "kl_loss": divergence.to_standard_normal(mean, inputs["logvar"]),
    }
    critic = critic_of(case)  # its statistics have moved
    seen, refused = critic.features(real), critic.features(fake)
    kinds = {
        "real": [adversarial.accept(critic.conditional(seen, mean))],
        "wrong": [adversarial.refuse(critic.conditional(seen[:-1], mean[1:]))],
        "fake": [adversarial.refuse(critic.conditional(refused, mean))],
    }
    if critic.has_unconditional:
        kinds["real"].append(adversarial.accept(critic.unconditional(seen)))
        kinds["fake"].append(adversarial.refuse(critic.unconditional(refused)))
    outputs |= {f"discriminator_{kind}": torch.stack(terms).mean() for kind, terms in kinds.items()}
    check(case, outputs)
