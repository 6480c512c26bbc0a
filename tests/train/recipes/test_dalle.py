"""DALL-E in training: what it reads, how its losses weigh, and that captions come to matter."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from lessons import Lesson

from t2i.models import dvae as coders
from t2i.runtime.errors import UsageError
from t2i.train.prerequisites import Needed
from t2i.train.recipes import dalle
from t2i.train.recipes.dalle import PRESETS, Dalle, silenced

TOY = PRESETS["toy"]


def lesson_of(coder: Needed, settings: dalle.Settings = TOY) -> tuple[Lesson, Dalle]:
    lesson = Lesson("dalle", settings, {"dvae": coder})
    assert isinstance(lesson.recipe, Dalle)
    return lesson, lesson.recipe


def test_losses_weigh_an_eighth_and_seven_and_fill_all_places(
    coder: Needed,
) -> None:
    lesson, recipe = lesson_of(coder, replace(TOY, silent=0.0))
    batch = lesson.dataset.batch(0, 4, seed=0)
    (update,) = recipe.step(batch)
    logits = coders.networks(recipe.network.dvae)["encoder"]
    logits.load_state_dict(recipe.coder["encoder"].state_dict())
    codes = logits(coders.mapped(batch.images[-1])).argmax(dim=1).flatten(1)
    text, image = recipe.transformer(batch.tokens, codes)
    spoken = recipe.transformer.spoken(batch.tokens)
    assert spoken.shape == (4, recipe.network.length)
    told = [
        F.cross_entropy(logits.flatten(0, 1), wanted.flatten())
        for logits, wanted in ((text, spoken[:, 1:]), (image, codes))
    ]
    assert update.terms["text"].item() == pytest.approx(told[0].item() / 8, rel=1e-4)
    assert update.terms["image"].item() == pytest.approx(told[1].item() * 7 / 8, rel=1e-4)


def test_a_silent_caption_ends_where_it_begins() -> None:
    torch.manual_seed(0)
    tokens = torch.tensor([[18, 3, 4, 19]]).repeat(2000, 1)
    found = silenced(tokens, 0.25, vocabulary=20)
    silent = found[:, 1] == 19
    assert 0.2 < silent.float().mean() < 0.3
    assert torch.equal(found[~silent], tokens[~silent])
    assert torch.equal(silenced(tokens, 0.0, vocabulary=20), tokens)


def test_the_learning_rate_rises_and_is_halved(coder: Needed) -> None:
    _, recipe = lesson_of(coder, replace(TOY, warmup_steps=10, halve_at=(50, 60)))
    assert [recipe.rate(step) for step in (0, 4, 9, 49, 50, 60, 99)] == pytest.approx(
        [0.1, 0.5, 1.0, 1.0, 0.5, 0.25, 0.25]
    )


def test_only_weights_of_linear_layers_decay(coder: Needed) -> None:
    _, recipe = lesson_of(coder)
    kept, free = dalle.decayed(recipe.transformer, 0.3)
    names = {weight: name for name, weight in recipe.transformer.named_parameters()}
    assert len(kept["params"]) + len(free["params"]) == len(names)
    assert all(names[weight].endswith("weight") for weight in kept["params"])
    assert {"text.weight", "image.weight", "places", "begin", "rows", "columns"} <= {
        names[weight] for weight in free["params"]
    }


def test_pictures_of_another_size_and_captions_in_words_are_refused(
    coder: Needed,
) -> None:
    with pytest.raises(UsageError, match="32 px, these have 64"):
        lesson_of(coder, replace(TOY, data=replace(TOY.data, px=(64,))))
    with pytest.raises(UsageError, match="byte pairs") as caught:
        lesson_of(coder, replace(TOY, data=replace(TOY.data, tokens=None)))
    assert "tokens=" in caught.value.hint


@pytest.mark.slow
def test_a_birds_own_caption_comes_to_foretell_it_better_than_anothers(
    coder: Needed,
) -> None:
    """Of birds never trained on, whose combinations of colours are new."""
    lesson, recipe = lesson_of(coder)
    lesson.learn(150)
    held = lesson.dataset.fixed(100)
    codes = recipe.codes(held.images[-1])
    with torch.no_grad():
        own, other = (
            F.cross_entropy(recipe.transformer(tokens, codes)[1].transpose(1, 2), codes)
            for tokens in (held.tokens, held.tokens.roll(1, dims=0))
        )
    assert own < other
