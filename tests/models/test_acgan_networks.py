"""AC-GAN's layers are those of the paper's appendix, and a class decides the picture."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from t2i.models import acgan
from t2i.runtime.errors import UsageError

IMAGENET = acgan.Settings(vocabulary=10 + 2)
CIFAR = replace(IMAGENET, generator_widths=(384, 192, 96))
TOY = acgan.Settings(
    vocabulary=3 + 2,
    noise_size=6,
    generator_widths=(8, 4),
    critic_widths=(4, 6, 8),
)


def count(network: nn.Module) -> int:
    return sum(each.numel() for each in network.parameters())


def drawn_by_hand(widths: tuple[int, ...]) -> int:
    """Parameters of the paper's table: a linear layer, transposed convolutions of 5 x 5, norms."""
    linear = (110 + 1) * widths[0] * 16
    convolutions = sum(25 * a * b for a, b in pairwise((*widths, 3)))
    return linear + convolutions + 2 * sum(widths[1:]) + 3


def judged_by_hand(side: int) -> int:
    """Convolutions of 3 x 3 from 16 to 512 channels, norms on all but the first, two heads."""
    widths = (16, 32, 64, 128, 256, 512)
    convolutions = sum(9 * a * b for a, b in pairwise((3, *widths)))
    return convolutions + widths[0] + 2 * sum(widths[1:]) + (512 * side**2 + 1) * (1 + 10)


@pytest.mark.parametrize(("settings", "px"), [(IMAGENET, 128), (CIFAR, 32)])
def test_papers_sizes_have_the_parameters_of_its_table(settings: acgan.Settings, px: int) -> None:
    assert settings.image_px == px
    with torch.device("meta"):
        generator, critic = acgan.Generator(settings), acgan.Critic(settings)
    assert count(generator) == drawn_by_hand(settings.generator_widths)
    assert count(critic) == judged_by_hand(px // 8)


def test_the_papers_layers_stand_in_the_papers_order() -> None:
    with torch.device("meta"):
        generator, critic = acgan.Generator(IMAGENET), acgan.Critic(IMAGENET)
        image = generator(torch.empty(2, 100), torch.empty(2, 10))
        verdict = critic(image)
    assert image.shape == (2, 3, 128, 128)
    assert (verdict.real.shape, verdict.classes.shape) == ((2,), (2, 10))
    kinds = [type(each).__name__ for each in generator.modules() if not list(each.children())]
    grow = ["ConvTranspose2d", "BatchNorm2d", "ReLU"]
    assert kinds == ["Linear", "ReLU", *grow * 4, "ConvTranspose2d", "Tanh"]
    layers = [[type(each).__name__ for each in layer] for layer in critic.layers]
    shaping = ["LeakyReLU", "Dropout"]
    assert layers == [["Conv2d", *shaping], *[["Conv2d", "BatchNorm2d", *shaping]] * 5]
    convolutions = [layer[0] for layer in critic.layers]
    assert [each.stride for each in convolutions] == [(2, 2), (1, 1)] * 3
    assert [each.out_channels for each in convolutions] == [16, 32, 64, 128, 256, 512]


def test_every_weight_of_the_critic_has_a_name_in_the_port() -> None:
    with torch.device("meta"):
        weights = acgan.Critic(IMAGENET).state_dict()
    ours = acgan.RENAMES["critic"].values()
    assert not [name for name in weights if not any(name.startswith(f"{each}.") for each in ours)]


@pytest.mark.parametrize("widths", [(8,), (8, 6), (8, 6, 4), (8, 6, 4, 2)])
@pytest.mark.parametrize("judging", [(4,), (4, 6), (4, 6, 8, 10, 12)])
def test_every_size_is_drawn_and_judged(widths: tuple[int, ...], judging: tuple[int, ...]) -> None:
    settings = replace(TOY, generator_widths=widths, critic_widths=judging)
    generator, critic = acgan.Generator(settings), acgan.Critic(settings)
    image = generator(torch.randn(2, 6), torch.eye(3)[:2])
    px = 4 * 2 ** len(widths)
    assert image.shape == (2, 3, px, px)
    assert float(image.detach().abs().max()) <= 1
    assert critic(image).classes.shape == (2, 3)


@pytest.mark.parametrize("name", ["generator_widths", "critic_widths"])
def test_a_network_without_layers_is_wrong_usage(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} names no layer") as caught:
        replace(TOY, **{name: ()})
    assert f"--set {name}=" in caught.value.hint


def test_a_token_stands_for_a_class_and_padding_and_the_unknown_for_none() -> None:
    read = acgan.ClassReader(3)(torch.tensor([[2], [0], [4], [1]]))
    assert read.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert not acgan.ClassReader(3).state_dict()


def test_a_class_draws_alike_alone_and_in_company_and_another_class_otherwise() -> None:
    generator = acgan.Generator(TOY).eval()
    noise, wanted = torch.randn(1, 6).expand(3, 6), torch.eye(3)
    with torch.no_grad():
        together = generator(noise, wanted)
        for place in range(3):
            alone = generator(noise[:1], wanted[place : place + 1])
            torch.testing.assert_close(alone[0], together[place])
    assert (together[0] - together[1]).abs().max() > 1e-4


def test_weights_begin_as_the_paper_says() -> None:
    settings = replace(TOY, generator_widths=(64, 32, 16), critic_widths=(32, 64, 128))
    network = nn.ModuleList([acgan.Generator(settings), acgan.Critic(settings)])
    acgan.initialise(network)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            assert float(module.weight.detach().std()) == pytest.approx(0.02, rel=0.2)
            assert module.bias is None or not module.bias.any()
