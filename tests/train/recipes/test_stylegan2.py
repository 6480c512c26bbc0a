"""StyleGAN2 in training: when it regularises, what goes with a checkpoint, and what is learnt."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from lessons import Lesson

from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.data.dataset import Dataset
from t2i.train.players import Players
from t2i.train.recipes import stylegan2

CPU = torch.device("cpu")
TOY = stylegan2.PRESETS["toy"]
SMALL = replace(TOY, widths=(6, 4, 4, 4), style_size=6, mapping_layers=2)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return data.open(TOY.data)


def updates(settings: stylegan2.Settings, dataset: Dataset, step: int) -> list[tuple[str, ...]]:
    recipe = stylegan2.build(settings, dataset.source(), {}, CPU)
    return [(each.player, *each.terms) for each in recipe.step(dataset.batch(step, 4, seed=0))]


def test_slopes_and_paths_have_updates_of_their_own_now_and_then(dataset: Dataset) -> None:
    critic, fool = ("critic", "real", "fake"), ("generator", "fool")
    slope, path = ("critic", "slope"), ("generator", "path")
    assert updates(SMALL, dataset, 0) == [critic, slope, fool, path]
    assert updates(SMALL, dataset, 3) == [critic, fool]
    assert updates(SMALL, dataset, 4) == [critic, fool, path]
    assert updates(replace(SMALL, penalty=0, path=0), dataset, 0) == [critic, fool]


def test_rates_and_memories_are_shortened_for_the_updates_between() -> None:
    recipe = stylegan2.StyleGan2(replace(SMALL, learning_rate=0.002), CPU)
    for name, share in (("critic", 16 / 17), ("generator", 4 / 5)):
        (group,) = recipe.players[name].optimiser.param_groups
        assert group["lr"] == pytest.approx(0.002 * share)
        assert group["betas"] == pytest.approx((0.0, 0.99**share))


def test_every_player_is_reached_by_its_gradients(dataset: Dataset) -> None:
    recipe = stylegan2.build(SMALL, dataset.source(), {}, CPU)
    for update in recipe.step(dataset.batch(1, 4, seed=0)):
        network = recipe.players[update.player].networks
        torch.stack(list(update.terms.values())).sum().backward()
        assert [name for name, each in network.named_parameters() if each.grad is None] == []


def test_the_running_length_goes_with_a_checkpoint_and_not_with_the_weights(
    dataset: Dataset,
) -> None:
    recipe = stylegan2.build(SMALL, dataset.source(), {}, CPU)
    players = Players(recipe.players, "fp32", CPU)
    for update in recipe.step(dataset.batch(0, 4, seed=0)):
        players.learn(update, share=1.0)
        players.move(update.player, 0)
    again = Players(stylegan2.build(SMALL, dataset.source(), {}, CPU).players, "fp32", CPU)
    again.load(players.tensors(), players.scales())
    moved = again.players["generator"].networks
    assert isinstance(moved, torch.nn.ModuleDict)
    assert torch.equal(moved["path"].mean, recipe.path.mean)
    assert recipe.path.mean > 0
    assert set(recipe.exported(players.averaged)) == {"generator"}


@pytest.mark.parametrize(("mixing", "kinds"), [(0.0, {1}), (1.0, {2})])
def test_styles_mix_as_often_as_is_asked(mixing: float, kinds: Any) -> None:
    recipe = stylegan2.StyleGan2(replace(SMALL, mixing=mixing), CPU)
    seen = set()
    for _ in range(20):
        latents, _ = recipe.draws(1)
        seen.add(len(latents[0].unique(dim=0)))
    assert seen == kinds


def test_a_size_without_a_width_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="draw 32 px, and the pictures have 64 px") as caught:
        stylegan2.StyleGan2(replace(TOY, data=replace(TOY.data, px=(64,))), CPU)
    assert "px=32" in caught.value.hint


@torch.no_grad()
def gap(lesson: Lesson) -> float:
    """Squared distance of the mean of what is drawn from the mean of unseen birds."""
    recipe, held = lesson.recipe, lesson.dataset.fixed(64)
    assert isinstance(recipe, stylegan2.StyleGan2)
    torch.manual_seed(1)
    drawn = recipe.sample(held, lesson.players.averaged)
    return float((drawn.mean(dim=0) - held.images[-1].mean(dim=0)).square().mean())


@pytest.mark.slow
def test_pictures_come_nearer_to_birds_never_trained_on() -> None:
    lesson = Lesson("stylegan2", TOY)
    far = gap(lesson)
    lesson.learn(60)
    assert gap(lesson) < far / 2
