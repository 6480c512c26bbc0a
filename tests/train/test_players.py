"""Properties of players: what one turn moves, and what it leaves alone."""

import copy

import pytest
import torch
from torch import Tensor, nn

from t2i.runtime.errors import TrainingError
from t2i.train.players import Players
from t2i.train.recipe import Player, Update

CPU = torch.device("cpu")


def player(networks: nn.Module, rate: float = 0.1, **settings: object) -> Player:
    return Player(networks, torch.optim.SGD(networks.parameters(), lr=rate), **settings)  # type: ignore[arg-type]


def turn(players: Players, name: str, terms: dict[str, Tensor], step: int = 0) -> dict[str, float]:
    players.begin(step)
    players.learn(Update(name, terms), share=1.0)
    return players.move(name, step)


def test_the_average_is_the_closed_form() -> None:
    decay, network = 0.8, nn.Linear(3, 2)
    players = Players({"one": player(network, average=decay)}, "fp32", CPU)
    expected = network.weight.detach().double()
    history = [expected]
    for _ in range(20):
        turn(players, "one", {"size": network(torch.randn(4, 3)).square().mean()})
        history.append(network.weight.detach().double())
    steps = len(history) - 1
    expected = decay**steps * history[0] + sum(
        (1 - decay) * decay ** (steps - n) * history[n] for n in range(1, steps + 1)
    )
    average = players.averaged["one"].get_parameter("weight")
    torch.testing.assert_close(average.double(), expected, atol=1e-6, rtol=0)
    assert not torch.equal(average, network.weight)


def test_batch_statistics_are_copied_not_averaged() -> None:
    network = nn.BatchNorm1d(3)
    players = Players({"one": player(network, average=0.9)}, "fp32", CPU)
    turn(players, "one", {"size": network(torch.randn(8, 3) + 5).square().mean()})
    average = players.averaged["one"]
    assert torch.equal(average.get_buffer("running_mean"), network.get_buffer("running_mean"))
    assert int(average.get_buffer("num_batches_tracked")) == 1


def test_what_is_told_is_averaged_over_parts_and_moves_nothing() -> None:
    network, other = nn.Linear(2, 1), nn.Linear(2, 1)
    other.load_state_dict(network.state_dict())
    told, silent = (Players({"one": player(each)}, "fp32", CPU) for each in (network, other))
    given = torch.randn(4, 2)
    for used in (3, 5):
        loss = network(given).square().mean()
        told.learn(Update("one", {"size": loss}, told={"used": torch.tensor(used)}), share=0.5)
    found = told.move("one", 0)
    turn(silent, "one", {"size": other(given).square().mean()})
    assert found["used"] == 4
    assert set(found) == {"one.size", "used"}
    torch.testing.assert_close(network.weight, other.weight)


def test_only_the_player_moves_and_no_gradient_stays() -> None:
    critic, generator = nn.Linear(2, 1), nn.Linear(3, 2)
    players = Players({"critic": player(critic), "generator": player(generator)}, "fp32", CPU)
    before = copy.deepcopy(critic.state_dict())
    first = copy.deepcopy(generator.state_dict())
    turn(players, "generator", {"fool": critic(generator(torch.randn(4, 3))).mean()})
    assert all(torch.equal(before[name], value) for name, value in critic.state_dict().items())
    assert not torch.equal(first["weight"], generator.weight)
    parameters = [*critic.parameters(), *generator.parameters()]
    assert all(parameter.grad is None for parameter in parameters)


def test_the_terms_of_a_turn_are_summed() -> None:
    together, apart = nn.Linear(2, 1), nn.Linear(2, 1)
    apart.load_state_dict(together.state_dict())
    inputs = torch.randn(4, 2)
    players = Players({"a": player(together), "b": player(apart)}, "fp32", CPU)
    terms = turn(
        players, "a", {"size": together(inputs).square().mean(), "mean": together(inputs).mean()}
    )
    turn(players, "b", {"sum": apart(inputs).square().mean() + apart(inputs).mean()})
    torch.testing.assert_close(together.weight, apart.weight)
    assert list(terms) == ["a.size", "a.mean"]


