"""Inversion in training: what its terms cost, what the ablations leave out, what is learnt."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from lessons import Lesson
from torch import Tensor

from t2i.runtime.errors import UsageError
from t2i.train.data.batch import Batch
from t2i.train.players import Players
from t2i.train.recipes import inversion, judge, stylegan2

CPU = torch.device("cpu")
TOY = inversion.PRESETS["toy"]
TINY = replace(stylegan2.PRESETS["toy"], widths=(6, 4, 4, 4), style_size=6, mapping_layers=2)
ALL = {"critic", "latent_critic", "encoder"}


@pytest.fixture(scope="module")
def drawing() -> Lesson:
    return Lesson("stylegan2", TINY)


@pytest.fixture(scope="module")
def batch(drawing: Lesson) -> Batch:
    return drawing.dataset.batch(0, 4, seed=0)


def recipe(drawing: Lesson, **changes: Any) -> inversion.Inversion:
    torch.manual_seed(0)
    return inversion.Inversion(replace(TOY, **changes), {"stylegan2": drawing.needed()}, CPU)


def terms(made: inversion.Inversion, batch: Batch) -> dict[str, dict[str, Tensor]]:
    return {
        update.player: {name: value.detach() for name, value in update.terms.items()}
        for update in made.step(batch)
    }


@pytest.mark.parametrize(
    ("changes", "players", "left"),
    [
        ({}, ALL, {"pixels", "picture", "latent", "cycle"}),
        ({"cycle": 0.0}, ALL, {"pixels", "picture", "latent"}),
        ({"latent": 0.0}, ALL - {"latent_critic"}, {"pixels", "picture", "cycle"}),
        ({"picture": 0.0}, ALL - {"critic"}, {"pixels", "latent", "cycle"}),
        ({"adversarial": 0.0}, {"encoder"}, {"pixels", "cycle"}),
    ],
)
def test_the_papers_ablations_leave_out_what_they_say(
    drawing: Lesson, batch: Batch, changes: dict[str, Any], players: set[str], left: set[str]
) -> None:
    found = terms(recipe(drawing, **changes), batch)
    assert set(found) == players
    assert set(found["encoder"]) == left


def test_a_judge_compares_pictures_where_it_is_asked_to(drawing: Lesson, batch: Batch) -> None:
    eye = Lesson("judge", judge.PRESETS["toy"]).needed()
    needs = {"stylegan2": drawing.needed(), "judge": eye}
    made = inversion.Inversion(replace(TOY, features="judge", likeness=2.0), needs, CPU)
    assert terms(made, batch)["encoder"]["likeness"] > 0


def test_undecided_critics_cost_the_logarithm_of_two(drawing: Lesson, batch: Batch) -> None:
    made = recipe(drawing, picture=0.5, latent=0.25, adversarial=2.0)
    assert made.critic
    assert made.latent_critic
    with torch.no_grad():
        for last in (made.critic.verdict, made.latent_critic.judge[-1]):
            for weight in last.parameters():
                weight.zero_()
    found = terms(made, batch)
    for name, share in (("picture", 1.0), ("latent", 0.5)):
        assert float(found["encoder"][name]) == pytest.approx(share * 0.6931472)
    for critic in ("critic", "latent_critic"):
        assert float(found[critic]["real"]) == pytest.approx(0.6931472)
        assert float(found[critic]["slope"]) == 0


def test_an_untrained_encoder_tells_about_the_mean_latent(drawing: Lesson) -> None:
    made = recipe(drawing)
    with torch.no_grad():
        made.encoder.tell.weight.zero_()
        told = made.encoder(torch.randn(2, 3, 32, 32))
        wanted = made.latents(4096).mean(dim=0)
    torch.testing.assert_close(told[0, 0], wanted, atol=0.1, rtol=0.0)


def test_the_generator_stays_and_every_player_is_reached(drawing: Lesson, batch: Batch) -> None:
    made = recipe(drawing)
    players = Players(made.players, "fp32", CPU)
    before = {name: each.clone() for name, each in made.generator.state_dict().items()}
    for update in made.step(batch):
        players.learn(update, share=1.0)
        network = made.players[update.player].networks
        assert [name for name, each in network.named_parameters() if each.grad is None] == []
        players.move(update.player, 0)
    for name, value in made.generator.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_what_cannot_be_inverted_or_compared_is_wrong_usage(drawing: Lesson) -> None:
    with pytest.raises(UsageError, match="draws 32 px, and the pictures have 64 px"):
        recipe(drawing, data=replace(TOY.data, px=(64,)))
    with pytest.raises(UsageError, match="no file of its weights") as caught:
        inversion.needed_settings(inversion.PRESETS["cub"], "judge")
    assert "features=none" in caught.value.hint
    assert inversion.needed_settings(TOY, "judge") is None
    birds = inversion.PRESETS["birds"]
    assert inversion.needed_settings(birds, "judge") == judge.PRESETS["perceptual"]
    assert inversion.needed_settings(birds, "stylegan2") == stylegan2.PRESETS["birds"]


@torch.no_grad()
def likeness(made: inversion.Inversion) -> float:
    """Of latents and what is told of pictures that were drawn from them: their correlation."""
    torch.manual_seed(1)
    behind = made.latents(128)
    told = made.encoder(made.redrawn(made.generator.spread(behind)))[:, 0]
    centred = [each - each.mean(dim=0) for each in (behind, told)]
    return float(torch.corrcoef(torch.stack([each.flatten() for each in centred]))[0, 1])


@torch.no_grad()
def error(made: inversion.Inversion, birds: Tensor) -> float:
    """Squared distance of pictures from what is drawn again."""
    return float((made.redrawn(made.encoder(birds)) - birds).square().mean())


@pytest.mark.slow
def test_latents_of_new_pictures_come_to_be_told() -> None:
    drawing = Lesson("stylegan2", stylegan2.PRESETS["toy"])
    lesson = Lesson("inversion", TOY, {"stylegan2": drawing.needed()})
    made = lesson.recipe
    assert isinstance(made, inversion.Inversion)
    birds = lesson.dataset.fixed(32).images[-1]
    far = error(made, birds)
    assert abs(likeness(made)) < 0.1
    lesson.learn(60)
    assert likeness(made) > 0.2
    assert error(made, birds) < 0.75 * far
