"""What the bundle of parts says of its map is what its network gives."""

from types import SimpleNamespace
from typing import Any

import torch

from t2i.export import parts
from t2i.export.trained import Trained
from t2i.models import parts as networks

SIZES = networks.Settings(("nothing", "wing", "head"), width=4, px=16)


def trained() -> Trained:
    recipe: Any = SimpleNamespace(recipe=SimpleNamespace())
    made = networks.networks(SIZES)["image"].eval()
    return Trained(recipe, SIZES, {"image": made}, b"")


def test_there_is_a_map_a_part_and_the_parts_have_names() -> None:
    (plan,) = parts.plans(trained())
    host = parts.host(trained())
    assert plan.role == "image"
    assert [(each.name, each.shape) for each in plan.outputs] == [("parts", ("B", 3, 16, 16))]
    assert (host.parts, host.condition, host.noise) == (SIZES.parts, "none", ())
    assert host.image_px == 16


def test_the_map_holds_probabilities() -> None:
    with torch.no_grad():
        (shares,) = parts.plans(trained())[0].module(torch.randn(2, 3, 20, 24))
    torch.testing.assert_close(shares.sum(1), torch.ones(2, 16, 16))
    assert shares.min() >= 0
