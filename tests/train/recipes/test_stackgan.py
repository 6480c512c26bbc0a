"""StackGAN in training: what moves, what stays, and what the critics learn of captions."""

from dataclasses import replace

import pytest
import torch
from lessons import CPU, Lesson
from torch import Tensor

from t2i.models import stackgan as models
from t2i.runtime.errors import UsageError
from t2i.train.data.batch import Batch
from t2i.train.prerequisites import Needed
from t2i.train.rates import halving
from t2i.train.recipes import charcnnrnn, stackgan, stackgan1
from t2i.train.systems import preset_of

SHIFTS = (1, 5, 9, 17)
"""How far the captions of wrong pairs are taken from."""


def reader(steps: int) -> dict[str, Needed]:
    """A char-CNN-RNN after so many steps."""
    lesson = Lesson("charcnnrnn", charcnnrnn.PRESETS["toy"])
    lesson.learn(steps)
    return {"charcnnrnn": lesson.needed()}


def stage(system: str, needs: dict[str, Needed]) -> tuple[Lesson, stackgan1.Stage]:
    lesson = Lesson(system, preset_of(system, "toy"), needs)
    assert isinstance(lesson.recipe, stackgan1.Stage)
    return lesson, lesson.recipe


@pytest.mark.parametrize(
    ("settings", "epoch", "halved"),
    [
        (stackgan1.PRESETS["cub"], 138, 50),
        (stackgan.PRESETS["cub"], 138, 100),
        (stackgan1.PRESETS["coco"], 646, 20),
        (stackgan.PRESETS["coco"], 2069, 20),
    ],
)
def test_the_learning_rate_is_halved_as_the_official_code_does(
    settings: stackgan1.StageSettings, epoch: int, halved: int
) -> None:
    factor = halving(settings.halve_steps)
    steps = (0, halved * epoch - 1, halved * epoch, 3 * halved * epoch)
    assert [factor(step) for step in steps] == [1, 1, 1 / 2, 1 / 8]
    assert halving(None)(10**6) == 1


@torch.no_grad()
def gap(recipe: stackgan1.Stage, held: Batch) -> tuple[float, float]:
    """How much higher right pairs score with the critic in the mean, and how often."""
    sentence, critic = recipe.text(held.tokens), recipe.critic.eval()
    generator = recipe.generator
    assert hasattr(generator, "condition")
    size = recipe.network.condition_size
    _, condition, _ = generator.condition(sentence, torch.zeros(len(sentence), size))
    features = critic.features(held.images[-1])
    right, *wrong = (
        critic.conditional(features, condition.roll(shift, dims=0)) for shift in (0, *SHIFTS)
    )
    critic.train()
    others = torch.stack(wrong)
    return float(right.mean() - others.mean()), float((right > others).float().mean())


def frozen(recipe: stackgan1.Stage) -> dict[str, Tensor]:
    """Stage I inside stage II, its statistics included, and the text encoder."""
    generator = recipe.generator
    assert isinstance(generator, models.Generator)
    parts = {**generator.first.state_dict(), **recipe.text.state_dict()}
    return {name: value.clone() for name, value in parts.items()}


@pytest.mark.slow
def test_critics_of_both_stages_come_to_prefer_right_captions_of_birds_never_trained_on() -> None:
    lesson, first = stage("stackgan1", reader(80))
    lesson.learn(100)
    higher, often = gap(first, lesson.dataset.fixed(64))
    assert higher > 0.2
    assert often > 0.6

    lesson, second = stage("stackgan", {"stackgan1": lesson.needed()})
    before = frozen(second)
    assert before["grow.0.2.running_mean"].any()
    lesson.learn(140)
    higher, often = gap(second, lesson.dataset.fixed(64))
    assert higher > 0.2
    assert often > 0.6
    for name, value in frozen(second).items():
        assert torch.equal(value, before[name]), name


def test_gradients_reach_all_that_learns() -> None:
    small, first = stage("stackgan1", reader(0))
    large, second = stage("stackgan", {"stackgan1": small.needed()})
    for recipe, lesson in ((first, small), (second, large)):
        for update in recipe.step(lesson.dataset.batch(0, 16, seed=0)):
            networks = recipe.players[update.player].networks
            learning = [each for each in networks.parameters() if each.requires_grad]
            slopes = torch.autograd.grad(sum(update.terms.values()), learning, retain_graph=True)
            assert all(bool(slope.any()) for slope in slopes)


def test_a_stage_one_of_another_size_is_refused() -> None:
    first, _ = stage("stackgan1", reader(0))
    toy = stackgan.PRESETS["toy"]
    settings = replace(toy, data=replace(toy.data, px=(64,)))
    with pytest.raises(UsageError, match="stage I draws 8 px, so stage II draws 32 px") as caught:
        stackgan.build(settings, first.dataset.source(), {"stackgan1": first.needed()}, CPU)
    assert caught.value.hint
