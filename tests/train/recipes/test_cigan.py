"""CI-GAN's last stage: what is frozen, what is refused, and which pictures captions find."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from lessons import Lesson

from t2i.models import cigan as models
from t2i.runtime.errors import UsageError
from t2i.train.players import Players
from t2i.train.recipes import cigan, inversion, judge, stylegan2

CPU = torch.device("cpu")
TOY = cigan.PRESETS["toy"]


def inverted(settings: inversion.Settings, steps: int = 0) -> Lesson:
    """An encoder for the pictures of a generator that has learnt nothing."""
    needs = {"stylegan2": Lesson("stylegan2", stylegan2.PRESETS["toy"]).needed()}
    lesson = Lesson("inversion", settings, needs)
    lesson.learn(steps)
    return lesson


@pytest.fixture(scope="module")
def inverter() -> Lesson:
    return inverted(inversion.PRESETS["toy"])


def recipe(inverter: Lesson, **changes: Any) -> cigan.CiGan:
    torch.manual_seed(0)
    source = inverter.dataset.source()
    needs = {"inversion": inverter.needed()}
    return cigan.CiGan(replace(TOY, **changes), source, needs, CPU)


def test_only_the_text_encoder_learns_and_all_of_it(inverter: Lesson) -> None:
    made = recipe(inverter, symmetric=True, near=0.0)
    players = Players(made.players, "fp32", CPU)
    frozen = {**made.encoder.state_dict(), **made.generator.state_dict()}
    before = {name: each.clone() for name, each in frozen.items()}
    (update,) = made.step(inverter.dataset.batch(0, 8, seed=0))
    assert set(update.terms) == {"picture_of_caption", "caption_of_picture"}
    players.learn(update, share=1.0)
    assert [name for name, each in made.text.named_parameters() if each.grad is None] == []
    players.move(update.player, 0)
    for name, value in before.items():
        assert torch.equal(frozen[name], value), name


@pytest.mark.parametrize(("near", "terms"), [(0.0, set()), (2.0, {"near"})])
def test_captions_come_near_where_they_are_asked_to(
    inverter: Lesson, near: float, terms: set[str]
) -> None:
    made, batch = recipe(inverter, near=near), inverter.dataset.batch(0, 8, seed=0)
    (update,) = made.step(batch)
    assert set(update.terms) == {"picture_of_caption", *terms}
    with torch.no_grad():
        gaps = made.text(batch.tokens) - made.encoder(batch.images[-1])[:, 0]
    cost = sum(float(update.terms[term].detach()) for term in terms)
    assert cost == pytest.approx(near * float(gaps.square().mean()), rel=1e-4)


def test_distances_are_tempered_by_the_size_of_latents(inverter: Lesson) -> None:
    assert recipe(inverter).temperature == pytest.approx(0.1 * 32**0.5)


def test_a_caption_and_noise_decide_a_picture(inverter: Lesson) -> None:
    made, batch = recipe(inverter, pull=0.5), inverter.dataset.batch(0, 2, seed=0)
    other = replace(batch, tokens=batch.tokens.flip(0))
    drawn = []
    for seed, each in ((1, batch), (1, batch), (2, batch), (1, other)):
        torch.manual_seed(seed)
        with torch.no_grad():
            drawn.append(made.sample(each, {"text": made.text}))
    assert torch.equal(drawn[0], drawn[1])
    assert all((drawn[0] != each).any() for each in drawn[2:])


def test_what_cannot_be_aligned_is_wrong_usage(inverter: Lesson) -> None:
    plus = inverted(replace(inversion.PRESETS["toy"], plus=True))
    with pytest.raises(UsageError, match="one for each layer") as caught:
        recipe(plus)
    assert "plus=false" in caught.value.hint
    with pytest.raises(UsageError, match="sees pictures of 32 px"):
        recipe(inverter, data=replace(TOY.data, px=(64,)))
    with pytest.raises(UsageError, match="pull=-1"):
        recipe(inverter, pull=-1.0)
    with pytest.raises(UsageError, match="nothing would hold a picture"):
        recipe(inverter, pixels=0.0)


def test_what_compares_pictures_comes_from_where_it_is_said(inverter: Lesson) -> None:
    assert cigan.needed_settings(TOY, "judge") is None
    birds, cub = cigan.PRESETS["birds"], cigan.PRESETS["cub"]
    assert cigan.needed_settings(birds, "judge") == judge.PRESETS["perceptual"]
    with pytest.raises(UsageError, match="no file of its weights"):
        cigan.needed_settings(cub, "judge")
    named = replace(cub, vgg="vgg16.safetensors")
    inverting = cigan.needed_settings(named, "inversion")
    assert isinstance(inverting, inversion.Settings)
    assert inverting.vgg == "vgg16.safetensors"


def test_a_run_holds_all_that_edits(inverter: Lesson) -> None:
    eye = Lesson("judge", judge.PRESETS["toy"]).needed()
    torch.manual_seed(0)
    made = cigan.CiGan(
        replace(TOY, features="judge", pixels=0.0),
        inverter.dataset.source(),
        {"inversion": inverter.needed(), "judge": eye},
        CPU,
    )
    kept, networks = made.exported({"text": made.text}), models.networks(made.network)
    assert set(kept) == set(networks) == {"text", "generator", "encoder", "eye"}
    for name, network in networks.items():
        network.load_state_dict(kept[name].state_dict())


@torch.no_grad()
def nearer(lesson: Lesson) -> float:
    """How often a caption lies nearer to the latent of its own unseen bird than to another's."""
    made, held = lesson.recipe, lesson.dataset.fixed(128)
    assert isinstance(made, cigan.CiGan)
    gaps = torch.cdist(made.text(held.tokens), made.encoder(held.images[-1])[:, 0])
    own = gaps.diagonal()[:, None]
    return float((own < gaps).float().sum() / (128 * 127))


@pytest.mark.slow
def test_captions_come_to_find_birds_never_trained_on() -> None:
    needs = {"inversion": inverted(inversion.PRESETS["toy"], steps=30).needed()}
    lesson = Lesson("cigan", TOY, needs)
    assert abs(nearer(lesson) - 0.5) < 0.06
    lesson.learn(80, batch_size=32)
    assert nearer(lesson) > 0.62
