"""ControlGAN's networks: their official sizes and names, and what they do by their formulas."""

from dataclasses import replace

import pytest
import torch
from attentive import TINY, check_captions_draw_alike, check_weights_are_orthogonal, evaluated
from networks import parameters
from torch import Tensor, nn

from t2i.models import attngan, controlgan, renames

CUB = controlgan.Settings(vocabulary=5450)
COCO = replace(CUB, vocabulary=27297, generator_width=48, critic_width=96, residuals=3)
TOY = controlgan.Settings(**TINY)
# What the official code declares in its two attentions of a stage, for maps of 64 and of 128 px.
SMALL, LARGE = (64 * 64, 256, 1, 1), (128 * 128, 256, 1, 1)
PROJECTIONS = {
    "att.conv_context2.weight": SMALL,
    "att.conv_context3.weight": LARGE,
    "channel_att.conv_context2.weight": SMALL,
    "channel_att.conv_context3.weight": LARGE,
}
USED = {"h_net2.channel_att.conv_context2.weight", "h_net3.channel_att.conv_context3.weight"}


@pytest.mark.parametrize(
    ("settings", "generator", "critics"),
    [
        (CUB, 28_646_704, [6_313_730, 19_424_002, 71_858_946]),
        (COCO, 36_733_888, [13_304_450, 42_800_258, 160_774_274]),
    ],
)
def test_papers_sizes_have_the_official_number_of_parameters(
    settings: controlgan.Settings, generator: int, critics: list[int]
) -> None:
    """Of six projections in a checkpoint, nothing is ever computed with: we leave them away."""
    unused = 3 * (64 * 64 + 128 * 128) * 256
    with torch.device("meta"):
        assert parameters(controlgan.Generator(settings)) == generator - unused
        assert [parameters(critic) for critic in controlgan.critics(settings)] == critics


@pytest.mark.parametrize("stage", ["h_net2", "h_net3"])
def test_official_names_lead_to_weights_of_their_shape_or_are_left_out(stage: str) -> None:
    with torch.device("meta"):
        own = controlgan.Generator(CUB).state_dict()
    shapes = {
        **PROJECTIONS,
        "att.conv_context.weight": (32, 256, 1, 1),
        "residual.1.block.0.weight": (192, 96, 3, 3),
        "residual.1.block.3.weight": (96, 96, 3, 3),
        "upsample.1.weight": (64, 96, 3, 3),
    }
    for name, shape in shapes.items():
        official = f"{stage}.{name}"
        ours = renames.new_name(official, controlgan.RENAMES["generator"])
        if name in PROJECTIONS and official not in USED:
            assert ours == "", official
        else:
            assert ours, official
            assert tuple(own[ours].shape) == shape, official


@torch.no_grad()
def test_words_weigh_channels_as_the_formulas_say() -> None:
    """Channel by channel: a channel and a word meet as vectors of all places of the map."""
    attention = controlgan.ChannelAttention(2 * 3, text_size=16)
    context, words = torch.randn(1, 4, 2, 3), torch.randn(1, 16, 3)
    known = torch.tensor([True, True, False])
    spelt = [attention.project.weight[:, :, 0, 0] @ word for word in words[0].T[known]]
    wanted = torch.zeros(1, 4, 2, 3)
    for number, channel in enumerate(context[0]):
        shares = torch.stack([channel.flatten() @ each for each in spelt]).softmax(dim=0)
        mixture = sum(share * each for share, each in zip(shares, spelt, strict=True))
        wanted[0, number] = mixture.reshape(2, 3)
    got, shares = attention(context, words, known[None, None])
    torch.testing.assert_close(got, wanted)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(1, 4))
    assert not shares[0, 2].any()


@torch.no_grad()
def test_channels_are_weighed_by_what_places_have_seen_and_join_last() -> None:
    """As in the official code; in the paper both attentions look at the hidden map."""
    stage = controlgan.RefiningStage(TOY, px=4)
    hidden, words, mask = torch.randn(2, 4, 4, 4), torch.randn(2, 16, 3), torch.ones(2, 1, 3) > 0
    given: list[Tensor] = []
    stage.residuals.register_forward_pre_hook(lambda _, inputs: given.extend(inputs))
    drawn, attention = stage(hidden, words, mask)
    context, shares = stage.attend(hidden, words, mask)
    weighed, _ = stage.channels(context, words, mask)
    assert torch.equal(given[0], torch.cat([hidden, context, weighed], dim=1))
    assert torch.equal(attention, shares)
    assert drawn.shape == (2, 4, 8, 8)


def plain_correlation(regions: Tensor, words: Tensor) -> Tensor:
    """One picture (E, R, R) and its words (E, T), each word with its importance, as published."""
    places = regions.flatten(1).T
    shown = torch.stack([(words.T @ place).softmax(dim=0) for place in places])
    importance = (words.mean(dim=1) @ words).softmax(dim=0)
    total = torch.zeros(())
    for number, word in enumerate(words.T):
        shares = (4 * shown[:, number]).softmax(dim=0)
        found = importance[number] * (shares[:, None] * places).sum(dim=0)
        total = total + torch.exp(5 * (found @ word) / (found.norm() * word.norm()))
    return total.log()


@torch.no_grad()
def test_the_correlation_of_words_is_the_published_one_and_reads_no_padding() -> None:
    regions, words = torch.randn(3, 16, 4, 4), torch.randn(3, 16, 5)
    mask = torch.tensor([[True] * 5, [True] * 2 + [False] * 3, [True] * 4 + [False]])
    got = controlgan.correlation(regions, words * mask[:, None], mask)
    lengths = mask.sum(dim=1).tolist()
    wanted = [
        plain_correlation(region, word[:, :length])
        for region, word, length in zip(regions, words, lengths, strict=True)
    ]
    torch.testing.assert_close(got, torch.stack(wanted))


def test_a_caption_draws_alike_alone_in_company_and_padded() -> None:
    check_captions_draw_alike(evaluated(controlgan, TOY))


def test_projections_have_the_size_of_their_stages_maps() -> None:
    for first, stages in ((8, 3), (16, 2), (16, 4)):
        own = controlgan.Generator(replace(TOY, first_px=first, stages=stages)).state_dict()
        for number in range(stages - 1):
            places = (first * 2**number) ** 2
            assert own[f"refine.{number}.channels.project.weight"].shape == (places, 16, 1, 1)


def test_without_the_channels_attention_the_generator_is_attngans() -> None:
    settings = replace(TOY, channel_attention=False)
    ours, wanted = (
        {name: each.shape for name, each in generator.state_dict().items()}
        for generator in (controlgan.Generator(settings), attngan.Generator(settings))
    )
    assert ours == wanted


def test_networks_begin_as_the_official_code_lets_them() -> None:
    networks = nn.ModuleList([controlgan.Generator(TOY), *controlgan.critics(TOY)])
    attngan.initialise(networks)
    check_weights_are_orthogonal(networks)
