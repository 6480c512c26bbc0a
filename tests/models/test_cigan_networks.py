"""CI-GAN's text encoder, and the latent that lies between a caption and noise."""

from dataclasses import replace

import pytest
import torch
from networks import parameters

from t2i.models import cigan, stylegan2

TOY = cigan.Settings(
    style_size=6, mapping_layers=1, widths=(6, 4), vocabulary=9, embedding=5, recurrent_size=4
)


def test_the_papers_sizes_have_the_parameters_that_follow() -> None:
    """Words; four gates of a recurrent layer either way, with two biases each; a linear layer."""
    with torch.device("meta"):
        networks = cigan.networks(cigan.Settings(vocabulary=5452))
    recurrent = 2 * 4 * 256 * (300 + 256 + 2)
    assert parameters(networks["text"]) == 5452 * 300 + recurrent + 512 * 512 + 512
    assert parameters(networks["generator"]) == 30_034_338


@torch.no_grad()
def test_captions_are_read_alike_alone_and_in_company() -> None:
    text = cigan.TextEncoder(TOY).eval()
    tokens = torch.tensor([[1, 2, 0, 0], [3, 4, 5, 6]])
    together = text(tokens)
    assert together.shape == (2, 6)
    torch.testing.assert_close(text(tokens[:1, :2]), together[:1])


def test_words_are_dropped_in_training_alone() -> None:
    text = cigan.TextEncoder(TOY)
    tokens = torch.tensor([[1, 2, 3, 4]])
    assert (text(tokens) != text(tokens)).any()
    assert torch.equal(text.eval()(tokens), text(tokens))
    calm = cigan.TextEncoder(replace(TOY, dropout=0.0))
    assert torch.equal(calm(tokens), calm(tokens))


@pytest.mark.parametrize("pull", [0.0, 0.25, 3.0])
def test_the_latent_between_makes_the_sum_of_both_distances_least(pull: float) -> None:
    """Its slope there is zero, and the sum is a bowl."""
    sentence, start = torch.randn(2, 6), torch.randn(2, 6)
    found = cigan.between(sentence, start, pull).requires_grad_()
    cost = (sentence - found).square().sum() + pull * (start - found).square().sum()
    (slope,) = torch.autograd.grad(cost, [found])
    assert slope.abs().max() < 1e-5


def test_without_a_pull_only_the_caption_counts() -> None:
    sentence = torch.randn(2, 6)
    assert torch.equal(cigan.between(sentence, torch.randn(2, 6), 0.0), sentence)


def test_gradients_reach_every_weight() -> None:
    text = cigan.TextEncoder(TOY)
    text(torch.tensor([[1, 2, 0], [3, 4, 5]])).square().sum().backward()
    for name, weight in text.named_parameters():
        assert weight.grad is not None, name


def test_the_generator_is_stylegan2s() -> None:
    assert isinstance(cigan.networks(TOY)["generator"], stylegan2.Generator)
    assert cigan.RENAMES["generator"] == stylegan2.RENAMES["generator"]
