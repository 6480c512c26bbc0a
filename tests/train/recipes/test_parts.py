"""Properties of the training that tells the parts of a bird."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from t2i.runtime import runs
from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.data.birds.cache import Series
from t2i.train.data.birds.render import PARTS, draw
from t2i.train.prerequisites import alike, read_state
from t2i.train.recipe import Source
from t2i.train.recipes import parts

TOY = parts.PRESETS["toy"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def birds() -> tuple[Source, Batch]:
    dataset = data.open(TOY.data, ready=False)
    return dataset.source(), dataset.batch(0, 16, seed=0)


def built(source: Source, settings: parts.Settings = TOY) -> parts.Parts:
    torch.manual_seed(0)
    return parts.build(settings, source, {}, CPU)


def test_the_parts_of_a_batch_are_those_that_the_renderer_drew() -> None:
    series = Series("train", 32, TOY.data.seed, "right", "free")
    for index in range(3):
        drawing = draw(series.bird(index), series.noise(index), 32)
        told = parts.parts_of(series.bird(index).codes, series.noise(index), 32)
        assert (told == drawing.parts).all()


def test_where_there_is_a_bird_there_is_a_part_of_it(birds: tuple[Source, Batch]) -> None:
    _, batch = birds
    shown = parts.shown_parts(batch)
    assert batch.mask is not None
    assert shown.shape == (16, 32, 32)
    bird = (shown > 0).float()
    assert (bird - batch.mask[:, 0]).abs().mean() < 0.02
    assert set(shown.unique().tolist()) <= set(range(len(PARTS)))


def test_a_pixel_weighs_as_the_inverse_root_of_the_area_of_its_part() -> None:
    logits = torch.randn(1, 3, 4, 4)
    shown = torch.zeros(1, 4, 4, dtype=torch.int64)
    shown[0, 0, 0] = 2  # 15 pixels of one part, one of another
    single = F.cross_entropy(logits, shown, reduction="none")[0]
    rest = single.sum() - single[0, 0]
    expected = (rest / 15**0.5 + single[0, 0]) / (15 / 15**0.5 + 1)
    torch.testing.assert_close(parts.misread(logits, shown), expected)


def test_pictures_and_parts_are_turned_together(
    birds: tuple[Source, Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, batch = birds
    recipe, asked = built(source), []
    settings = replace(TOY, blur=0.0, noise=0.0, light=0.0)
    recipe.settings = settings

    class Eye(torch.nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            asked.append(pictures)
            return pictures.new_zeros(len(pictures), len(PARTS), 32, 32)

    recipe.networks["image"] = Eye()
    monkeypatch.setattr(parts, "misread", lambda told, shown: asked.append(shown))
    list(recipe.step(batch))
    pictures, shown = asked
    straight, original = batch.images[-1], parts.shown_parts(batch)
    turned = [not torch.allclose(a, b, atol=1e-5) for a, b in zip(pictures, straight, strict=True)]
    assert 0 < sum(turned) < 16
    for place, each in enumerate(turned):
        flip = (lambda x: x.flip(-1)) if each else (lambda x: x)
        torch.testing.assert_close(pictures[place], flip(straight[place]), atol=1e-5, rtol=0)
        assert torch.equal(shown[place], flip(original[place]))


@pytest.mark.slow
def test_learning_tells_the_bird_from_the_rest(birds: tuple[Source, Batch]) -> None:
    """On birds that it never saw: taking all for bird, or nothing, overlaps far less."""
    source, _ = birds
    recipe = built(source)
    dataset = data.open(TOY.data, ready=False)
    player = recipe.players["parts"]
    for step in range(50):
        (update,) = recipe.step(dataset.batch(step, 16, seed=0))
        player.optimiser.zero_grad()
        sum(update.terms.values()).backward()  # type: ignore[union-attr]
        player.optimiser.step()
    unseen = dataset.fixed(16)
    true = parts.shown_parts(unseen)
    with torch.no_grad():
        told = recipe.networks["image"].eval()(unseen.images[-1]).argmax(1)
    overlap = ((told > 0) & (true > 0)).sum() / ((told > 0) | (true > 0)).sum()
    assert overlap > 0.5


def test_the_weights_that_ship_are_those_of_their_preset() -> None:
    wanted, run = parts.PRESETS["birds"], runs.Run(runs.SHIPPED / "parts")
    dataset = data.open(wanted.data, ready=False)
    assert run in set(runs.all_shipped("parts"))
    assert alike(run.recipe, wanted, dataset)
    built(dataset.source(), wanted).networks.load_state_dict(read_state(run.weights))


@pytest.mark.parametrize(
    "changed", [replace(TOY.data, facing="both"), replace(TOY.data, px=(16, 32))]
)
def test_data_without_such_masks_are_refused(changed: data.Settings) -> None:
    source = data.open(changed, ready=False).source()
    with pytest.raises(UsageError, match="birds of one size") as caught:
        built(source, replace(TOY, data=changed))
    assert "facing=right" in caught.value.hint
