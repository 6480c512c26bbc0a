"""VS similarity in training: right captions come first, and a trunk is trained or brought."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from lessons import Lesson
from torch import nn

from t2i.runtime.errors import TrainingError
from t2i.train.data.batch import Batch
from t2i.train.rates import halving_epochs
from t2i.train.recipes import charcnnrnn, vs

AMONG = 8
CHANCE, MARGIN = 1 / AMONG, 0.1
"""How often the right one of 8 captions is first by chance, and how much oftener it must be."""


def made(steps: int, **changes: Any) -> tuple[Lesson, vs.VisualSemantic]:
    """Beside a char-CNN-RNN after so many steps."""
    reader = Lesson("charcnnrnn", charcnnrnn.PRESETS["toy"])
    reader.learn(steps)
    settings = replace(vs.PRESETS["toy"], **changes)
    lesson = Lesson("vs", settings, {"charcnnrnn": reader.needed()})
    assert isinstance(lesson.recipe, vs.VisualSemantic)
    return lesson, lesson.recipe


@torch.no_grad()
def first(recipe: vs.VisualSemantic, held: Batch) -> float:
    """How often a picture's own caption is nearer than those of seven others."""
    _, pooled = recipe.trunk.eval()(held.images[-1])
    codes = recipe.space.place_image(pooled)
    sentences = recipe.space.place_sentence(recipe.reader.text(held.tokens))
    recipe.trunk.train()
    own, *others = ((codes * sentences.roll(7 * n, dims=0)).sum(dim=1) for n in range(AMONG))
    return float((own > torch.stack(others).amax(dim=0)).float().mean())


@pytest.mark.slow
def test_right_captions_come_first_oftener_than_by_chance_for_birds_never_trained_on() -> None:
    lesson, recipe = made(80)
    held = lesson.dataset.fixed(512)
    untaught = first(recipe, held)  # by luck some of it may be right, and more than by chance
    lesson.learn(240)
    assert first(recipe, held) > max(CHANCE, untaught) + MARGIN


def test_gradients_reach_every_parameter() -> None:
    lesson, recipe = made(0)
    for update in recipe.step(lesson.dataset.batch(0, 16, seed=0)):
        lesson.players.learn(update, share=1.0)
    for name, parameter in recipe.players["vs"].networks.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


class Brought(nn.Module):
    """Stands in for a trunk that is brought, at a size that a test can afford."""

    pooled_size = 5

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        nn.init.constant_(self.norm.running_mean, mean)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps = self.norm(images)
        return maps, maps.mean(dim=(1, 2, 3))[:, None].expand(-1, 5)


@pytest.mark.parametrize("mean", [0.0, 0.5])
def test_a_trunk_that_is_brought_stays_as_it_is_and_one_that_is_not_is_an_error(
    mean: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    trunk = Brought(mean)
    monkeypatch.setattr(vs.vs, "trunk", lambda settings: trunk)
    lesson, recipe = made(0, image="inceptionresnet")
    batch = lesson.dataset.batch(0, 16, seed=0)
    if not mean:
        with pytest.raises(TrainingError, match="trunk inceptionresnet") as caught:
            next(recipe.step(batch))
        assert "--weights" in caught.value.hint
        return
    before = {name: each.clone() for name, each in trunk.state_dict().items()}
    lesson.learn(2)
    assert all(torch.equal(before[name], each) for name, each in trunk.state_dict().items())


def test_the_paper_presets_train_for_the_epochs_whose_weights_were_used() -> None:
    cub = vs.PRESETS["cub"]
    epoch = 8855 // 32
    assert cub.loop.steps == 110 * epoch
    steps = (0, 99 * epoch - 1, 99 * epoch, cub.loop.steps - 1)
    assert [halving_epochs(cub.halve_epochs, epoch)(step) for step in steps] == [1, 1, 1 / 2, 1 / 2]
    assert (cub.margin, cub.learning_rate, cub.space_size) == (0.2, 2e-4, 512)
