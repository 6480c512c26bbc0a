"""Properties of the vector of known attributes."""

import pytest
import torch

from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.losses import code
from t2i.train.recipe import RecipeModule
from t2i.train.recipes import charcnnrnn, damsm
from t2i.train.settings import change

SIZES = (3, 2)


def test_each_half_holds_each_attribute_around_its_mean() -> None:
    vector = code.code(torch.tensor([[2, 0]]), SIZES, size=12)
    half = code.HEIGHT * torch.tensor([-1 / 3, -1 / 3, 2 / 3, 1 / 2, -1 / 2, 0])
    torch.testing.assert_close(vector, torch.cat([half, half])[None])


def test_once_is_one_of_the_halves() -> None:
    attributes = torch.tensor([[2, 0], [1, 1]])
    single = code.single(attributes, SIZES, size=6)
    assert torch.equal(code.code(attributes, SIZES, size=12), torch.cat([single, single], dim=1))
    assert single.shape == (2, 6)


def test_a_combination_is_the_sum_of_what_it_combines() -> None:
    """What one attribute adds does not depend on the others: seen pairs tell of unseen ones."""
    codes = {
        (a, b): code.code(torch.tensor([[a, b]]), SIZES, size=code.channels(SIZES))
        for a in range(3)
        for b in range(2)
    }
    torch.testing.assert_close(codes[2, 1] - codes[0, 1], codes[2, 0] - codes[0, 0])


def test_the_distance_is_a_squared_length() -> None:
    vectors = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    assert code.distance(vectors, torch.zeros(2, 2)) == (25 + 1) / 2


@pytest.mark.parametrize("recipe", [damsm, charcnnrnn])
def test_a_text_encoder_too_narrow_for_the_attributes_is_refused(recipe: RecipeModule) -> None:
    settings = change(recipe.PRESETS["birds"], ["text_size=32"])
    source = data.open(settings.data, ready=False).source()
    needed = code.channels(source.attributes) if recipe is damsm else sum(source.attributes)
    with pytest.raises(UsageError, match="text_size=32") as caught:
        recipe.build(settings, source, {}, torch.device("cpu"))
    assert f"at least {needed}" in caught.value.hint
