"""Properties of the vector of known attributes."""

import pytest
import torch

from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.losses import code
from t2i.train.recipes import damsm
from t2i.train.settings import change

SIZES = (3, 2)


def test_each_half_holds_each_attribute_around_its_mean() -> None:
    vector = code.code(torch.tensor([[2, 0]]), SIZES, size=12)
    half = code.HEIGHT * torch.tensor([-1 / 3, -1 / 3, 2 / 3, 1 / 2, -1 / 2, 0])
    torch.testing.assert_close(vector, torch.cat([half, half])[None])


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


def test_a_text_encoder_too_narrow_for_the_attributes_is_refused() -> None:
    settings = change(damsm.PRESETS["toy"], ["text_size=32"])
    source = data.open(settings.data, ready=False).source()
    with pytest.raises(UsageError, match="text_size=32") as caught:
        damsm.Damsm(settings, source, torch.device("cpu"))
    assert str(code.channels(source.attributes)) in caught.value.hint
