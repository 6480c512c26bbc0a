"""SD-GAN in training: two captions a picture, who learns from what, and what is learnt."""

import pytest
import torch
from lessons import Lesson
from torch import Tensor

from t2i.models import attngan as plain
from t2i.models import sdgan as networks
from t2i.train.losses import siamese
from t2i.train.losses.adversarial import foreign
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Update
from t2i.train.recipes import attngan, sdgan
from t2i.train.settings import change

TOY = sdgan.PRESETS["toy"]


def lesson_of(matcher: dict[str, Needed], *changes: str) -> tuple[Lesson, sdgan.SdGan]:
    lesson = Lesson("sdgan", change(TOY, changes), matcher)
    assert isinstance(lesson.recipe, sdgan.SdGan)
    return lesson, lesson.recipe


@pytest.mark.parametrize(
    "changes",
    [
        (),
        ("first_cues=none", "cues=none"),
        ("first_cues=words", "cues=words"),
        ("cues=sentence",),
        ("contrast=0",),
        ("retold=false",),
    ],
)
def test_gradients_reach_every_parameter_of_every_player(
    matcher: dict[str, Needed], changes: tuple[str, ...]
) -> None:
    """Once the cues have something to say: at first they say nothing, whatever leads to them."""
    lesson, _ = lesson_of(matcher, *changes)
    lesson.learn(1, batch_size=8)
    players = lesson.players.players
    assert list(players) == ["generator", "critic_8", "critic_16", "critic_32"]
    for update in lesson.recipe.step(lesson.dataset.batch(1, 8, seed=0)):
        lesson.players.learn(update, share=1.0)
        for name, each in players[update.player].networks.named_parameters():
            assert each.grad is not None, name
            assert each.grad.isfinite().all(), name
            assert each.grad.any(), name


def terms(lesson: Lesson) -> dict[str, Update]:
    torch.manual_seed(0)
    batch = lesson.dataset.batch(0, 4, seed=0)
    return {update.player: update for update in lesson.recipe.step(batch)}


def test_critics_and_generator_are_contrasted_at_every_stage(matcher: dict[str, Needed]) -> None:
    found = terms(lesson_of(matcher)[0])
    for px in (8, 16, 32):
        assert list(found[f"critic_{px}"].terms) == ["refuse", f"contrast_{px}"]
    fools = [f"{kind}_{px}" for px in (8, 16, 32) for kind in ("fool", "picture", "contrast")]
    ways = ("words_of_picture", "picture_of_words", "sentence_of_picture", "picture_of_sentence")
    assert list(found["generator"].terms) == [*fools, *ways, "divergence"]


@pytest.mark.parametrize("without", ["contrast=0", "retold=false"])
def test_without_contrast_critics_compare_nothing(matcher: dict[str, Needed], without: str) -> None:
    lesson, recipe = lesson_of(matcher, without)
    assert recipe.network.feature_size == 0
    assert all(type(critic) is plain.Critic for critic in recipe.critics)
    assert not [name for each in terms(lesson).values() for name in each.terms if "contr" in name]


def test_without_the_siamese_structure_the_step_is_attngans(matcher: dict[str, Needed]) -> None:
    """Same networks and draws: the same losses, to the last."""
    lesson, recipe = lesson_of(matcher, "retold=false", "first_cues=none", "cues=none")
    theirs = terms(lesson)
    torch.manual_seed(0)
    batch = lesson.dataset.batch(0, 4, seed=0)
    for update in attngan.AttnGAN.step(recipe, batch):
        assert update.terms.keys() == theirs[update.player].terms.keys()
        for name, value in update.terms.items():
            torch.testing.assert_close(value, theirs[update.player].terms[name], msg=name)


def test_each_branch_is_matched_with_its_own_captions(matcher: dict[str, Needed]) -> None:
    """The mean of what AttnGAN asks of either branch by itself."""
    lesson, recipe = lesson_of(matcher)
    batch = lesson.dataset.batch(0, 4, seed=0)
    assert batch.retold is not None
    pictures = torch.randn(8, 3, 32, 32).tanh()
    text = recipe.matcher.text(torch.cat([batch.tokens, batch.retold]))
    found = recipe.matches(pictures, text, batch)
    told = zip(pictures.chunk(2), (batch.tokens, batch.retold), strict=True)
    each = [
        recipe.matcher.losses(shown, recipe.matcher.text(tokens), batch, recipe.settings.matching)
        for shown, tokens in told
    ]
    for name, value in found.items():
        torch.testing.assert_close(value, (each[0][name] + each[1][name]) / 2)


@torch.no_grad()
def compared(lesson: Lesson, recipe: sdgan.SdGan) -> tuple[Tensor, Tensor]:
    """Distances of pictures of one bird told twice, and of two birds; of birds never trained on."""
    held = lesson.dataset.fixed(64)
    assert held.retold is not None
    torch.manual_seed(5)
    text = recipe.matcher.text(torch.cat([held.tokens, held.retold]))
    drawn = recipe.generator(*recipe.noise(128, text.sentence), *text)
    critic = recipe.critics[-1]
    assert isinstance(critic, networks.Critic)
    one, other = critic.compared(critic.features(drawn.images[-1])).chunk(2)
    alike = siamese.distance(one, other)
    return alike, siamese.distance(one, other[foreign(held.labels)])


@pytest.mark.slow
def test_pictures_of_one_bird_come_to_be_nearer_than_those_of_two(
    matcher: dict[str, Needed],
) -> None:
    """From captions, noise and birds that were never trained on."""
    lesson, recipe = lesson_of(matcher)
    alike, apart = compared(lesson, recipe)
    assert float(alike.mean() / apart.mean()) > 0.9
    lesson.learn(60, batch_size=8)
    alike, apart = compared(lesson, recipe)
    assert float(alike.mean() / apart.mean()) < 0.88
    assert float((alike < apart).float().mean()) > 0.6
