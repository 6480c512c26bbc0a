"""Properties of StackGAN's networks that no golden number shows."""

from dataclasses import replace

import pytest
import torch
from networks import parameters
from torch import Tensor, nn

from t2i.models import stackgan, stackgan1
from t2i.runtime.errors import UsageError

COCO = stackgan.Settings(vocabulary=71)
CUB = replace(COCO, generator_width=128, critic_width=64, refiner_width=128, residuals=4)
TOY = stackgan.Settings(
    vocabulary=71,
    text_size=6,
    condition_size=5,
    noise_size=4,
    generator_width=4,
    critic_width=2,
    first_px=16,
    refiner_width=4,
    residuals=1,
)


@pytest.mark.parametrize(
    ("settings", "counts"),
    [
        (COCO, [20_020_832, 57_151_312, 12_407_425, 159_889_538]),
        (CUB, [10_301_248, 36_591_328, 5_715_713, 71_269_122]),
    ],
)
def test_papers_sizes_have_the_official_number_of_parameters(
    settings: stackgan.Settings, counts: list[int]
) -> None:
    """Counted in the official `STAGE1_G`, `STAGE2_G`, `STAGE1_D` and `STAGE2_D`."""
    with torch.device("meta"):
        generators = [stackgan1.Generator(settings), stackgan.Generator(settings)]
        critics = [stackgan1.critic(settings), stackgan.critic(settings)]
    assert [parameters(each) for each in (*generators, *critics)] == counts


def draws(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Noise, details of both stages, and sentences."""
    sizes = (TOY.noise_size, TOY.detail_size, TOY.text_size)
    noise, detail, sentence = (torch.randn(count, size) for size in sizes)
    return noise, detail, sentence


@pytest.mark.parametrize("px", [8, 16, 32, 64])
@torch.no_grad()
def test_stages_draw_and_judge_any_size_alike_alone_and_in_company(px: int) -> None:
    settings = replace(TOY, first_px=px)
    generator, inputs = stackgan.Generator(settings).eval(), draws(3)
    drawn, alone = generator(*inputs), generator(*(each[1:2] for each in inputs))
    assert [tuple(each.shape) for each in drawn.images] == [(3, 3, px, px), (3, 3, 4 * px, 4 * px)]
    for image, single in zip(drawn.images, alone.images, strict=True):
        assert image.abs().max() <= 1
        torch.testing.assert_close(single, image[1:2])
    first = stackgan1.critic(settings).eval()
    second = stackgan.critic(settings).eval()
    for critic, image in zip((first, second), drawn.images, strict=True):
        features = critic.features(image)
        assert features.shape == (3, 8 * settings.critic_width, 4, 4)
        assert critic.conditional(features, drawn.mean).shape == (3,)
    assert not first.has_unconditional
    assert second.unconditional(second.features(drawn.images[1])).shape == (3,)


def test_stage_two_shows_the_picture_that_stage_one_draws_alone() -> None:
    generator, (noise, detail, sentence) = stackgan.Generator(TOY).eval(), draws(2)
    own = generator.first(noise, detail[:, : TOY.condition_size], sentence).images[0]
    drawn = generator(noise, detail, sentence)
    assert torch.equal(drawn.images[0], own)
    drawn.images[1].sum().backward()
    assert all(each.grad is None for each in generator.first.parameters())
    others = [key for key in dict(generator.named_parameters()) if not key.startswith("first.")]
    assert all(generator.get_parameter(key).grad is not None for key in others)


@pytest.mark.parametrize("px", [0, 4, 48])
def test_sizes_that_cannot_be_drawn_are_refused(px: int) -> None:
    with pytest.raises(UsageError, match=f"{px} px") as caught:
        stackgan1.Generator(replace(TOY, first_px=px))
    assert caught.value.hint


def test_widths_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(UsageError, match="12 channels cannot be halved 4 times") as caught:
        stackgan.Generator(replace(TOY, refiner_width=3))
    assert caught.value.hint


@pytest.mark.parametrize("deviation", [0.02, 0.1])
def test_first_weights_have_the_asked_deviation_and_gains_the_official_one(
    deviation: float,
) -> None:
    generator = stackgan.Generator(replace(TOY, generator_width=16, refiner_width=16))
    stackgan1.initialise(generator, deviation)
    modules = list(generator.modules())
    layers = [each for each in modules if isinstance(each, nn.Conv2d | nn.Linear)]
    norms = [each for each in modules if isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d)]
    weights = torch.cat([each.weight.detach().flatten() for each in layers])
    gains = torch.cat([each.weight.detach() for each in norms])
    assert float(weights.std()) == pytest.approx(deviation, rel=0.02)
    assert float(gains.mean()) == pytest.approx(1, abs=0.002)
    assert float(gains.std()) == pytest.approx(0.02, rel=0.1)
    assert not any(bool(each.bias.any()) for each in (*layers, *norms) if each.bias is not None)


@torch.no_grad()
def test_no_mean_is_negative_and_no_variance_below_one() -> None:
    augmentation = stackgan1.ConditioningAugmentation(6, 5)
    condition, mean, log_variance = augmentation(torch.randn(9, 6), torch.ones(9, 5))
    assert mean.min() >= 0
    assert log_variance.min() >= 0
    torch.testing.assert_close(condition - mean, torch.exp(log_variance / 2))
