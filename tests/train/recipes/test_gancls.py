"""GAN-CLS in training: what plays the wrong pair, what the critic and the style encoder learn."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.data.dataset import Dataset
from t2i.train.players import Players
from t2i.train.prerequisites import Needed, Plan
from t2i.train.rates import halving
from t2i.train.recipe import Recipe
from t2i.train.recipes import charcnnrnn, gancls
from t2i.train.training import build, first_weights, record

CPU = torch.device("cpu")
SHIFTS = (1, 5, 9, 17)
"""How far the captions of wrong pairs are taken from."""


def test_the_learning_rate_is_halved_every_hundred_epochs_of_cub() -> None:
    factors = [
        halving(gancls.PRESETS["cub"].halve_steps)(step) for step in (0, 13_799, 13_800, 82_799)
    ]
    assert factors == [1, 1, 1 / 2, 1 / 32]
    assert halving(gancls.PRESETS["birds"].halve_steps)(10**6) == 1


def learn(recipe: Recipe, dataset: Dataset, steps: int) -> None:
    players = Players(recipe.players, "fp32", CPU)
    for step in range(steps):
        players.begin(step)
        for update in recipe.step(dataset.batch(step, 16, seed=0)):
            players.learn(update, share=1.0)
            players.move(update.player, step)


def gap(right: Tensor, wrong: list[Tensor]) -> tuple[float, float]:
    """How much higher right pairs score in the mean, and how often."""
    others = torch.stack(wrong)
    return float(right.mean() - others.mean()), float((right > others).float().mean())


@torch.no_grad()
def by_reader(recipe: charcnnrnn.CharCnnRnn, held: Batch) -> tuple[float, float]:
    sentence, code = recipe.text.eval()(held.tokens), recipe.image.eval()(held.images[-1])
    scores = [(code * sentence.roll(shift, dims=0)).sum(dim=1) for shift in (0, *SHIFTS)]
    return gap(scores[0], scores[1:])


@torch.no_grad()
def by_critic(recipe: gancls.GanCls, held: Batch) -> tuple[float, float]:
    sentence, critic = recipe.reader.text(held.tokens), recipe.critic.eval()
    seen = critic.features(held.images[-1])
    scores = [critic.judge(seen, sentence.roll(shift, dims=0)) for shift in (0, *SHIFTS)]
    critic.train()
    return gap(scores[0], scores[1:])


@pytest.mark.slow
def test_right_captions_come_to_score_above_wrong_ones_for_birds_never_trained_on() -> None:
    settings = charcnnrnn.PRESETS["toy"]
    plan = Plan("charcnnrnn", "toy", settings, {})
    dataset = data.open(settings.data)
    reading = build(plan, dataset, {}, CPU)
    assert isinstance(reading, charcnnrnn.CharCnnRnn)
    learn(reading, dataset, steps=80)
    held = dataset.fixed(64)
    higher, often = by_reader(reading, held)
    assert higher > 0.5
    assert often > 0.65

    reader = Needed(first_weights(reading), record(plan, reading, dataset, {}), "", "")
    plan = Plan("gancls", "toy", gancls.PRESETS["toy"], {})
    drawing = build(plan, dataset, {"charcnnrnn": reader}, CPU)
    assert isinstance(drawing, gancls.GanCls)
    higher, often = by_critic(drawing, held)
    assert abs(higher) < 0.05
    learn(drawing, dataset, steps=50)
    higher, often = by_critic(drawing, held)
    assert higher > 0.2
    assert often > 0.6


def drawing(changes: Mapping[str, Any], dataset: Dataset) -> gancls.GanCls:
    """The toy, whose captions are read by an encoder that has learnt nothing."""
    plan = Plan("charcnnrnn", "toy", charcnnrnn.PRESETS["toy"], {})
    reading = build(plan, dataset, {}, CPU)
    reader = Needed(first_weights(reading), record(plan, reading, dataset, {}), "", "")
    settings = replace(gancls.PRESETS["toy"], **changes)
    built = build(Plan("gancls", "toy", settings, {}), dataset, {"charcnnrnn": reader}, CPU)
    assert isinstance(built, gancls.GanCls)
    return built


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return data.open(gancls.PRESETS["toy"].data)


@pytest.mark.slow
def test_the_style_encoder_comes_to_tell_the_noise_of_new_pictures_of_new_captions(
    dataset: Dataset,
) -> None:
    torch.manual_seed(0)
    recipe, held = drawing({}, dataset), dataset.fixed(64)
    assert recipe.style

    learn(recipe, dataset, steps=150)
    with torch.no_grad():
        sentence, noise = recipe.reader.text(held.tokens), torch.randn(64, 32)
        pictures = recipe.shown(recipe.generator.eval()(noise, sentence), noise)
        told = recipe.style.eval()(pictures)
    likeness = torch.corrcoef(torch.stack([told.flatten(), noise.flatten()]))[0, 1]
    assert likeness > 0.2


def test_the_style_encoder_sees_birds_turned_as_bundles_turn_them(dataset: Dataset) -> None:
    recipe = drawing({}, dataset)
    assert recipe.facing
    pictures, noise = torch.randn(2, 3, 32, 32), torch.zeros(2, 32)
    noise[:, recipe.facing.noise] = torch.tensor([-1.0, 1.0])
    shown = recipe.shown(pictures, noise)
    assert torch.equal(shown[0], pictures[0])
    assert torch.equal(shown[1], pictures[1].flip(2))


def test_without_a_style_encoder_the_others_learn_as_beside_it(dataset: Dataset) -> None:
    weights = []
    for width in (16, 0):
        torch.manual_seed(0)
        recipe = drawing({"style_width": width}, dataset)
        assert ("style" in recipe.players) == (width > 0)
        torch.manual_seed(1)
        learn(recipe, dataset, steps=2)
        weights.append(recipe.generator.state_dict())
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


def test_every_player_is_reached_by_its_gradients(dataset: Dataset) -> None:
    recipe = drawing({}, dataset)
    for update in recipe.step(dataset.batch(0, 16, seed=0)):
        network = recipe.players[update.player].networks
        torch.stack(list(update.terms.values())).sum().backward()
        assert [name for name, each in network.named_parameters() if each.grad is None] == []
