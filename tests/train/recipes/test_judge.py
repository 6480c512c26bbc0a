"""Properties of the judge's training: what is mirrored, what is worn, and what stays true."""

from dataclasses import replace

import pytest
import torch

from t2i.models.judge import FACING
from t2i.runtime import runs
from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.prerequisites import alike, read_state
from t2i.train.recipe import Source
from t2i.train.recipes import judge

TOY = judge.PRESETS["toy"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def birds() -> tuple[Source, Batch]:
    dataset = data.open(TOY.data, ready=False)
    return dataset.source(), dataset.batch(0, 8, seed=0)


def built(source: Source, settings: judge.Settings = TOY) -> judge.Judge:
    torch.manual_seed(0)
    return judge.build(settings, source, {}, CPU)


def test_a_turned_picture_is_the_mirror_image_and_looks_left() -> None:
    pictures = torch.randn(3, 3, 4, 6)
    turned = torch.tensor([True, False, True])
    seen = judge.mirrored(pictures, turned)
    assert torch.equal(seen[0], pictures[0].flip(2))
    assert torch.equal(seen[1], pictures[1])
    assert [FACING[code] for code in judge.facing(turned)] == ["left", "right", "left"]


def test_a_birds_own_attributes_stay_whichever_way_it_looks(
    birds: tuple[Source, Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, batch = birds
    recipe, asked = built(source), []

    def remember(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        asked.append((logits, wanted))
        return logits.sum()

    monkeypatch.setattr(recipe, "misread", remember)
    for _ in range(4):
        list(recipe.step(batch))
    for logits, wanted in asked:
        assert torch.equal(wanted[:, :-1], batch.attributes)
        assert logits.shape == (8, sum(recipe.network.attributes))
    facings = torch.stack([wanted[:, -1] for _, wanted in asked])
    assert set(facings.flatten().tolist()) == {0, 1}


def test_the_network_reads_the_attributes_of_the_data_and_facing(
    birds: tuple[Source, Batch],
) -> None:
    source, _ = birds
    assert built(source).network.attributes == (*source.attributes, 2)


def test_sure_and_right_costs_nothing_and_each_attribute_counts_alike(
    birds: tuple[Source, Batch],
) -> None:
    recipe = built(birds[0], replace(TOY, smoothing=0.0))
    widths = recipe.network.attributes
    wanted = torch.zeros(1, len(widths), dtype=torch.int64)
    heads = [torch.eye(width)[:1] * 100 for width in widths]
    assert recipe.misread(torch.cat(heads, dim=1), wanted) < 1e-6
    losses = []
    for place in (0, len(widths) - 1):
        wrong = [head.roll(1, dims=1) if i == place else head for i, head in enumerate(heads)]
        losses.append(recipe.misread(torch.cat(wrong, dim=1), wanted))
    assert losses[0] == pytest.approx(100 / len(widths), rel=1e-4)
    assert losses[1] == pytest.approx(losses[0])


def test_no_wear_changes_nothing_and_all_of_it_stays_a_picture() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(16, 3, 8, 8) * 2 - 1
    none = replace(TOY, blur=0.0, noise=0.0, light=0.0)
    assert torch.equal(judge.worn(pictures, none), pictures)
    much = judge.worn(pictures, replace(TOY, noise=1.0, light=0.5))
    assert much.abs().max() <= 1
    assert not torch.equal(much, pictures)


def test_about_half_the_pictures_are_spared() -> None:
    torch.manual_seed(0)
    drawn = judge.amounts(torch.zeros(4000, 3, 1, 1), most=0.3)
    assert drawn.shape == (4000, 1, 1, 1)
    assert 0.45 < (drawn == 0).float().mean() < 0.55
    assert 0.29 < drawn.max() <= 0.3


def test_a_blur_keeps_the_mean_and_leaves_plain_pictures_alone() -> None:
    dot = torch.zeros(1, 1, 9, 9)
    dot[..., 4, 4] = 1.0
    soft = judge.blurred(dot)
    assert soft.sum() == pytest.approx(1.0)
    assert (soft > 0).sum() == 25
    assert soft.max() == soft[0, 0, 4, 4]
    plain = torch.full((1, 3, 5, 5), 0.7)
    torch.testing.assert_close(judge.blurred(plain), plain)


def test_some_pictures_are_seen_from_the_smaller_size(birds: tuple[Source, Batch]) -> None:
    source, batch = birds
    small, large = batch.images
    assert (small.shape[-1], large.shape[-1]) == TOY.data.px
    shares = {share: built(source, replace(TOY, small=share)).mixed(batch) for share in (0.0, 1.0)}
    assert torch.equal(shares[0.0], large)
    enlarged = torch.nn.functional.interpolate(small, scale_factor=2.0, mode="bilinear")
    torch.testing.assert_close(shares[1.0], enlarged)


def test_the_rate_rises_then_falls_to_nothing() -> None:
    steps = TOY.loop.steps
    rates = [judge.rate(step, TOY.warmup_steps, steps) for step in range(steps)]
    top = rates.index(max(rates))
    assert rates[0] < 0.3
    assert 0.9 < rates[top] <= 1
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < 0.01


def test_the_two_judges_share_neither_kind_nor_seed_nor_birds() -> None:
    one, other = judge.PRESETS["features"], judge.PRESETS["perceptual"]
    assert one.trunk != other.trunk
    assert one.loop.seed != other.loop.seed
    assert len({0, one.data.seed, other.data.seed}) == 3, "other systems learn from birds of seed 0"


@pytest.mark.parametrize(
    ("name", "preset"), [("judge", "features"), ("judge-perceptual", "perceptual")]
)
def test_the_weights_that_ship_are_those_of_their_preset(name: str, preset: str) -> None:
    """So that a recipe that needs them takes them instead of training its own."""
    wanted, run = judge.PRESETS[preset], runs.Run(runs.SHIPPED / name)
    dataset = data.open(wanted.data, ready=False)
    assert run in set(runs.all_shipped("judge"))
    assert alike(run.recipe, wanted, dataset)
    built(dataset.source(), wanted).networks.load_state_dict(read_state(run.weights))


@pytest.mark.parametrize("changed", [replace(TOY.data, facing="both"), replace(TOY.data, px=(32,))])
def test_data_that_cannot_be_mirrored_or_shrunk_are_refused(changed: data.Settings) -> None:
    source = data.open(changed, ready=False).source()
    with pytest.raises(UsageError, match="two sizes of drawn birds") as caught:
        built(source, replace(TOY, data=changed))
    assert "facing=right" in caught.value.hint
