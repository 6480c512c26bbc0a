"""GAN-CLS in training: what plays the wrong pair, what the critic and the style encoder learn."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from lessons import Lesson
from torch import Tensor

from t2i.train.data.batch import Batch
from t2i.train.rates import halving
from t2i.train.recipes import charcnnrnn, gancls

SHIFTS = (1, 5, 9, 17)
"""How far the captions of wrong pairs are taken from."""


def test_the_learning_rate_is_halved_every_hundred_epochs_of_cub() -> None:
    factors = [
        halving(gancls.PRESETS["cub"].halve_steps)(step) for step in (0, 13_799, 13_800, 82_799)
    ]
    assert factors == [1, 1, 1 / 2, 1 / 32]
    assert halving(gancls.PRESETS["birds"].halve_steps)(10**6) == 1


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
    reader = Lesson("charcnnrnn", charcnnrnn.PRESETS["toy"])
    assert isinstance(reader.recipe, charcnnrnn.CharCnnRnn)
    reader.learn(80)
    held = reader.dataset.fixed(64)
    higher, often = by_reader(reader.recipe, held)
    assert higher > 0.5
    assert often > 0.65

    lesson, recipe = drawing(reader)
    higher, often = by_critic(recipe, held)
    assert abs(higher) < 0.05
    lesson.learn(50)
    higher, often = by_critic(recipe, held)
    assert higher > 0.2
    assert often > 0.6


def drawing(reader: Lesson | None = None, **changes: Any) -> tuple[Lesson, gancls.GanCls]:
    """The toy, whose captions are read by an encoder that has learnt nothing, or by this one."""
    reader = reader or Lesson("charcnnrnn", charcnnrnn.PRESETS["toy"])
    settings = replace(gancls.PRESETS["toy"], **changes)
    lesson = Lesson("gancls", settings, {"charcnnrnn": reader.needed()})
    assert isinstance(lesson.recipe, gancls.GanCls)
    return lesson, lesson.recipe


@pytest.mark.slow
def test_the_style_encoder_comes_to_tell_the_noise_of_new_pictures_of_new_captions() -> None:
    lesson, recipe = drawing()
    held = lesson.dataset.fixed(64)
    assert recipe.style

    lesson.learn(150)
    with torch.no_grad():
        sentence, noise = recipe.reader.text(held.tokens), torch.randn(64, 32)
        pictures = recipe.shown(recipe.generator.eval()(noise, sentence), noise)
        told = recipe.style.eval()(pictures)
    likeness = torch.corrcoef(torch.stack([told.flatten(), noise.flatten()]))[0, 1]
    assert likeness > 0.2


def test_the_style_encoder_sees_birds_turned_as_bundles_turn_them() -> None:
    _, recipe = drawing()
    assert recipe.facing
    pictures, noise = torch.randn(2, 3, 32, 32), torch.zeros(2, 32)
    noise[:, recipe.facing.noise] = torch.tensor([-1.0, 1.0])
    shown = recipe.shown(pictures, noise)
    assert torch.equal(shown[0], pictures[0])
    assert torch.equal(shown[1], pictures[1].flip(2))


def test_without_a_style_encoder_the_others_learn_as_beside_it() -> None:
    weights = []
    for width in (16, 0):
        lesson, recipe = drawing(style_width=width)
        assert ("style" in recipe.players) == (width > 0)
        torch.manual_seed(1)
        lesson.learn(2)
        weights.append(recipe.generator.state_dict())
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


def test_every_player_is_reached_by_its_gradients() -> None:
    lesson, recipe = drawing()
    for update in recipe.step(lesson.dataset.batch(0, 16, seed=0)):
        network = recipe.players[update.player].networks
        torch.stack(list(update.terms.values())).sum().backward()
        assert [name for name, each in network.named_parameters() if each.grad is None] == []
