"""StackGAN in training: what moves, what stays, and what the critics learn of captions."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from learning import learn
from torch import Tensor

from t2i.models import stackgan as models
from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.data.dataset import Dataset
from t2i.train.prerequisites import Needed, Plan
from t2i.train.rates import halving
from t2i.train.recipe import Recipe
from t2i.train.recipes import stackgan, stackgan1
from t2i.train.systems import preset_of
from t2i.train.training import build, first_weights, record

CPU = torch.device("cpu")
SHIFTS = (1, 5, 9, 17)
"""How far the captions of wrong pairs are taken from."""


def prepared(system: str, needs: dict[str, Needed]) -> tuple[Recipe, Dataset, Callable[[], Needed]]:
    """A toy recipe, its data, and what it is to those that need it."""
    settings = preset_of(system, "toy")
    plan, dataset = Plan(system, "toy", settings, {}), data.open(settings.data)
    recipe = build(plan, dataset, needs, CPU)
    return recipe, dataset, lambda: needed(plan, recipe, dataset)


def needed(plan: Plan, recipe: Recipe, dataset: Dataset) -> Needed:
    weights = {name: value.clone() for name, value in first_weights(recipe).items()}
    return Needed(weights, record(plan, recipe, dataset, {}), "", "")


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
    reading, dataset, reader = prepared("charcnnrnn", {})
    learn(reading, dataset, steps=80)
    first, dataset, stage_one = prepared("stackgan1", {"charcnnrnn": reader()})
    assert isinstance(first, stackgan1.Stage)
    learn(first, dataset, steps=100)
    higher, often = gap(first, dataset.fixed(64))
    assert higher > 0.2
    assert often > 0.6

    second, dataset, _ = prepared("stackgan", {"stackgan1": stage_one()})
    assert isinstance(second, stackgan1.Stage)
    before = frozen(second)
    assert before["grow.0.2.running_mean"].any()
    learn(second, dataset, steps=140)
    higher, often = gap(second, dataset.fixed(64))
    assert higher > 0.2
    assert often > 0.6
    for name, value in frozen(second).items():
        assert torch.equal(value, before[name]), name


def test_gradients_reach_all_that_learns() -> None:
    _, _, reader = prepared("charcnnrnn", {})
    first, dataset, stage_one = prepared("stackgan1", {"charcnnrnn": reader()})
    second, large, _ = prepared("stackgan", {"stackgan1": stage_one()})
    for recipe, pictures in ((first, dataset), (second, large)):
        for update in recipe.step(pictures.batch(0, 16, seed=0)):
            networks = recipe.players[update.player].networks
            learning = [each for each in networks.parameters() if each.requires_grad]
            slopes = torch.autograd.grad(sum(update.terms.values()), learning, retain_graph=True)
            assert all(bool(slope.any()) for slope in slopes)


def test_a_stage_one_of_another_size_is_refused() -> None:
    _, _, reader = prepared("charcnnrnn", {})
    _, _, stage_one = prepared("stackgan1", {"charcnnrnn": reader()})
    toy = stackgan.PRESETS["toy"]
    settings = replace(toy, data=replace(toy.data, px=(64,)))
    plan, dataset = Plan("stackgan", "toy", settings, {}), data.open(toy.data)
    with pytest.raises(UsageError, match="stage I draws 8 px, so stage II draws 32 px") as caught:
        build(plan, dataset, {"stackgan1": stage_one()}, CPU)
    assert caught.value.hint
