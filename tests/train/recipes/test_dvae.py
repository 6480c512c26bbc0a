"""The dVAE in training: its schedules, its loss, what it tells, and what it learns."""

import math
from dataclasses import replace

import pytest
import torch
from lessons import Lesson

from t2i.models import dvae as networks
from t2i.train.rates import cosine
from t2i.train.recipes.dvae import PRESETS, Dvae, codebook_use, encourage

TOY = PRESETS["toy"]
PAPER = Dvae(replace(TOY, **{
    name: getattr(PRESETS["paper"], name)
    for name in ("divergence", "divergence_steps", "temperature", "temperature_steps",
                 "learning_rate", "last_learning_rate", "learning_rate_steps")
}), torch.device("cpu"))  # fmt: skip


def test_a_cosine_leads_from_one_value_to_another_and_stays() -> None:
    found = [cosine(step, 8, 3.0, 1.0) for step in (0, 2, 4, 6, 8, 100)]
    quarter = 1 + 2 * math.cos(math.pi / 8) ** 2
    assert found == pytest.approx([3.0, quarter, 2.0, 4 - quarter, 1.0, 1.0])


def test_the_paper_anneals_by_its_numbers() -> None:
    assert [PAPER.weight(step) for step in (0, 2500, 5000, 9000)] == pytest.approx(
        [0.0, 3.3, 6.6, 6.6]
    )
    assert [PAPER.temperature(step) for step in (0, 75_000, 150_000)] == pytest.approx(
        [1.0, 17 / 32, 1 / 16]
    )
    rates = [1e-4 * PAPER.rate(step) for step in (0, 600_000, 1_200_000, 3_000_000)]
    assert rates == pytest.approx([1e-4, 5.0625e-5, 1.25e-6, 1.25e-6])


def test_the_use_of_the_codebook_is_counted() -> None:
    logits = torch.zeros(2, 8, 1, 2)
    for place, code in enumerate((3, 3, 5, 5)):
        logits[place // 2, code, 0, place % 2] = 1.0
    used = codebook_use(logits)
    assert used["codes_used"] == 2
    assert used["perplexity"].item() == pytest.approx(2.0)


def test_the_loss_is_that_of_the_paper_over_all_values() -> None:
    """With a decoder that says nothing: location 0 and scale 1 for all pixels."""
    lesson = Lesson("dvae", replace(TOY, data=replace(TOY.data, count=8)))
    recipe = lesson.recipe
    assert isinstance(recipe, Dvae)
    with torch.no_grad():
        for weight in recipe.networks["decoder"].parameters():
            weight.zero_()
        for weight in recipe.networks["encoder"].last.parameters():
            weight.zero_()
        recipe.networks["encoder"].last[1].bias[0] = 100.0
    batch = replace(lesson.dataset.batch(0, 2, seed=0), step=10**9)
    (update,) = recipe.step(batch)
    x = networks.mapped(batch.images[-1]).double()
    density = torch.exp(-torch.log(x / (1 - x)).abs()) / (2 * x * (1 - x))
    assert update.terms["likelihood"].item() == pytest.approx(
        -density.log().mean().item(), rel=1e-4
    )
    places, values = 4 * 4, 3 * 32 * 32
    wanted = TOY.divergence * places * math.log(64) / values
    assert update.terms["divergence"].item() == pytest.approx(wanted, rel=1e-4)
    assert update.told["codes_used"] == 1


def test_a_hurried_encoder_begins_with_no_token_likelier_than_others() -> None:
    lesson = Lesson("dvae", replace(TOY, data=replace(TOY.data, count=32)))
    recipe = lesson.recipe
    assert isinstance(recipe, Dvae)
    encoder, batch = recipe.networks["encoder"], lesson.dataset.batch(0, 16, seed=0)
    pixels = networks.mapped(batch.images[-1])
    with torch.no_grad():
        before = codebook_use(encoder(pixels))
        next(recipe.step(batch))
        logits = encoder(pixels)
    torch.testing.assert_close(logits.mean(dim=(0, 2, 3)), torch.zeros(64), atol=1e-4, rtol=0)
    assert codebook_use(logits)["perplexity"] > before["perplexity"]
    assert not PRESETS["paper"].hurried


def test_hurried_corrections_begin_without_their_gain() -> None:
    """Rectifiers of layers without biases: what scales the weights scales the correction."""
    hidden = torch.randn(2, 16, 8, 8)
    residual = networks.Residual(16, 16, (3, 3, 3, 1), gain=1 / 64)
    with torch.no_grad():
        before = residual(hidden) - hidden
        encourage(residual)
        after = residual(hidden) - hidden
    torch.testing.assert_close(after, 64 * before, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_pictures_come_back_from_their_tokens_better_than_from_others() -> None:
    """Birds that were never trained on, nearer to what their own tokens draw than to what the
    tokens of the next bird draw."""
    lesson = Lesson("dvae", TOY)
    lesson.learn(120)
    held = lesson.dataset.fixed(32).images[-1]
    recipe = lesson.recipe
    assert isinstance(recipe, Dvae)
    encoder, decoder = recipe.networks["encoder"], recipe.networks["decoder"]
    with torch.no_grad():
        drawn = decoder.draw(encoder(networks.mapped(held)).argmax(dim=1))
    own, other = (drawn - held).square().mean(), (drawn.roll(1, dims=0) - held).square().mean()
    assert own < 0.7 * other
