"""SD-GAN's networks: their sizes, their norms by the formula, AttnGAN where cues say nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from attentive import TINY, check_captions_draw_alike, evaluated
from golden import cases
from networks import parameters
from torch import nn

from t2i.models import renames, sdgan
from t2i.models.damsm import EncodedText

CUB = sdgan.Settings(vocabulary=5450)
COCO = replace(CUB, generator_width=48, critic_width=96, residuals=3)
TOY = sdgan.Settings(**TINY, cue_size=7, feature_size=9)


def conditioned(network: nn.Module) -> list[sdgan.ConditionedNorm]:
    return [each for each in network.modules() if isinstance(each, sdgan.ConditionedNorm)]


def cued(width: int) -> int:
    """What the cues add to AttnGAN's generator: layer by layer, as the card tells them."""

    def perceptron(channels: int) -> int:
        return (256 * 256 + 256) + (256 * channels + channels)

    def words(channels: int) -> int:
        return 256 * channels + 2 * (channels * channels + channels)

    first = [2 * width * n for n in (8, 4, 2, 1)]  # both halves of what a gate takes
    later = 2 * (2 * perceptron(2 * width) + words(2 * width))
    return sum(2 * perceptron(channels) for channels in first) + later


@pytest.mark.parametrize(
    ("settings", "plain", "critics"),
    [
        (CUB, 7_084_592, [6_313_730, 19_424_002, 71_858_946]),
        (COCO, 13_811_456, [13_304_450, 42_800_258, 160_774_274]),
    ],
)
def test_papers_sizes_are_attngans_and_the_cues_and_features(
    settings: sdgan.Settings, plain: int, critics: list[int]
) -> None:
    """AttnGAN's are the official numbers."""
    feature = 8 * settings.critic_width * 256 + 256
    with torch.device("meta"):
        assert parameters(sdgan.Generator(settings)) == plain + cued(settings.generator_width)
        assert [parameters(each) for each in sdgan.critics(settings)] == [
            each + feature for each in critics
        ]
        ablated = replace(settings, first_cues="none", cues="none", feature_size=0)
        assert parameters(sdgan.Generator(ablated)) == plain
        assert [parameters(each) for each in sdgan.critics(ablated)] == critics


def text_of(batch: int = 2, length: int = 3) -> EncodedText:
    mask = torch.ones(batch, length, dtype=torch.bool)
    mask[-1, 1:] = False
    words = torch.randn(batch, TOY.text_size, length) * mask[:, None]
    return EncodedText(torch.randn(batch, TOY.text_size), words, mask)


def unsettled(network: nn.Module) -> nn.Module:
    """Statistics, gains and cues as no start leaves them."""
    with torch.no_grad():
        for each in (*network.parameters(), *network.buffers()):
            if each.is_floating_point():
                each.copy_(0.4 * torch.randn_like(each))
        for name, each in network.named_buffers():
            if name.endswith("running_var"):
                each.uniform_(0.5, 2.0)
    return network


@torch.no_grad()
@pytest.mark.parametrize("cues", ["none", "sentence", "words", "both"])
@pytest.mark.parametrize("training", [True, False])
def test_a_norm_is_scaled_and_shifted_as_the_equation_says(
    cues: sdgan.Cues, training: bool
) -> None:
    """Channel by channel and place by place, as the paper writes it."""
    C, norm = 4, unsettled(sdgan.ConditionedNorm(4, cues, TOY)).train(training)
    assert isinstance(norm, sdgan.ConditionedNorm)
    hidden, text = torch.randn(2, C, 2, 3), text_of()
    mean, variance = norm.statistics.running_mean, norm.statistics.running_var
    if training:
        mean, variance = hidden.mean(dim=(0, 2, 3)), hidden.var(dim=(0, 2, 3), correction=0)
    assert mean is not None
    assert variance is not None
    mean, variance = mean.clone(), variance.clone()

    wanted = torch.zeros_like(hidden)
    for b in range(2):
        known = [text.words[b, :, t] for t in range(3) if text.mask[b, t]]
        for y in range(2):
            for x in range(3):
                place = hidden[b, :, y, x]
                gain, offset = norm.gain.clone(), norm.offset.clone()
                for cue in norm.cues:
                    seen = text.sentence[b]
                    if isinstance(cue, sdgan.WordCue):
                        project = cue.attend.project.weight[:, :, 0, 0]
                        fits = torch.stack([place @ (project @ word) for word in known])
                        each = zip(fits.softmax(dim=0), known, strict=True)
                        seen = sum((a * (project @ word) for a, word in each), torch.zeros(C))
                        seen = seen[:, None, None]
                    gain += cue.scale(seen).flatten()
                    offset += cue.shift(seen).flatten()
                normal = (place - mean) / (variance + 1e-5).sqrt()
                wanted[b, :, y, x] = gain * normal + offset
    torch.testing.assert_close(norm(hidden, text), wanted)


