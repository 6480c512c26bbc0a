"""The networks of AttnGAN and DAMSM against the official code."""

from collections.abc import Callable, Mapping

import pytest
import torch
from golden import Case, cases
from networks import check, fill, tensors
from torch import Tensor

from t2i.models import attngan, damsm, renames
from t2i.models.blocks.attention import WordAttention
from t2i.models.blocks.conditioning import ConditioningAugmentation
from t2i.train.losses import adversarial

CASES = {case.name: case for case in cases("attngan")}
OfficialMask = Callable[[Tensor, int], Tensor]


@pytest.mark.parametrize("length", ["padded", "full", "single", "gru"])
def test_text_encoder(length: str) -> None:
    case = CASES[f"text_encoder_{length}"]
    cell = "gru" if case.settings["rnn_type"] == "GRU" else "lstm"
    encoder = damsm.TextEncoder(damsm.Settings(case.settings["ntoken"], cell=cell))
    fill(encoder, case, damsm.RENAMES["text"])
    inputs = tensors(case)
    text = encoder(inputs["captions"])
    longest = int(inputs["cap_lens"].max())
    check(case, {"words_embs": text.words[:, :, :longest], "sent_emb": text.sentence})
    assert not text.words[:, :, longest:].any()
    assert torch.equal(text.mask.sum(dim=1), inputs["cap_lens"])


@pytest.mark.parametrize("resize", ["299", "256_align_false", "256_align_true"])
def test_image_encoder(resize: str) -> None:
    case = CASES[f"image_encoder_{resize}"]
    settings = damsm.Settings(1, align_corners=case.settings["align_corners"])
    encoder = damsm.ImageEncoder(settings)
    fill(encoder, case, damsm.RENAMES["image"])
    with torch.no_grad():
        image = encoder(tensors(case)["x"])
    check(case, {"features": image.regions, "cnn_code": image.code})
    assert image.regions.shape[-1] == settings.regions


def generator_of(case: Case) -> attngan.Generator:
    given = case.settings
    settings = attngan.Settings(
        vocabulary=1,
        generator_width=given["GF_DIM"],
        residuals=given["R_NUM"],
        single_head=given.get("B_DCGAN", False),
    )
    generator = attngan.Generator(settings)
    fill(generator, case, attngan.RENAMES["generator"])
    return generator


@pytest.mark.parametrize("variant", ["masked", "single", "dcgan"])
def test_generator(variant: str, official_mask: OfficialMask) -> None:
    case = CASES[f"generator_{variant}"]
    generator, inputs = generator_of(case), tensors(case)
    outputs = {}
    with torch.no_grad():
        condition, outputs["mu"], outputs["logvar"] = generator.condition(
            inputs["sent_emb"], inputs["eps"]
        )
        hidden = [generator.first(condition, inputs["z_code"])]
        for number, refine in enumerate(generator.refine, start=1):
            mask = official_mask(~inputs["mask"], hidden[-1][0, 0].numel())
            larger, attention = refine(hidden[-1], inputs["word_embs"], mask)
            outputs[f"attention{number}"] = attention
            hidden.append(larger)
        for head, each in zip(reversed(generator.heads), reversed(hidden), strict=False):
            image = head(each)
            outputs[f"image{image.shape[-1]}"] = image
    assert outputs.keys() == case.expected.keys()
    check(case, outputs)


def test_generator_in_one_call() -> None:
    case = CASES["generator_single"]
    generator, inputs = generator_of(case), tensors(case)
    with torch.no_grad():
        drawn = generator(
            inputs["z_code"],
            inputs["eps"],
            inputs["sent_emb"],
            inputs["word_embs"],
            ~inputs["mask"],
        )
    names = ("image64", "image128", "image256", "attention1", "attention2", "mu", "logvar")
    values = (*drawn.images, *drawn.attentions, drawn.mean, drawn.log_variance)
    check(case, dict(zip(names, values, strict=True)))


@pytest.mark.parametrize("name", ["attention_nomask", "attention_mask"])
def test_attention(name: str, official_mask: OfficialMask) -> None:
    case = CASES[name]
    attention, inputs = WordAttention(8, 32), tensors(case)
    fill(attention, case, {"conv_context": "project"})
    padding = inputs.get("mask", torch.zeros(3, 4, dtype=torch.bool))
    seen = attention(inputs["input"], inputs["context"], official_mask(~padding, 5 * 5))
    check(case, {"weighted_context": seen.context, "attention": seen.attention})


def test_conditioning_augmentation() -> None:
    case = CASES["ca_net"]
    augmentation, inputs = ConditioningAugmentation(256, 100), tensors(case)
    fill(augmentation, case, {"fc": "project.0"})
    names = ("c_code", "mu", "logvar")
    check(case, dict(zip(names, augmentation(inputs["sent_emb"], inputs["eps"]), strict=True)))


def critic_of(case: Case) -> attngan.Critic:
    px = case.inputs()["real"].shape[-1]
    critic = attngan.Critic(case.settings["DF_DIM"], px, 256, case.settings["b_jcu"])
    fill(critic, case, attngan.RENAMES["critic"])
    return critic


def verdicts(critic: attngan.Critic, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The official loss and what it rests on, in the official order of passes."""
    sentence = inputs["sent_emb"]
    real, fake = critic.features(inputs["real"]), critic.features(inputs["fake"])
    conditional = (
        critic.conditional(real, sentence),
        critic.conditional(fake, sentence),
        critic.conditional(real[:-1], sentence[1:]),
    )
    if not critic.has_unconditional:
        return {"d_loss": adversarial.matching_critic(conditional)}
    unconditional = (critic.unconditional(real), critic.unconditional(fake))
    return {
        "features": real,
        "cond": conditional[0].sigmoid(),
        "uncond": unconditional[0].sigmoid(),
        "d_loss": adversarial.matching_critic(conditional, unconditional),
        "g_adv_loss": adversarial.accept(conditional[1]) + adversarial.accept(unconditional[1]),
    }


@pytest.mark.parametrize("name", ["64", "128", "256", "256_cond_only"])
def test_critic(name: str) -> None:
    case = CASES[f"discriminator{name}"]
    with torch.no_grad():
        outputs = verdicts(critic_of(case), tensors(case))
    assert outputs.keys() == case.expected.keys()
    check(case, outputs)


@pytest.mark.parametrize("px", [64, 128, 256])
def test_critic_in_training(px: int) -> None:
    case = CASES[f"discriminator{px}_train"]
    critic = critic_of(case)
    outputs = {"d_loss": verdicts(critic, tensors(case))["d_loss"]}
    outputs["d_loss"].backward()
    after = critic.state_dict()
    for name in case.expected.keys() - outputs.keys():
        kind, official = name.split(":")
        ours = renames.new_name(official, attngan.RENAMES["critic"])
        assert ours is not None
        gradient = critic.get_parameter(ours).grad if kind == "grad" else after[ours]
        assert gradient is not None
        outputs[name] = gradient
    check(case, outputs)
