"""DM-GAN in training: AttnGAN's step over other networks, and what its players learn."""

from dataclasses import replace

import pytest
import torch
from lessons import Lesson

from t2i.models import dmgan as networks
from t2i.train.prerequisites import Needed
from t2i.train.recipes import dmgan

SHIFTS = (1, 5, 9, 17)
TOY = dmgan.PRESETS["toy"]


@pytest.mark.parametrize(
    ("writing", "responding"), [(True, True), (False, True), (True, False), (False, False)]
)
def test_gradients_reach_every_parameter_of_every_player(
    matcher: dict[str, Needed], writing: bool, responding: bool
) -> None:
    settings = replace(TOY, writing_gate=writing, response_gate=responding)
    lesson = Lesson("dmgan", settings, matcher)
    players = lesson.players.players
    assert list(players) == ["generator", "critic_8", "critic_16", "critic_32"]
    for update in lesson.recipe.step(lesson.dataset.batch(0, 8, seed=0)):
        lesson.players.learn(update, share=1.0)
        for name, each in players[update.player].networks.named_parameters():
            assert each.grad is not None, name
            assert each.grad.isfinite().all(), name
            assert each.grad.any(), name


def test_the_papers_networks_are_trained(matcher: dict[str, Needed]) -> None:
    recipe = Lesson("dmgan", TOY, matcher).recipe
    assert isinstance(recipe, dmgan.DmGan)
    assert isinstance(recipe.generator, networks.Generator)
    assert all(isinstance(each, networks.Critic) for each in recipe.critics)
    assert recipe.network == networks.Settings(**vars(recipe.network))


@pytest.mark.slow
def test_the_critic_comes_to_prefer_right_captions_for_birds_never_trained_on(
    matcher: dict[str, Needed],
) -> None:
    lesson = Lesson("dmgan", TOY, matcher)
    assert isinstance(lesson.recipe, dmgan.DmGan)
    matching, critic = lesson.recipe.matcher, lesson.recipe.critics[-1]
    held = lesson.dataset.fixed(128)

    def gap() -> tuple[float, float]:
        """How much higher right pairs score in the mean, and how often."""
        with torch.no_grad():
            sentence = matching.text(held.tokens).sentence
            seen = critic.features(held.images[-1])
            right = critic.conditional(seen, sentence)
            wrong = torch.stack(
                [critic.conditional(seen, sentence.roll(shift, dims=0)) for shift in SHIFTS]
            )
        return float((right - wrong).mean()), float((right > wrong).float().mean())

    higher, often = gap()
    assert abs(higher) < 0.01
    lesson.learn(80)
    higher, often = gap()
    assert higher > 0.015
    assert often > 0.55
