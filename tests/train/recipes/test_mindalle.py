"""min-dalle in training: what each player is asked, and that captions come to matter."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from lessons import Lesson

from t2i.runtime.errors import UsageError
from t2i.train.prerequisites import Needed
from t2i.train.recipes import mindalle
from t2i.train.recipes.mindalle import PRESETS, MinDalle, told

pytestmark = pytest.mark.slow  # pictures are drawn first

TOY = PRESETS["toy"]


def lesson_of(coder: Needed, settings: mindalle.Settings = TOY) -> tuple[Lesson, MinDalle]:
    lesson = Lesson("mindalle", settings, {"dvae": coder})
    assert isinstance(lesson.recipe, MinDalle)
    return lesson, lesson.recipe


def test_tokens_are_those_of_the_smaller_picture_and_the_larger_is_drawn(coder: Needed) -> None:
    lesson, recipe = lesson_of(coder, replace(TOY, silent=0.0))
    batch = lesson.dataset.batch(0, 4, seed=0)
    telling, drawing = recipe.step(batch)
    small, large = batch.images
    codes = recipe.codes(small)
    assert codes.shape == (4, 16)
    logits = told(recipe.transformer, batch.tokens, codes)
    wanted = F.cross_entropy(logits.flatten(0, 1), codes.flatten())
    assert telling.terms["image"].item() == pytest.approx(wanted.item(), rel=1e-4)
    drawn = recipe.detoker(codes.unflatten(1, (4, 4)))
    assert drawn.shape == large.shape == (4, 3, 64, 64)
    wanted = (drawn - (large + 1) / 2).abs().mean()
    assert drawing.terms["pixels"].item() == pytest.approx(wanted.item(), rel=1e-4)


def test_a_picture_begins_with_a_token_that_none_of_its_own_is(coder: Needed) -> None:
    _, recipe = lesson_of(coder)
    sizes = recipe.network
    assert sizes.begin == sizes.image_vocabulary == sizes.detoker.codes
    assert recipe.transformer["decoder"].tokens.num_embeddings == sizes.begin + 1


def test_pictures_of_other_sizes_and_captions_in_words_are_refused(coder: Needed) -> None:
    lesson, _ = lesson_of(coder)
    source = lesson.dataset.source()

    def refused(**changed: object) -> pytest.ExceptionInfo[UsageError]:
        settings = replace(TOY, data=replace(TOY.data, **changed))
        with pytest.raises(UsageError) as caught:
            MinDalle(settings, source, coder, torch.device("cpu"))
        return caught

    for px in ((64,), (64, 128)):
        caught = refused(px=px)
        assert "32 px, of which those of 64 px" in str(caught.value)
        assert "px=32,64" in caught.value.hint
    caught = refused(tokens=None)
    assert "byte pairs" in str(caught.value)
    assert "tokens=" in caught.value.hint


def test_a_birds_own_caption_comes_to_foretell_it_better_than_anothers(coder: Needed) -> None:
    """Of birds never trained on, whose combinations of colours are new."""
    lesson, recipe = lesson_of(coder)
    lesson.learn(100)
    held = lesson.dataset.fixed(100)
    small, large = held.images
    codes = recipe.codes(small)
    with torch.no_grad():
        own, other = (
            F.cross_entropy(told(recipe.transformer, tokens, codes).transpose(1, 2), codes)
            for tokens in (held.tokens, held.tokens.roll(1, dims=0))
        )
        drawn = recipe.detoker(codes.unflatten(1, (4, 4)))
    assert own < other
    grey = (large - large.mean()).abs().mean() / 2
    assert F.l1_loss(drawn, (large + 1) / 2) < grey
