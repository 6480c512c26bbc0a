"""Official names to ours, and weights that do not fit."""

import pytest
import torch
from golden import cases
from torch import Tensor, nn

from t2i.models import attngan, damsm, renames
from t2i.runtime.errors import ExportError

TABLES = {
    "generator_": attngan.RENAMES["generator"],
    "discriminator": attngan.RENAMES["critic"],
    "text_encoder_": damsm.RENAMES["text"],
    "image_encoder_": damsm.RENAMES["image"],
}
OFFICIAL = [
    pytest.param(case.spec["state"], table, id=case.name)
    for case in cases("attngan")
    for beginning, table in TABLES.items()
    if case.name.startswith(beginning)
]


def small() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def weights() -> dict[str, Tensor]:
    return {key: torch.ones_like(value) for key, value in small().state_dict().items()}


@pytest.mark.parametrize(("official", "table"), OFFICIAL)
def test_every_official_name_has_one_of_ours(
    official: dict[str, list[int]], table: dict[str, str]
) -> None:
    ours = [renames.new_name(key, table) for key in official]
    assert None not in ours
    assert len(set(ours)) == len(official)


def test_a_whole_name_wins_over_a_longer_one_that_begins_alike() -> None:
    table = {"code": "a", "code_1": "b", "code.0": "c"}
    assert renames.new_name("code.1.weight", table) == "a.1.weight"
    assert renames.new_name("code_1.weight", table) == "b.weight"
    assert renames.new_name("code.0.weight", table) == "c.weight"
    assert renames.new_name("code_2.weight", table) is None


def test_the_prefix_of_parallel_training_is_dropped() -> None:
    state = renames.rename({"module.fc.weight": torch.ones(1)}, {"fc": "project"})
    assert list(state) == ["project.weight"]


def test_what_is_of_no_use_is_left_out() -> None:
    official = {"counter": torch.ones(1), "fc.weight": torch.ones(1), "aux.fc.bias": torch.ones(1)}
    state = renames.rename(official, {"fc": "project", "counter": "", "aux": ""})
    assert list(state) == ["project.weight"]


def test_names_without_a_place_are_told() -> None:
    state = {f"stranger{i}.weight": torch.ones(1) for i in range(5)}
    with pytest.raises(ExportError, match=r"stranger0.*stranger2\.weight and 2 more") as caught:
        renames.rename(state, {"fc": "project"})
    assert caught.value.hint


def test_weights_arrive_in_the_type_of_the_network() -> None:
    network = small()
    half = {key: value.half() for key, value in weights().items() if value.is_floating_point()}
    renames.load(network, half)
    assert all(bool((each == 1).all()) for each in network.parameters())
    assert all(each.dtype is torch.float32 for each in network.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.weight": None, "1.running_mean": None}, r"missing 0\.weight, 1\.running_mean"),
        ({"2.weight": torch.ones(1)}, r"left over 2\.weight"),
        ({"0.weight": torch.ones(3, 9)}, r"0\.weight is \(3, 9\), not \(3, 2\)"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(
    change: dict[str, Tensor | None], message: str
) -> None:
    network = small()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    given = {key: each for key, each in (weights() | change).items() if each is not None}
    with pytest.raises(ExportError, match=message) as caught:
        renames.load(network, given)
    assert caught.value.hint
    assert all(torch.equal(before[key], each) for key, each in network.state_dict().items())


def test_counters_of_batches_may_be_absent() -> None:
    given = {k: v for k, v in weights().items() if not k.endswith("num_batches_tracked")}
    assert len(given) == len(weights()) - 1
    renames.load(small(), given)