@torch.no_grad()
@pytest.mark.parametrize("cues", ["none", "sentence", "words", "both"])
def test_while_cues_say_nothing_attngans_official_numbers_come_out(cues: sdgan.Cues) -> None:
    """Its weights arrive by their official names, its golden numbers are matched."""
    (case,) = (each for each in cases("attngan") if each.name == "generator_single")
    width, residuals = case.settings["GF_DIM"], case.settings["R_NUM"]
    sizes = sdgan.Settings(1, generator_width=width, residuals=residuals, cues=cues)
    generator = sdgan.Generator(replace(sizes, first_cues=cues)).eval()
    sdgan.initialise(generator)
    state = {key: torch.from_numpy(np.asarray(value)) for key, value in case.state().items()}
    official = renames.rename(state, sdgan.RENAMES["generator"])
    own = {key: value for key, value in generator.state_dict().items() if ".cues." in key}
    renames.load(generator, official | own)

    given = {name: torch.from_numpy(value) for name, value in case.inputs().items()}
    text = (given["sent_emb"], given["word_embs"], ~given["mask"])
    drawn = generator(given["z_code"], given["eps"], *text)
    names = ("image64", "image128", "image256", "attention1", "attention2")
    values = (*drawn.images, *drawn.attentions)
    case.check({name: each.numpy() for name, each in zip(names, values, strict=True)})


def test_a_caption_draws_alike_alone_in_company_and_padded() -> None:
    networks = evaluated(sdgan, TOY)
    unsettled(networks["generator"])
    check_captions_draw_alike(networks)


@pytest.mark.parametrize(
    ("first", "later", "sentence", "words"),
    [
        ("none", "none", [], []),
        ("sentence", "none", [0], []),
        ("none", "words", [], [1, 2]),
        ("sentence", "both", [0, 1, 2], [1, 2]),
        ("words", "sentence", [1, 2], [0]),
    ],
)
def test_each_stage_takes_the_cues_it_is_told_to(
    first: sdgan.Cues, later: sdgan.Cues, sentence: list[int], words: list[int]
) -> None:
    generator = sdgan.Generator(replace(TOY, first_cues=first, cues=later))
    stages = [generator.first, *generator.refine]
    for number, stage in enumerate(stages):
        text = text_of()
        for each in (text.sentence, text.words):
            each.requires_grad_()
        for norm in conditioned(stage):
            unsettled(norm)
            norm(torch.randn(2, len(norm.gain), 4, 4), text).square().sum().backward()
            assert (text.sentence.grad is not None) == (number in sentence)
            assert (text.words.grad is not None) == (number in words)


def test_networks_begin_as_attngans_with_cues_that_say_nothing() -> None:
    generator = sdgan.Generator(TOY)
    sdgan.initialise(generator)
    for norm in conditioned(generator):
        assert not norm.offset.any()
        assert 0 < float((norm.gain.detach() - 1).abs().max()) < 0.2
        for cue in norm.cues:
            for said in cue(torch.randn(2, len(norm.gain), 4, 4), text_of()):
                assert not said.any()
    assert len(conditioned(generator)) == 1 + 2  # 4 to 8 px, and one a later stage


@pytest.mark.parametrize("px", [8, 16, 32, 64])
def test_critics_compare_pictures_by_the_mean_of_what_they_see(px: int) -> None:
    critic = sdgan.Critic(TOY, px)
    features = critic.features(torch.randn(3, 3, px, px))
    compared = critic.compared(features)
    assert compared.shape == (3, 9)
    places = features.flatten(2).permute(2, 0, 1)  # a linear layer of a mean is the mean of it
    torch.testing.assert_close(critic.feature(places).mean(dim=0), compared)
    assert critic.has_unconditional
