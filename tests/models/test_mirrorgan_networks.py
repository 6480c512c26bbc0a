"""Properties of MirrorGAN's networks that no golden number shows."""

from dataclasses import replace

import pytest
import torch
from attentive import TINY, check_captions_draw_alike, evaluated
from networks import parameters

from t2i.models import mirrorgan, stream

CUB = mirrorgan.Settings(vocabulary=5453)
COCO = replace(CUB, generator_width=48, critic_width=96, residuals=3)
TOY = mirrorgan.Settings(**TINY)


@pytest.mark.parametrize(
    ("settings", "generator", "critics"),
    [
        (CUB, 7_105_392, [6_313_730, 19_424_002, 71_858_946]),
        (COCO, 13_853_408, [13_304_450, 42_800_258, 160_774_274]),
    ],
)
def test_papers_sizes_have_the_official_number_of_parameters(
    settings: mirrorgan.Settings, generator: int, critics: list[int]
) -> None:
    with torch.device("meta"):
        assert parameters(mirrorgan.Generator(settings)) == generator
        assert [parameters(critic) for critic in mirrorgan.critics(settings)] == critics


def test_a_caption_draws_alike_alone_in_company_and_padded() -> None:
    check_captions_draw_alike(evaluated(mirrorgan, TOY))


def test_the_sentence_is_shared_out_among_the_channels_of_a_place() -> None:
    attention = mirrorgan.SentenceAttention(4, 5)
    hidden, condition = torch.randn(2, 4, 3, 7), torch.randn(2, 5)
    shares = attention(hidden, condition) / attention.project(condition)[:, :, None, None]
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(2, 3, 7))
    assert bool((shares > 0).all())


def test_later_stages_look_at_the_sentence_and_at_each_word() -> None:
    stage = mirrorgan.RefiningStage(TOY)
    given = [torch.randn(2, 4, 8, 8), torch.randn(2, 5), torch.randn(2, 16, 3)]
    for each in given:
        each.requires_grad_()
    drawn, _ = stage(*given, torch.ones(2, 1, 3, dtype=torch.bool))
    drawn.square().sum().backward()
    for each in given:
        assert each.grad is not None
        assert bool(each.grad.flatten(2 if each.ndim > 2 else 1).abs().sum(-1).all())


def test_a_captioner_goes_with_the_generator_where_there_is_one() -> None:
    sizes = stream.Settings(vocabulary=20, image="small", image_px=16, image_width=2)
    assert set(evaluated(mirrorgan, TOY)) == {"text", "generator"}
    assert set(evaluated(mirrorgan, replace(TOY, stream=sizes))) == {
        "text",
        "generator",
        "image",
        "caption",
    }
