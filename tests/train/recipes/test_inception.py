"""Inception's training: what is learnt, by whom, and what is refused."""

from dataclasses import replace

import pytest
import torch
from lessons import Lesson

from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.recipes import inception

TOY = inception.PRESETS["toy"]


def test_gradients_reach_every_parameter() -> None:
    lesson = Lesson("inception", TOY)
    (update,) = lesson.recipe.step(lesson.dataset.batch(0, 8, seed=0))
    torch.stack(list(update.terms.values())).sum().backward()
    (player,) = lesson.recipe.players.values()
    for name, each in player.networks.named_parameters():
        assert each.grad is not None, name
        assert each.grad.abs().sum() > 0, name


def test_the_rate_falls_by_its_factor_every_two_epochs() -> None:
    lesson = Lesson("inception", TOY)
    schedule = lesson.recipe.players["inception"].schedule
    assert schedule is not None
    epoch = lesson.dataset.source().pictures // TOY.loop.batch_size
    assert schedule(2 * epoch - 1) == 1
    assert schedule(2 * epoch) == pytest.approx(TOY.decay)
    assert schedule(6 * epoch) == pytest.approx(TOY.decay**3)


@pytest.mark.slow
def test_birds_never_trained_on_are_told_more_often_than_by_chance() -> None:
    lesson = Lesson("inception", TOY)
    lesson.learn(150)
    unseen = data.open(replace(TOY.data, seed=7)).batch(0, 128, seed=0)
    network = lesson.recipe.exported({})["image"].eval()
    with torch.no_grad():
        told = network(unseen.images[-1]).logits.argmax(dim=1)
    right = (told == unseen.labels).float().mean()
    commonest = torch.bincount(unseen.labels).max() / len(unseen.labels)
    assert right > 1.4 * commonest, f"{right:.2f} are right, {commonest:.2f} would be by guessing"


def test_captions_are_refused() -> None:
    spoken = replace(TOY, data=data.Settings(kind="birds", px=(32,), words=16, count=64))
    source = data.open(spoken.data, ready=False).source()
    with pytest.raises(UsageError, match="classes, not captions") as caught:
        inception.build(spoken, source, {}, torch.device("cpu"))
    assert "condition=class" in caught.value.hint
