"""What the judge's bundle says it reads is what its logits are."""

from types import SimpleNamespace
from typing import Any

from t2i.export import judge
from t2i.export.trained import Trained
from t2i.models import judge as networks

DRAWN: dict[str, list[str]] = {"wing": ["red", "blue", "black"], "crest": ["none", "crest"]}


def trained() -> Trained:
    sizes = networks.Settings(attributes=(3, 2, 2), width=4, features=5, px=32)
    recipe: Any = SimpleNamespace(recipe=SimpleNamespace(data={"attributes": DRAWN}))
    return Trained(recipe, sizes, dict(networks.networks(sizes)), b"")


def test_attributes_are_named_in_the_order_of_the_data_and_facing_comes_last() -> None:
    host = judge.host(trained())
    assert list(host.attributes.items()) == [
        ("wing", ("red", "blue", "black")),
        ("crest", ("none", "crest")),
        ("facing", ("left", "right")),
    ]
    assert (host.condition, host.noise, host.image_px) == ("none", (), 32)


def test_there_is_a_logit_a_value() -> None:
    (plan,) = judge.plans(trained())
    values = judge.host(trained()).attributes.values()
    assert plan.role == "image"
    assert {each.name: each.shape[1] for each in plan.outputs} == {
        "features": 5,
        "attributes": sum(map(len, values)),
    }
