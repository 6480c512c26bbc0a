"""STREAM learns what pictures show, and MirrorGAN's generator learns from it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from lessons import CPU, Lesson
from torch import Tensor

from t2i.runtime import runs
from t2i.train import data
from t2i.train.losses import redescription
from t2i.train.prerequisites import Needed, plan
from t2i.train.recipes import damsm, mirrorgan, stream

SHIFTS = (1, 5, 9, 17)
"""How far wrong captions are taken from."""
TOY = mirrorgan.PRESETS["toy"]


@pytest.fixture(scope="module")
def needs() -> dict[str, Needed]:
    """Both prerequisites as they begin."""
    return {
        "damsm": Lesson("damsm", damsm.PRESETS["toy"]).needed(),
        "stream": Lesson("stream", stream.PRESETS["toy"]).needed(),
    }


def told(networks: torch.nn.ModuleDict, images: Tensor, tokens: Tensor) -> Tensor:
    """Cross-entropy of each caption given its picture, a mean over its words: (B,)."""
    logits = networks["caption"](networks["image"](images), tokens)
    said = F.pad(tokens != 0, (1, 0), value=True)
    each = F.cross_entropy(logits.transpose(1, 2), F.pad(tokens, (0, 1)), reduction="none")
    return (each * said).sum(dim=1) / said.sum(dim=1)


@pytest.mark.slow
@torch.no_grad()
def test_right_captions_come_to_surprise_less_than_wrong_ones() -> None:
    """Of birds whose combinations of colours were never trained on."""
    with torch.enable_grad():
        lesson = Lesson("stream", stream.PRESETS["toy"])
        held = lesson.dataset.fixed(256)
        lesson.learn(200, batch_size=32)
    assert isinstance(lesson.recipe, stream.Stream)
    networks = lesson.recipe.networks.eval()
    right = told(networks, held.images[-1], held.tokens)
    wrong = torch.stack(
        [told(networks, held.images[-1], held.tokens.roll(shift, dims=0)) for shift in SHIFTS]
    )
    assert float(right.mean()) < 2.2  # each of 146 words alike would be 5
    assert float(wrong.mean() - right.mean()) > 0.04
    assert float((right < wrong).float().mean()) > 0.55


def test_stream_stays_as_it_is_and_passes_gradients_to_the_picture(
    needs: dict[str, Needed],
) -> None:
    frozen = mirrorgan.FrozenStream(needs["stream"], CPU)
    images = torch.randn(2, 3, 32, 32).tanh().requires_grad_()
    tokens = torch.tensor([[3, 4, 5], [6, 0, 0]])
    before = {name: value.clone() for name, value in frozen.networks.state_dict().items()}
    loss = frozen.loss(images, tokens)
    loss.backward()
    assert images.grad is not None
    assert bool(images.grad.flatten(1).abs().sum(dim=1).all())
    assert not any(each.requires_grad for each in frozen.networks.parameters())
    for name, value in frozen.networks.state_dict().items():
        assert torch.equal(value, before[name]), name
    logits = frozen.networks["caption"](frozen.networks["image"](images), tokens)
    torch.testing.assert_close(loss, redescription.cross_entropy(logits, tokens, ends=True))


def terms(recipe: mirrorgan.MirrorGAN, batch: data.batch.Batch) -> dict[str, list[str]]:
    return {update.player: list(update.terms) for update in recipe.step(batch)}


def test_a_step_is_attngans_with_the_redescription(needs: dict[str, Needed]) -> None:
    lesson = Lesson("mirrorgan", TOY, needs)
    assert isinstance(lesson.recipe, mirrorgan.MirrorGAN)
    found = terms(lesson.recipe, lesson.dataset.batch(0, 4, seed=0))
    assert list(found) == ["critic_8", "critic_16", "critic_32", "generator"]
    fools = [f"{kind}_{px}" for px in (8, 16, 32) for kind in ("fool", "picture")]
    assert found["generator"] == [*fools, "redescription", "divergence"]


def test_the_damsm_loss_may_join_and_stream_may_stay_away(needs: dict[str, Needed]) -> None:
    settings = replace(TOY, stream=None, matching=1.0)
    lesson = Lesson("mirrorgan", settings, {"damsm": needs["damsm"]})
    assert isinstance(lesson.recipe, mirrorgan.MirrorGAN)
    found = terms(lesson.recipe, lesson.dataset.batch(0, 4, seed=0))["generator"]
    assert "redescription" not in found
    assert "words_of_picture" in found
    assert lesson.recipe.network.stream is None
    live = {name: player.networks for name, player in lesson.recipe.players.items()}
    assert set(lesson.recipe.exported(live)) == {"text", "generator"}


def test_without_stream_none_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "SHIPPED", tmp_path)
    dataset = data.open(TOY.data, ready=False)
    assert set(plan("mirrorgan", "toy", TOY, {}, dataset).needs) == {"damsm", "stream"}
    without = replace(TOY, stream=None)
    assert set(plan("mirrorgan", "toy", without, {}, dataset).needs) == {"damsm"}


def test_gradients_reach_every_parameter_of_every_player(needs: dict[str, Needed]) -> None:
    lesson = Lesson("mirrorgan", TOY, needs)
    for update in lesson.recipe.step(lesson.dataset.batch(0, 8, seed=0)):
        lesson.players.learn(update, share=1.0)
        for name, each in lesson.players.players[update.player].networks.named_parameters():
            assert each.grad is not None, name
            assert each.grad.isfinite().all(), name
            assert each.grad.any(), name


@pytest.mark.parametrize("name", mirrorgan.PRESETS)
def test_a_preset_names_presets_of_its_prerequisites(name: str) -> None:
    settings = mirrorgan.PRESETS[name]
    for need in ("damsm", "stream"):
        wanted = mirrorgan.needed_settings(settings, need)
        assert wanted is not None
        assert wanted.data.kind == settings.data.kind
