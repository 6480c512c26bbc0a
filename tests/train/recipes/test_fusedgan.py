"""FusedGAN in training: who learns when, and structure that stays as captions change."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from lessons import Lesson
from torch import Tensor, nn

from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.rates import halving
from t2i.train.recipes import fusedgan

TOY = fusedgan.PRESETS["toy"]
SHIFTS = (1, 3, 5, 7, 9, 17, 21, 33)
"""How far the captions of wrong pairs are taken from."""


def prepared(settings: fusedgan.Settings, reading: int) -> tuple[Lesson, fusedgan.FusedGan]:
    """A recipe beside a text encoder that learnt so many steps."""
    reader = Lesson("charcnnrnn", fusedgan.needed_settings(settings, "charcnnrnn"))
    reader.learn(reading)
    lesson = Lesson("fusedgan", settings, {"charcnnrnn": reader.needed()})
    assert isinstance(lesson.recipe, fusedgan.FusedGan)
    return lesson, lesson.recipe


def parts(network: nn.Module, before: Mapping[str, Tensor]) -> set[str]:
    """The parts of a network of which something has moved."""
    return {
        name.partition(".")[0]
        for name, each in network.named_parameters()
        if not torch.equal(each, before[name])
    }


def test_both_halves_learn_in_turns_and_share_the_structure() -> None:
    lesson, recipe = prepared(TOY, reading=0)
    turns = []
    lesson.players.begin(0)
    for update in recipe.step(lesson.dataset.batch(0, 16, seed=0)):
        before = {name: each.clone() for name, each in recipe.generator.named_parameters()}
        lesson.players.learn(update, share=1.0)
        lesson.players.move(update.player, 0)
        turns.append((update.player, parts(recipe.generator, before)))
    shared = {"expand", "shape"}
    assert turns == [
        ("picture_critic", set()),
        ("generator", {*shared, "unconditional"}),
        ("caption_critic", set()),
        ("generator", {*shared, "condition", "style", "conditional"}),
    ]


def test_gradients_reach_all_that_learns() -> None:
    lesson, recipe = prepared(TOY, reading=0)
    reached: dict[str, set[str]] = {name: set() for name in recipe.players}
    for update in recipe.step(lesson.dataset.batch(0, 16, seed=0)):
        network = recipe.players[update.player].networks
        network.zero_grad()
        sum(update.terms.values(), torch.zeros(())).backward(retain_graph=True)
        reached[update.player] |= {
            name
            for name, each in network.named_parameters()
            if each.grad is not None and bool(each.grad.any())
        }
    for name, player in recipe.players.items():
        assert reached[name] == set(dict(player.networks.named_parameters()))


@pytest.mark.parametrize("wrong", [0.0, 0.5])
def test_the_critic_of_captions_is_shown_wrong_pairs_only_if_asked(wrong: float) -> None:
    lesson, recipe = prepared(replace(TOY, wrong=wrong), reading=0)
    updates = list(recipe.step(lesson.dataset.batch(0, 16, seed=0)))
    assert ("wrong" in updates[2].terms) == bool(wrong)


def test_the_learning_rate_is_halved_every_hundred_epochs_of_cub() -> None:
    steps = (0, 13_799, 13_800, 82_799)
    factor = halving(fusedgan.PRESETS["cub"].halve_steps)
    assert [factor(step) for step in steps] == [1, 1, 1 / 2, 1 / 32]


def test_data_without_pictures_by_themselves_are_refused() -> None:
    with pytest.raises(UsageError, match="pictures by themselves") as caught:
        prepared(replace(TOY, data=replace(TOY.data, unpaired=False)), reading=0)
    assert caught.value.hint


def test_the_text_encoder_learns_from_no_more_captions_than_the_generator() -> None:
    settings = replace(TOY, data=replace(TOY.data, captions_fraction=0.1))
    wanted = fusedgan.needed_settings(settings, "charcnnrnn").data
    tenth, own = data.open(wanted), data.open(settings.data)
    assert list(tenth.captioned) == list(own.captioned)
    assert len(own.captioned) == 19


# What learning brings


def silhouettes(pictures: Tensor) -> Tensor:
    """What stands out from the edge of its row: (B, 3, H, W) -> (B, H, W) bool."""
    edges = torch.cat([pictures[..., :3], pictures[..., -3:]], dim=3)
    gaps = (pictures - edges.median(dim=3, keepdim=True).values).norm(dim=1)
    return gaps > 0.5 * gaps.amax(dim=(1, 2), keepdim=True)


def overlap(one: Tensor, other: Tensor) -> float:
    """Mean intersection over union of silhouettes (..., H, W)."""
    both, either = ((each.flatten(-2).sum(-1)) for each in (one & other, one | other))
    return float((both / either.clamp(min=1)).mean())


@torch.no_grad()
def grid(recipe: fusedgan.FusedGan, held: Batch) -> Tensor:
    """Pictures of each noise (first axis) with each caption (second axis)."""
    sentence = recipe.reader.text(held.tokens)
    count = len(sentence)
    noise = torch.randn(count, recipe.network.noise_size).repeat_interleave(count, dim=0)
    detail = torch.zeros(count * count, recipe.network.detail_size)
    generator = recipe.generator.eval()
    pictures: Tensor = generator(noise, detail, sentence.repeat(count, 1)).images[-1]
    generator.train()
    return pictures.unflatten(0, (count, count))


@torch.no_grad()
def often(recipe: fusedgan.FusedGan, held: Batch) -> float:
    """How often the critic of captions scores a right pair above a wrong one."""
    sentence, critic = recipe.reader.text(held.tokens), recipe.caption_critic.eval()
    seen = critic.features(held.images[-1])
    right, *wrong = (critic.judge(seen, sentence.roll(shift, dims=0)) for shift in (0, *SHIFTS))
    critic.train()
    return float((right > torch.stack(wrong)).float().mean())


@pytest.mark.slow
def test_captions_come_to_matter_and_structure_carries_over_between_them() -> None:
    lesson, recipe = prepared(TOY, reading=80)
    few, many = lesson.dataset.fixed(16), lesson.dataset.fixed(96)
    first = grid(recipe, few).std(dim=1).mean()
    lesson.learn(120)
    assert often(recipe, many) > 0.6
    pictures = grid(recipe, few)
    assert pictures.std(dim=1).mean() > 5 * first
    shapes = silhouettes(pictures.flatten(0, 1)).unflatten(0, (16, 16))
    same_noise, same_caption = (
        sum(overlap(shapes, shapes.roll(shift, dims=axis)) for shift in (1, 5)) / 2
        for axis in (1, 0)
    )
    assert same_noise > same_caption + 0.1


@pytest.mark.slow
def test_one_caption_in_ten_is_enough_to_learn_from() -> None:
    pictures = replace(TOY.data, count=960, captions_fraction=0.1)
    lesson, recipe = prepared(replace(TOY, data=pictures), reading=120)
    few, many = lesson.dataset.fixed(16), lesson.dataset.fixed(96)
    real = many.images[-1].mean(dim=0)
    first = (grid(recipe, few).mean(dim=(0, 1)) - real).abs().mean()
    lesson.learn(120)
    assert often(recipe, many) > 0.6
    assert (grid(recipe, few).mean(dim=(0, 1)) - real).abs().mean() < 0.85 * first
