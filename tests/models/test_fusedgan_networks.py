"""FusedGAN's networks: the sizes that the paper says, and structure that no caption touches."""

from dataclasses import replace

import pytest
import torch
from networks import parameters
from torch import Tensor, nn

from t2i.models import fusedgan
from t2i.runtime.errors import UsageError

PAPER = fusedgan.Settings(vocabulary=71)
TOY = fusedgan.Settings(
    vocabulary=71,
    text_size=6,
    condition_size=5,
    noise_size=4,
    generator_width=32,
    residuals=1,
    critic_width=2,
    image_px=32,
)


def test_papers_sizes_have_as_many_parameters_as_their_layers_say() -> None:
    """Counted layer by layer: 3 x 3 and 4 x 4 convolutions without bias, norms with two vectors."""
    trunk = 128 * 1024 * 16 + 2 * 1024 * 16 + 9 * 1024 * 512 + 2 * 512
    ups = 9 * (512 * 256 + 256 * 128 + 128 * 64) + 2 * (256 + 128 + 64)
    branch = ups + 9 * 64 * 3
    condition = 1024 * 256 + 256
    residual = 2 * (9 * 512 * 512 + 2 * 512)
    style = 9 * (512 + 128) * 512 + 2 * 512 + 2 * residual
    look = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 2 * (128 + 256 + 512)
    verdict = 16 * 512
    join = 1024 * 128 + 128 + 9 * (512 + 128) * 512 + 2 * 512
    with torch.device("meta"):
        assert parameters(fusedgan.Generator(PAPER)) == trunk + 2 * branch + condition + style
        assert parameters(fusedgan.PictureCritic(PAPER)) == look + verdict
        assert parameters(fusedgan.CaptionCritic(PAPER)) == look + join + verdict
        prior = fusedgan.Generator(PAPER).structure(torch.empty(2, 128))
    assert prior.shape == (2, 512, 8, 8)


def draws(count: int) -> tuple[Tensor, Tensor, Tensor]:
    sizes = (TOY.noise_size, TOY.detail_size, TOY.text_size)
    noise, detail, sentence = (torch.randn(count, size) for size in sizes)
    return noise, detail, sentence


@pytest.mark.parametrize("px", [16, 32, 64, 128])
@torch.no_grad()
def test_any_size_is_drawn_and_judged_alike_alone_and_in_company(px: int) -> None:
    settings = replace(TOY, image_px=px)
    generator, inputs = fusedgan.Generator(settings).eval(), draws(3)
    drawn, single = generator(*inputs), generator(*(each[1:2] for each in inputs))
    for image, own in zip(drawn.images, single.images, strict=True):
        assert image.shape == (3, 3, px, px)
        assert image.abs().max() <= 1
        torch.testing.assert_close(own, image[1:2])
    picture, caption = fusedgan.PictureCritic(settings), fusedgan.CaptionCritic(settings)
    alone, beside = picture.eval()(drawn.images[0]), caption.eval()(drawn.images[1], inputs[2])
    assert alone.shape == beside.shape == (3,)
    torch.testing.assert_close(caption(drawn.images[1][1:2], inputs[2][1:2]), beside[1:2])


@torch.no_grad()
def test_captions_and_details_change_the_styled_picture_and_no_bit_of_the_one_alone() -> None:
    generator, (noise, detail, sentence) = fusedgan.Generator(TOY).eval(), draws(2)
    nn.init.normal_(generator.condition.project.weight)
    first = generator(noise, detail, sentence)
    for other in (generator(noise, detail, -sentence), generator(noise, -detail, sentence)):
        assert torch.equal(other.images[0], first.images[0])
        assert not torch.allclose(other.images[1], first.images[1])
    assert torch.equal(generator.alone(noise), first.images[0])
    moved = generator(-noise, detail, sentence)
    assert not any(torch.allclose(a, b) for a, b in zip(moved.images, first.images, strict=True))


@torch.no_grad()
def test_a_condition_may_be_more_certain_than_the_standard_normal() -> None:
    """Unlike in StackGAN, whose rectifier bounds the variance."""
    augmentation = fusedgan.ConditioningAugmentation(6, 50)
    _, mean, log_variance = augmentation(torch.randn(9, 6), torch.zeros(9, 50))
    assert mean.min() < 0
    assert log_variance.min() < 0


@pytest.mark.parametrize("px", [8, 48])
def test_sizes_that_cannot_be_drawn_are_refused(px: int) -> None:
    with pytest.raises(UsageError, match=f"{px} px") as caught:
        fusedgan.Generator(replace(TOY, image_px=px))
    assert "8 times a power of two: 16, 32" in (caught.value.hint or "")
