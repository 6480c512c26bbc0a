"""ControlGAN in training: what it adds to AttnGAN's step, and what its critics of words learn."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from lessons import Lesson
from safetensors.torch import save_file
from torch import Tensor

from t2i.models import controlgan as networks
from t2i.models.encoders.vgg import VggTrunk
from t2i.runtime.errors import UsageError
from t2i.train.data.batch import Batch
from t2i.train.prerequisites import Needed
from t2i.train.recipes import controlgan, damsm, judge

SHIFTS = (1, 5, 9, 17)
"""How far wrong captions are taken from."""
TOY = controlgan.PRESETS["toy"]
PX = (8, 16, 32)
FOOLS = {f"{kind}_{px}" for px in PX for kind in ("fool", "picture")}
MATCHING = {
    f"{one}_of_{other}"
    for pair in (("words", "picture"), ("sentence", "picture"))
    for one, other in (pair, pair[::-1])
}


@pytest.fixture(scope="module")
def needs(matcher: dict[str, Needed]) -> dict[str, Needed]:
    """That matcher, and a judge as it begins."""
    return {**matcher, "judge": Lesson("judge", judge.PRESETS["toy"]).needed()}


def lesson_of(needs: dict[str, Needed], **changes: Any) -> tuple[Lesson, controlgan.ControlGAN]:
    lesson = Lesson("controlgan", replace(TOY, **changes), needs)
    assert isinstance(lesson.recipe, controlgan.ControlGAN)
    return lesson, lesson.recipe


def terms(recipe: controlgan.ControlGAN, batch: Batch) -> dict[str, dict[str, Tensor]]:
    return {update.player: update.terms for update in recipe.step(batch)}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"word_critic": "frozen"},
        {"word_critic": None},
        {"features": None},
        {"channel_attention": False},
    ],
    ids=str,
)
def test_gradients_reach_every_parameter_of_every_player(
    needs: dict[str, Needed], changes: dict[str, Any]
) -> None:
    lesson, _ = lesson_of(needs, **changes)
    players = lesson.players.players
    assert list(players) == ["generator", "critic_8", "critic_16", "critic_32"]
    for update in lesson.recipe.step(lesson.dataset.batch(0, 8, seed=0)):
        lesson.players.learn(update, share=1.0)
        optimised = [
            each
            for group in players[update.player].optimiser.param_groups
            for each in group["params"]
        ]
        named = dict(players[update.player].networks.named_parameters())
        assert {id(each) for each in optimised} == {id(each) for each in named.values()}
        for name, each in named.items():
            assert each.grad is not None, name
            assert each.grad.isfinite().all(), name
            assert each.grad.any(), name


@pytest.mark.parametrize(
    ("changes", "critic", "generator"),
    [
        ({}, {"words", "wrong_words"}, {*(f"words_{px}" for px in PX), "perceptual"}),
        ({"word_critic": "frozen"}, {"words", "wrong_words"}, {"perceptual"}),
        ({"word_critic": None}, set[str](), {"perceptual"}),
        ({"features": None, "word_critic": None}, set[str](), set[str]()),
    ],
)
def test_a_step_is_attngans_with_words_and_likeness(
    needs: dict[str, Needed], changes: dict[str, Any], critic: set[str], generator: set[str]
) -> None:
    lesson, recipe = lesson_of(needs, **changes)
    found = terms(recipe, lesson.dataset.batch(0, 4, seed=0))
    for px in PX:
        assert set(found[f"critic_{px}"]) == {"refuse"} | critic
    assert set(found["generator"]) == FOOLS | MATCHING | generator | {"divergence"}


def test_critics_of_words_begin_as_the_official_code_and_count_half(
    needs: dict[str, Needed],
) -> None:
    """Cross-entropy of a sigmoid: 1 beside the words of the caption, 0 beside foreign ones."""
    lesson, recipe = lesson_of(needs, word_critic="frozen")
    batch = lesson.dataset.batch(0, 4, seed=0)
    text = recipe.matcher.text(batch.tokens)
    found = terms(recipe, batch)
    for px, real in zip(PX, batch.images, strict=True):
        regions = recipe.matcher.image(real).regions
        right, wrong = (
            torch.sigmoid(networks.correlation(regions, text.words[order], text.mask[order]))
            for order in ([0, 1, 2, 3], [1, 2, 3, 0])
        )
        told = found[f"critic_{px}"]
        torch.testing.assert_close(told["words"], F.binary_cross_entropy(right, torch.ones(4)) / 2)
        torch.testing.assert_close(
            told["wrong_words"], F.binary_cross_entropy(wrong, torch.zeros(4)) / 2
        )
        assert not told["words"].requires_grad
        assert not told["wrong_words"].requires_grad


def test_the_eye_sees_pictures_of_each_size_as_they_are(
    needs: dict[str, Needed], tmp_path: Path
) -> None:
    """VGG's `relu2_2` of pictures that nothing levelled: three equal shares."""
    trunk = VggTrunk()
    save_file(trunk.state_dict(), tmp_path / "vgg.safetensors")
    file = str(tmp_path / "vgg.safetensors")
    lesson, recipe = lesson_of(needs, features="vgg", vgg=file, likeness=6.0)
    reals = lesson.dataset.batch(0, 2, seed=0).images
    fakes = tuple(torch.randn_like(each).tanh().requires_grad_() for each in reals)

    def relu2_2(pictures: Tensor) -> Tensor:
        hidden = pictures
        for place in (0, 2, None, 5, 7):
            if place is None:
                hidden = F.max_pool2d(hidden, 2)
            else:
                layer = trunk.features[place]
                assert isinstance(layer, torch.nn.Conv2d)
                hidden = F.conv2d(hidden, layer.weight, layer.bias, padding=1).relu()
        return hidden

    gaps = [
        (relu2_2(fake) - relu2_2(real)).square().mean()
        for fake, real in zip(fakes, reals, strict=True)
    ]
    told = recipe.resemble(fakes, reals)
    torch.testing.assert_close(told["perceptual"], 6 * torch.stack(gaps).mean())
    told["perceptual"].backward()
    assert recipe.eye is not None
    assert all(each.grad is None for each in recipe.eye.parameters())
    assert all(each.grad is not None and each.grad.any() for each in fakes)


