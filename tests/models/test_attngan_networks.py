"""Properties of AttnGAN's networks that no golden number shows."""

from dataclasses import replace

import pytest
import torch
from attentive import (
    TINY,
    TOKENS,
    check_captions_draw_alike,
    check_weights_are_orthogonal,
    draw,
    evaluated,
)
from networks import parameters
from torch import nn

from t2i.models import attngan
from t2i.models.blocks.attention import WordAttention
from t2i.models.blocks.conditioning import ConditioningAugmentation
from t2i.runtime.errors import UsageError

CUB = attngan.Settings(vocabulary=5450)
COCO = replace(CUB, vocabulary=27297, generator_width=48, critic_width=96, residuals=3)
TOY = attngan.Settings(**TINY)


@pytest.mark.parametrize(
    ("settings", "generator", "critics"),
    [
        (CUB, 7_084_592, [6_313_730, 19_424_002, 71_858_946]),
        (COCO, 13_811_456, [13_304_450, 42_800_258, 160_774_274]),
    ],
)
def test_papers_sizes_have_the_official_number_of_parameters(
    settings: attngan.Settings, generator: int, critics: list[int]
) -> None:
    with torch.device("meta"):
        assert parameters(attngan.Generator(settings)) == generator
        assert [parameters(critic) for critic in attngan.critics(settings)] == critics


@pytest.mark.parametrize(("first_px", "stages"), [(8, 3), (16, 2), (64, 1), (8, 4)])
@pytest.mark.parametrize("single_head", [False, True])
def test_stages_draw_the_documented_shapes(first_px: int, stages: int, single_head: bool) -> None:
    settings = replace(TOY, first_px=first_px, stages=stages, single_head=single_head)
    drawn = draw(evaluated(attngan, settings), TOKENS)
    stages_px = [first_px * 2**stage for stage in range(stages)]
    heads_px = stages_px[-1:] if single_head else stages_px
    assert [tuple(each.shape) for each in drawn.images] == [(3, 3, px, px) for px in heads_px]
    assert [tuple(each.shape) for each in drawn.attentions] == [
        (3, 6, px, px) for px in stages_px[:-1]
    ]
    assert drawn.mean.shape == drawn.log_variance.shape == (3, TOY.condition_size)
    assert all(float(each.abs().max()) <= 1 for each in drawn.images)
    critics = attngan.critics(settings)
    assert [critic.px for critic in critics] == heads_px
    assert [critic.has_unconditional for critic in critics] == [not single_head] * len(heads_px)


@pytest.mark.parametrize("px", [8, 16, 32, 64, 128, 256, 512])
def test_critics_of_every_size_end_alike(px: int) -> None:
    critic = attngan.Critic(2, px, text_size=6).eval()
    features = critic.features(torch.randn(2, 3, px, px))
    assert features.shape == (2, 16, 4, 4)
    assert critic.conditional(features, torch.randn(2, 6)).shape == (2,)
    assert critic.unconditional(features).shape == (2,)


@pytest.mark.parametrize("px", [0, 4, 48, 100])
def test_sizes_that_no_stage_can_draw_are_refused(px: int) -> None:
    for build in (
        lambda: attngan.Critic(2, px, text_size=6),
        lambda: attngan.Generator(replace(TOY, first_px=px)),
    ):
        with pytest.raises(UsageError, match=f"{px} px") as caught:
            build()
        assert caught.value.hint


def test_a_caption_draws_alike_alone_in_company_and_padded() -> None:
    check_captions_draw_alike(evaluated(attngan, TOY))


def test_the_last_caption_draws_without_the_padding_its_neighbours_force_on_it() -> None:
    networks, short = evaluated(attngan, TOY), TOKENS[1:2]
    torch.testing.assert_close(draw(networks, short[:, :2]).images, draw(networks, short).images)


def test_shares_sum_to_one_and_leave_padding_out() -> None:
    attention, mask = WordAttention(4, 6), TOKENS != 0
    seen = attention(torch.randn(3, 4, 2, 5), torch.randn(3, 6, 6), mask.unsqueeze(1))
    torch.testing.assert_close(seen.attention.sum(dim=1), torch.ones(3, 2, 5))
    assert not seen.attention.permute(0, 2, 3, 1)[~mask[:, None, None].expand(3, 2, 5, 6)].any()


def test_initial_convolutions_are_orthogonal_and_gains_near_one() -> None:
    networks = nn.ModuleList([attngan.Generator(TOY), *attngan.critics(TOY)])
    attngan.initialise(networks)
    check_weights_are_orthogonal(networks)
    gains = torch.cat(
        [each.weight for each in networks.modules() if isinstance(each, nn.BatchNorm2d)]
    ).detach()
    assert abs(float(gains.mean()) - 1) < 0.01
    assert 0.01 < float(gains.std()) < 0.03


def test_a_calm_condition_starts_at_the_asked_log_variance() -> None:
    augmentation = ConditioningAugmentation(16, 5)
    augmentation.calm(-6.0)
    _, _, log_variance = augmentation(torch.zeros(2, 16), torch.zeros(2, 5))
    torch.testing.assert_close(log_variance, torch.full((2, 5), -6.0))
    condition, mean, _ = augmentation(torch.randn(2, 16) * 0.1, torch.ones(2, 5))
    assert float((condition - mean).detach().abs().max()) < 0.1
