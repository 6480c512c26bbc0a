"""Properties of GAN-CLS's networks that no golden number shows."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from t2i.models import gancls
from t2i.runtime.errors import UsageError

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
TOY = gancls.Settings(
    vocabulary=71,
    text_size=6,
    condition_size=5,
    noise_size=4,
    generator_width=4,
    critic_width=4,
    style_width=4,
    image_px=16,
)


@pytest.mark.parametrize("px", [8, 16, 32, 64, 128])
@torch.no_grad()
def test_any_size_is_drawn_and_judged_alike_alone_and_in_company(px: int) -> None:
    settings = replace(TOY, image_px=px)
    generator, critic = gancls.Generator(settings).eval(), gancls.Critic(settings).eval()
    noise, sentence = torch.randn(3, 4), torch.randn(3, 6)
    images = generator(noise, sentence)
    assert images.shape == (3, 3, px, px)
    assert images.abs().max() <= 1
    torch.testing.assert_close(generator(noise[1:2], sentence[1:2]), images[1:2])
    logits = critic(images, sentence)
    assert logits.shape == (3,)
    torch.testing.assert_close(critic(images[1:2], sentence[1:2]), logits[1:2])
    style = gancls.StyleEncoder(settings).eval()
    told = style(images)
    assert told.shape == noise.shape
    torch.testing.assert_close(style(images[1:2]), told[1:2])


def test_there_is_a_style_encoder_only_where_it_has_a_width() -> None:
    assert list(gancls.networks(TOY)) == ["text", "generator", "style"]
    assert list(gancls.networks(replace(TOY, style_width=0))) == ["text", "generator"]
    assert gancls.Settings(vocabulary=71).style_width == 0, "official weights have none"


@pytest.mark.parametrize("px", [8, 16, 64])
@torch.no_grad()
def test_the_authors_generator_draws_any_size_alike_alone_and_in_company(px: int) -> None:
    settings = replace(TOY, image_px=px, bottlenecks=1)
    generator = gancls.networks(settings)["generator"].eval()
    assert isinstance(generator, gancls.AuthorsGenerator)
    noise, sentence = torch.randn(3, 4), torch.randn(3, 6)
    images = generator(noise, sentence)
    assert images.shape == (3, 3, px, px)
    torch.testing.assert_close(generator(noise[1:2], sentence[1:2]), images[1:2])


def test_biases_that_the_authors_set_to_zero_before_every_step_do_not_learn() -> None:
    generator = gancls.generator(replace(TOY, bottlenecks=2))
    gancls.initialise(generator)
    generator(torch.randn(3, 4), torch.randn(3, 6)).mean().backward()
    still = {name for name, each in generator.named_parameters() if each.grad is None}
    layers = generator.grow.named_modules(prefix="grow")
    convolutions = [name for name, each in layers if isinstance(each, CONVOLUTIONS)]
    assert still == {f"{name}.bias" for name in convolutions}
    assert not any(bool(generator.get_parameter(name).any()) for name in still)


def test_at_the_authors_sizes_it_has_as_many_parameters_as_their_code_makes() -> None:
    """Of CUB and Oxford-102: `ngf` 128, `nt` 128, `nz` 100; a sentence of 1,024 numbers."""
    with torch.device("meta"):
        made = gancls.generator(gancls.Settings(71, generator_width=128, bottlenecks=1))
    grown = [(228, 1024), (1024, 512), (512, 256), (256, 128), (128, 3)]
    count = 1024 * 128 + 128
    count += sum(4 * 4 * inputs * outputs + outputs for inputs, outputs in grown)
    count += sum(2 * width for _, width in grown[:4])
    for width, inner in ((1024, 256), (512, 128)):
        kernels = width * inner + 9 * inner * inner + 9 * inner * width
        count += kernels + 3 * (inner + inner + width)  # a bias and the two numbers of a norm
    assert sum(each.numel() for each in made.parameters()) == count


@pytest.mark.parametrize("px", [0, 4, 48, 100])
def test_sizes_that_cannot_be_drawn_are_refused(px: int) -> None:
    for network in (gancls.Generator, gancls.Critic, gancls.StyleEncoder):
        with pytest.raises(UsageError, match=f"{px} px") as caught:
            network(replace(TOY, image_px=px))
        assert caught.value.hint


@pytest.mark.parametrize("joined", [True, False])
@torch.no_grad()
def test_only_where_picture_and_sentence_meet_can_the_critic_tell_a_match(joined: bool) -> None:
    """Else the better of two sentences is the better one beside every picture."""
    critic = gancls.Critic(replace(TOY, joined=joined)).eval()
    images, sentences = torch.randn(2, 3, 16, 16), torch.randn(2, 6)
    first, second = (critic(images, each.expand(2, -1)) for each in sentences)
    gain = first - second
    assert torch.allclose(gain[0], gain[1], atol=1e-5) != joined
