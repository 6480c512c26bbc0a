"""CLIP in training: the paper's sizes and schedule, and captions that find their pictures."""

import math
from dataclasses import replace

import pytest
import torch
from lessons import CPU, Lesson

from t2i.models import clip as networks
from t2i.train.data.batch import Batch
from t2i.train.players import Players
from t2i.train.recipe import Source
from t2i.train.recipes.clip import PRESETS, Clip, Settings, build, decayed, rate

OFFICIAL = Source(49_408, 77, (), 400_000_000, attributes=(), facing=None)
TOY = PRESETS["toy"]
# Of the official code, built at each size that has weights.
COUNTS = {
    "rn50": 102_007_137,
    "rn101": 119_688_033,
    "rn50x4": 178_300_601,
    "rn50x16": 290_979_217,
    "rn50x64": 623_258_305,
    "vit-b-32": 151_277_313,
    "vit-b-16": 149_620_737,
    "vit-l-14": 427_616_513,
    "vit-l-14-336": 427_944_193,
}


def recipe(settings: Settings = TOY) -> Clip:
    torch.manual_seed(0)
    return build(settings, Source(600, 77, (), 9, attributes=(), facing=None), {}, CPU)


def batch(count: int = 4) -> Batch:
    dice = torch.Generator().manual_seed(0)
    return Batch(
        images=(torch.randn(count, 3, 32, 32, generator=dice).tanh(),),
        tokens=torch.randint(1, 600, (count, 5), generator=dice),
        labels=torch.zeros(count, dtype=torch.int64),
        captions=("",) * count,
    )


@pytest.mark.parametrize("preset", COUNTS)
def test_sizes_of_the_paper_have_the_official_number_of_parameters(preset: str) -> None:
    with torch.device("meta"):
        network = networks.Clip(PRESETS[preset].network(OFFICIAL))
    assert sum(weight.numel() for weight in network.parameters()) == COUNTS[preset]


def test_the_paper_takes_32_epochs_and_one_more_at_336_px() -> None:
    seen = {name: PRESETS[name].loop.steps * PRESETS[name].loop.batch_size for name in COUNTS}
    large = seen.pop("vit-l-14-336")
    assert large == pytest.approx(400e6, rel=1e-4)
    assert list(seen.values()) == pytest.approx([32 * 400e6] * 8, rel=1e-4)


def test_the_learning_rate_rises_in_a_line_and_falls_in_a_cosine() -> None:
    settings = replace(TOY, warmup_steps=10, loop=replace(TOY.loop, steps=110))
    found = [rate(settings, step) for step in (0, 4, 9, 10, 35, 60, 85, 110)]
    falling = [1, math.cos(math.pi / 8) ** 2, 1 / 2, math.sin(math.pi / 8) ** 2, 0]
    assert found == pytest.approx([0.1, 0.5, 1.0, *falling])


def test_gains_biases_and_the_scale_do_not_decay() -> None:
    made = recipe()
    kept, free = decayed(made.clip, 0.2)
    assert (kept["weight_decay"], free["weight_decay"]) == (0.2, 0.0)
    names = {weight: name for name, weight in made.clip.named_parameters()}
    assert len(kept["params"]) + len(free["params"]) == len(names)
    assert not [names[each] for each in kept["params"] if names[each].endswith("bias")]
    assert {names[each].rpartition(".")[2] for each in free["params"]} == {
        *("weight", "bias", "summary", "logit_scale")
    }
    assert all("norm" in names[w] for w in free["params"] if names[w].endswith("weight"))


def test_cosines_begin_at_the_papers_scale_which_never_passes_a_hundred() -> None:
    made = recipe()
    assert made.clip.logit_scale.exp().item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        made.clip.logit_scale.fill_(math.log(150))
    players = Players(made.players, "fp32", CPU)
    players.begin(0)
    for update in made.step(batch()):
        players.learn(update, share=1.0)
        players.move(update.player, 0)
    assert made.clip.logit_scale.exp().item() == pytest.approx(100)


def test_the_first_loss_is_near_that_of_guessing() -> None:
    (update,) = recipe().step(batch(16))
    logits = math.log(16)  # pictures of noise look alike to a new network
    assert sum(term.item() for term in update.terms.values()) == pytest.approx(logits, rel=0.5)


@torch.no_grad()
def found_among_five(made: Clip, held: Batch) -> float:
    """Share of captions whose picture is among the five best of all."""
    logits = made.clip.eval()(networks.normalised(held.images[-1]), held.tokens)
    made.clip.train()
    better = (logits > logits.diagonal()).sum(dim=0)
    return (better < 5).float().mean().item()


@pytest.mark.slow
def test_captions_come_to_find_birds_that_were_never_trained_on() -> None:
    lesson = Lesson("clip", TOY)
    made, held = lesson.recipe, lesson.dataset.fixed(100)
    assert isinstance(made, Clip)
    assert found_among_five(made, held) < 0.2
    lesson.learn(150, TOY.loop.batch_size)
    assert found_among_five(made, held) > 0.4
