"""Properties of the paired training: windows, batch norms that settle, the likeness of pictures."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from t2i.models import damsm as matchers
from t2i.models import judge
from t2i.runtime import runs
from t2i.runtime.records import encode
from t2i.train.data.batch import Batch
from t2i.train.losses import matching
from t2i.train.losses.paired import likeness
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Source
from t2i.train.recipes.attngan import PRESETS
from t2i.train.recipes.paired import MEASURED, Paired, PairedSettings, window_corners, windows

PX = (64, 128, 256)
STEPS = 400
SETTLED = 300


@pytest.fixture
def recipe() -> Paired:
    """A tiny one, whose batch norms settle after 300 of 400 steps."""
    torch.manual_seed(0)
    toy = PRESETS["toy"]
    settings = replace(
        toy,
        loop=replace(toy.loop, steps=STEPS),
        data=replace(toy.data, px=PX),
        first_px=PX[0],
        generator_width=2,
        critic_width=2,
        paired=PairedSettings(alone=0.5, settled=SETTLED / STEPS, refined=2),
    )
    sizes = matchers.Settings(vocabulary=9, embedding=4, text_size=8, image="small", image_px=32)
    learnt = {"sharpness": encode(matching.Sharpness()), "classes_apart": False}
    seer = judge.Settings(attributes=(2, 3, 2), width=2, features=4, px=128)
    needs = {
        "damsm": needed("damsm", sizes, matchers.networks(sizes), learnt),
        "judge": needed("judge", seer, judge.networks(seer), {}),
    }
    source = Source(9, 5, (), 8, attributes=(2, 3), facing=None)
    return Paired(settings, source, needs, torch.device("cpu"))


def needed(
    system: str, sizes: object, networks: Mapping[str, nn.Module], settings: dict[str, Any]
) -> Needed:
    """Weights that were never trained."""
    state = {
        f"{prefix}.{name}": value
        for prefix, network in networks.items()
        for name, value in network.state_dict().items()
    }
    recipe = runs.Recipe(
        schema=runs.SCHEMA,
        version="",
        system=system,
        preset="toy",
        settings=settings,
        network=encode(sizes),
        text=runs.TextSettings(length=5, unknown="drop"),
        classes=(),
        data={},
        needs={},
        images_seen=0,
        steps=0,
        finished=True,
        facing=None,
    )
    return Needed(state, recipe, sha256="", origin="")


def birds(step: int) -> Batch:
    dice = torch.Generator().manual_seed(step)
    pictures = torch.rand(3, 3, PX[-1], PX[-1], generator=dice) * 2 - 1
    return Batch(
        images=tuple(nn.functional.avg_pool2d(pictures, PX[-1] // px) for px in PX),
        tokens=torch.tensor([[1, 2, 3], [4, 5, 0], [6, 0, 0]]),
        labels=torch.zeros(3, dtype=torch.int64),
        captions=("", "", ""),
        noise=torch.randn(3, 26, generator=dice),
        attributes=torch.tensor([[0, 1], [1, 2], [0, 0]]),
        mask=torch.ones(3, 1, PX[-1], PX[-1]),
        step=step,
    )


def statistics(recipe: Paired) -> list[torch.Tensor]:
    return [
        each.running_mean.clone()
        for each in recipe.generator.modules()
        if isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d) and each.running_mean is not None
    ]


def test_batch_norms_settle_on_what_whole_pictures_measure(
    recipe: Paired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("t2i.train.recipes.paired.MEASURED", 3)
    first = recipe.generator.first.expand[1]
    assert isinstance(first, nn.BatchNorm1d)
    seen: list[torch.Tensor] = []
    measured: list[torch.Tensor] = []
    first.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach().mean(0)))
    for step in range(SETTLED - 3, SETTLED):
        seen.clear()
        batch = birds(step)
        recipe.settle(batch, recipe.matcher.text(batch.tokens))
        assert len(seen) == 1
        assert first.running_mean is not None
        measured.append(seen[0])
        assert torch.allclose(first.running_mean, torch.stack(measured).mean(0), atol=1e-5)


def test_settled_batch_norms_keep_their_statistics(recipe: Paired) -> None:
    for _ in recipe.step(birds(SETTLED - MEASURED - 1)):
        pass
    assert recipe.generator.first.expand[1].training
    before = statistics(recipe)
    for _ in recipe.step(birds(SETTLED)):
        pass
    assert all(torch.equal(a, b) for a, b in zip(before, statistics(recipe), strict=True))


def test_windows_leave_the_measured_statistics_alone(recipe: Paired) -> None:
    batch = birds(SETTLED - 1)
    text = recipe.matcher.text(batch.tokens)
    recipe.settle(batch, text)
    before = statistics(recipe)
    recipe.draw(batch, text)
    assert all(torch.equal(a, b) for a, b in zip(before, statistics(recipe), strict=True))


def test_later_stages_join_with_windows_of_some_pictures(recipe: Paired) -> None:
    for step, drawn in ((STEPS // 2 - 1, [3]), (STEPS // 2, [3, 2, 2])):
        batch = birds(step)
        stages, _ = recipe.draw(batch, recipe.matcher.text(batch.tokens))
        assert [len(stage.fake) for stage in stages] == drawn
        assert all(stage.fake.shape == stage.real.shape for stage in stages)


@given(st.integers(8, 64), st.data())
def test_windows_lie_inside_and_reach_every_border(side: int, data: st.DataObject) -> None:
    window = data.draw(st.integers(4, side))
    torch.manual_seed(0)
    corners = window_corners(400, side, window)
    assert corners.min() == 0
    assert corners.max() == side - window


def test_a_window_at_twice_the_size_shows_the_same_place() -> None:
    torch.manual_seed(0)
    small = torch.rand(3, 2, 8, 8)
    large = small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    corners = window_corners(3, 8, 5)
    doubled = windows(small, corners, 5).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert torch.equal(windows(large, corners * 2, 10), doubled)


def test_likeness_counts_pixels_and_slopes_by_weight() -> None:
    real = torch.zeros(1, 1, 1, 3)
    fake = torch.tensor([[[[0.0, 0.5, 0.0]]]])
    weight = torch.tensor([[[[1.0, 2.0, 1.0]]]])
    pixels = 2.0 * 0.5 / 3
    across = (2.0 * 0.5 + 1.0 * 0.5) / 2
    taller = [each.expand(1, 1, 2, 3) for each in (fake, real, weight)]
    assert torch.isclose(likeness(*taller), torch.tensor(pixels + across))
    assert likeness(real.expand(1, 1, 2, 3), *taller[1:]) == 0


def test_the_judge_sees_windows_as_large_as_in_a_whole_picture(recipe: Paired) -> None:
    """A window of 28 places of 64 is 56 of the judge's 128 pixels, whatever the stage's size."""
    batch = birds(STEPS // 2)
    stages, _ = recipe.draw(batch, recipe.matcher.text(batch.tokens))
    sides = []
    recipe.judge.network.stages[0].register_forward_pre_hook(
        lambda _, given: sides.append(given[0].shape[-1])
    )
    terms = recipe.seen(stages, batch)
    assert sides == [128, 128, 56, 56, 56, 56]
    assert terms.keys() == {"sight_0", "read", "sight_1", "sight_2"}


def test_pictures_that_are_as_they_should_be_are_seen_so(recipe: Paired) -> None:
    batch = birds(STEPS // 2)
    right = [
        replace(stage, fake=stage.real)
        for stage in recipe.draw(batch, recipe.matcher.text(batch.tokens))[0]
    ]
    terms = recipe.seen(right, batch)
    assert all(terms[f"sight_{number}"] == 0 for number in range(3))


def test_sight_teaches_the_generator_alone(recipe: Paired) -> None:
    batch = birds(STEPS // 2)
    terms = recipe.seen(recipe.draw(batch, recipe.matcher.text(batch.tokens))[0], batch)
    sum(terms.values()).backward()  # type: ignore[union-attr]
    assert all(each.grad is None for each in recipe.judge.network.parameters())
    taught = [each for each in recipe.generator.parameters() if each.grad is not None]
    assert any(each.grad.abs().sum() > 0 for each in taught if each.grad is not None)
