"""Which of DAMSM's networks learn."""

from dataclasses import replace
from typing import Literal

import pytest
import torch

from t2i.train import data
from t2i.train.recipes.damsm import PRESETS, Damsm

Image = Literal["small", "inception"]


@pytest.mark.parametrize(
    ("image", "px", "learns"), [("small", 32, True), ("inception", 299, False)]
)
def test_of_inception_only_the_heads_learn(image: Image, px: int, learns: bool) -> None:
    settings = replace(PRESETS["toy"], image=image, image_px=px)
    source = data.open(settings.data, ready=False).source()
    recipe = Damsm(settings, source, torch.device("cpu"))
    moved = {
        id(p) for group in recipe.players["damsm"].optimiser.param_groups for p in group["params"]
    }
    encoder = recipe.networks["image"]
    assert {id(p) in moved for p in encoder.trunk.parameters()} == {learns}
    for head in (encoder.local, encoder.whole):
        assert all(id(p) in moved for p in head.parameters())