def test_what_compares_pictures_must_be_there_before_anything_is_trained(tmp_path: Path) -> None:
    birds, cub = controlgan.PRESETS["birds"], controlgan.PRESETS["cub"]
    assert controlgan.needed_settings(birds, "judge") == judge.PRESETS["perceptual"]
    assert controlgan.needed_settings(replace(birds, features=None), "judge") is None
    file = tmp_path / "vgg.safetensors"
    with pytest.raises(UsageError, match="is not there"):
        controlgan.needed_settings(replace(cub, vgg=str(file)), "judge")
    file.touch()
    assert controlgan.needed_settings(replace(cub, vgg=str(file)), "judge") is None
    with pytest.raises(UsageError, match="no file of its weights"):
        controlgan.needed_settings(cub, "judge")
    with pytest.raises(UsageError, match="drawn birds alone"):
        controlgan.needed_settings(replace(cub, features="judge"), "judge")


@pytest.mark.parametrize("name", controlgan.PRESETS)
def test_a_preset_names_a_damsm_of_its_pictures(name: str) -> None:
    settings = controlgan.PRESETS[name]
    wanted = controlgan.needed_settings(settings, "damsm")
    assert isinstance(wanted, damsm.Settings)
    assert wanted.data.kind == settings.data.kind


@torch.no_grad()
def preference(recipe: controlgan.ControlGAN, held: Batch) -> tuple[float, float]:
    """How much likelier the critic of words holds right words than wrong ones, and how often."""
    text, critic = recipe.matcher.text(held.tokens), recipe.word_critics[PX[-1]]
    maps, _ = recipe.matcher.image.trunk(held.images[-1])
    right, *wrong = (
        critic(maps, text.words.roll(shift, dims=0), text.mask.roll(shift, dims=0))
        for shift in (0, *SHIFTS)
    )
    others = torch.stack(wrong)
    return float((right - others).mean()), float((right > others).float().mean())


@pytest.mark.slow
def test_the_critic_of_words_comes_to_prefer_right_ones_for_birds_never_trained_on(
    needs: dict[str, Needed],
) -> None:
    lesson, recipe = lesson_of(needs, features=None)
    held = lesson.dataset.fixed(128)
    before, _ = preference(recipe, held)
    lesson.learn(80)
    higher, often = preference(recipe, held)
    assert higher > 1.3 * before
    assert often > 0.58