def test_a_schedule_is_a_factor_of_the_first_rate() -> None:
    players = Players(
        {"one": player(nn.Linear(1, 1), rate=0.5, schedule=lambda step: 0.5**step)}, "fp32", CPU
    )
    seen = []
    for step in (0, 1, 3, 1):  # a function of the step alone, so that resuming needs nothing
        players.begin(step)
        seen.append(players.rates["one"])
    assert seen == [0.5, 0.25, 0.0625, 0.25]


def test_a_renewed_optimiser_has_no_moments() -> None:
    network = nn.Linear(2, 1)
    adam = torch.optim.Adam(network.parameters(), lr=0.1)
    players = Players({"one": Player(network, adam, renew_every=3)}, "fp32", CPU)
    counts = []
    for step in range(7):
        turn(players, "one", {"size": network(torch.ones(1, 2)).square().sum()}, step)
        counts.append(int(adam.state[network.weight]["step"]))
    assert counts == [1, 2, 3, 1, 2, 3, 1]


def test_the_gradient_is_bounded_only_where_it_should_be() -> None:
    networks = nn.ModuleDict({"text": nn.Linear(2, 1, bias=False), "image": nn.Linear(2, 1)})
    first = copy.deepcopy(networks)
    settings = player(networks, rate=1.0, clip=0.5, clipped=networks["text"])
    players = Players({"both": settings}, "fp32", CPU)
    inputs = torch.full((1, 2), 100.0)
    turn(players, "both", {"sum": networks["text"](inputs).sum() + networks["image"](inputs).sum()})
    moved = {
        name: (networks[name].weight - first[name].weight).norm().item()
        for name in ("text", "image")
    }
    assert moved["text"] == pytest.approx(0.5, rel=1e-4)
    assert moved["image"] == pytest.approx(100 * 2**0.5, rel=1e-4)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_named_and_moves_nothing(bad: float) -> None:
    network = nn.Linear(2, 1)
    first = network.weight.detach().clone()
    players = Players({"critic": player(network)}, "fp32", CPU)
    terms = {"good": network(torch.ones(1, 2)).sum(), "bad": network(torch.ones(1, 2)).sum() * bad}
    with pytest.raises(TrainingError, match=r"critic\.bad .* at step 12") as caught:
        turn(players, "critic", terms, step=12)
    assert "--resume" in caught.value.hint
    assert torch.equal(network.weight, first)


def test_a_gradient_that_is_not_finite_is_named_with_its_parameter() -> None:
    network = nn.Linear(1, 1)
    with torch.no_grad():
        network.weight.zero_()
        network.bias.zero_()
    players = Players({"one": player(network)}, "fp32", CPU)
    root = network(torch.ones(1, 1)).sqrt().sum()  # finite, with an infinite slope
    with pytest.raises(TrainingError, match=r"gradient of one \(weight\) is inf at step 3"):
        turn(players, "one", {"root": root}, step=3)


def test_what_is_saved_is_what_is_loaded() -> None:
    def made() -> tuple[nn.Module, Players]:
        network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
        adam = torch.optim.AdamW(network.parameters(), lr=0.1)
        return network, Players({"one": Player(network, adam, average=0.5)}, "fp32", CPU)

    (network, one), (_, other) = made(), made()
    for _ in range(3):
        turn(one, "one", {"size": network(torch.randn(4, 3)).square().mean()})
    tensors = {name: value.clone() for name, value in one.tensors().items()}
    other.load(tensors, one.scales())
    again = other.tensors()
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], value) for name, value in tensors.items())


def test_showing_leaves_the_modes_as_they_were() -> None:
    network = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    network.append(nn.Linear(1, 1))
    players = Players({"one": player(network)}, "fp32", CPU)
    with players.showing() as averaged:
        assert averaged["one"] is network
        assert not any(module.training for module in network.modules())
        assert not network(torch.ones(1, 1)).requires_grad
    assert [module.training for module in network.modules()] == [True, True, False, True]
