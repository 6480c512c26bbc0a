"""Players at work: who moves, how far, and the running averages of their weights."""

import copy
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from t2i.runtime.errors import TrainingError
from t2i.train.recipe import Player, Update
from t2i.train.settings import Precision

SMALLEST_SCALE = 2.0**-10
"""Loss scale of fp16 below which the gradients are taken to be broken, not just large."""


class Players:
    """The players of one recipe. One *turn* is `learn` for each part of a batch, then `move`."""

    def __init__(
        self, players: Mapping[str, Player], precision: Precision, device: torch.device
    ) -> None:
        self.players = players
        self.averages = {
            name: frozen_copy(player.networks)
            for name, player in players.items()
            if player.average is not None
        }
        self.scalers = {
            name: torch.amp.GradScaler(device.type, enabled=precision == "fp16") for name in players
        }
        self._initial_rates = {
            name: [group["lr"] for group in player.optimiser.param_groups]
            for name, player in players.items()
        }
        self._terms: dict[str, Tensor] = {}

    @property
    def averaged(self) -> dict[str, nn.Module]:
        """Averaged networks by player; the live ones where there is no average."""
        live = {name: player.networks for name, player in self.players.items()}
        return live | self.averages

    @property
    def rates(self) -> dict[str, float]:
        """Learning rate of each player's first parameters."""
        return {
            name: player.optimiser.param_groups[0]["lr"] for name, player in self.players.items()
        }

    def begin(self, step: int) -> None:
        """Set the learning rates of a step, and renew the optimisers whose time has come."""
        for name, player in self.players.items():
            if player.renew_every and step and step % player.renew_every == 0:
                player.optimiser.state.clear()
            if player.schedule is not None:
                factor = player.schedule(step)
                groups = zip(player.optimiser.param_groups, self._initial_rates[name], strict=True)
                for group, rate in groups:
                    group["lr"] = rate * factor

    def learn(self, update: Update, share: float) -> None:
        """Back-propagate `share` of an update, to its own player's parameters only."""
        networks = self.players[update.player].networks
        loss = share * torch.stack([term.float() for term in update.terms.values()]).sum()
        moved = [each for each in networks.parameters() if each.requires_grad]
        self.scalers[update.player].scale(loss).backward(inputs=moved)
        terms = {f"{update.player}.{term}": value for term, value in update.terms.items()}
        for key, value in (terms | update.told).items():
            self._terms[key] = self._terms.get(key, 0) + share * value.detach().float()

    def move(self, name: str, step: int) -> dict[str, float]:
        """Move a player along what it has learnt, and its average after it.

        Returns the terms' values.

        Raises:
            TrainingError: a term or a gradient is not finite; nothing has moved.
        """
        player, scaler = self.players[name], self.scalers[name]
        scaler.unscale_(player.optimiser)
        gradients = [each.grad for each in player.networks.parameters() if each.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        # One wait for the device, instead of one a term.
        *values, length = torch.stack([*self._terms.values(), norm]).tolist()
        terms = dict(zip(self._terms, values, strict=True))
        self._check(name, terms, length, step)
        if player.clip is not None:
            clipped = player.clipped or player.networks
            nn.utils.clip_grad_norm_(clipped.parameters(), player.clip)
        scaler.step(player.optimiser)
        scaler.update()
        player.optimiser.zero_grad()
        self._terms = {}
        if player.average is not None:
            follow(self.averages[name], player.networks, player.average)
        return terms

    def _check(self, name: str, terms: dict[str, float], gradient: float, step: int) -> None:
        hint = "go on from the last checkpoint: --resume, with a lower learning rate by --set"
        for term, value in terms.items():
            if not math.isfinite(value):
                raise TrainingError(f"the loss {term} is {value} at step {step}", hint=hint)
        if math.isfinite(gradient):
            return
        # In fp16 a gradient may overflow: the scaler skips the update and scales less next time.
        if self.scalers[name].is_enabled() and self.scalers[name].get_scale() > SMALLEST_SCALE:
            return
        guilty = next(
            (
                key
                for key, parameter in self.players[name].networks.named_parameters()
                if parameter.grad is not None and not parameter.grad.isfinite().all()
            ),
            "all parameters together",
        )
        raise TrainingError(
            f"the gradient of {name} ({guilty}) is {gradient} at step {step}", hint=hint
        )

    @contextmanager
    def showing(self) -> Iterator[dict[str, nn.Module]]:
        """Averaged networks in eval mode, without gradients; as they were afterwards."""
        averaged = self.averaged
        modes = [
            (module, module.training)
            for network in averaged.values()
            for module in network.modules()
        ]
        for network in averaged.values():
            network.eval()
        try:
            with torch.no_grad():
                yield averaged
        finally:
            for module, training in modes:
                module.training = training

    def tensors(self) -> dict[str, Tensor]:
        """Networks, averages and moments, by names that `load` understands."""
        found: dict[str, Tensor] = {}
        for name, network in self._networks():
            found |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
        for name, player in self.players.items():
            for index, moments in player.optimiser.state_dict()["state"].items():
                for key, value in moments.items():
                    if value is not None:
                        found[f"optimiser.{name}.{index}.{key}"] = torch.as_tensor(value)
        return found

    def scales(self) -> dict[str, dict[str, Any]]:
        """State of the loss scalers."""
        return {name: scaler.state_dict() for name, scaler in self.scalers.items()}

    def load(self, tensors: Mapping[str, Tensor], scales: Mapping[str, dict[str, Any]]) -> None:
        """Take back what `tensors` and `scales` gave.

        Raises:
            RuntimeError: they belong to other networks.
        """
        for name, network in self._networks():
            network.load_state_dict(below(f"{name}.", tensors))
        for name, player in self.players.items():
            moments: dict[int, dict[str, Tensor]] = {}
            for key, value in below(f"optimiser.{name}.", tensors).items():
                index, _, what = key.partition(".")
                moments.setdefault(int(index), {})[what] = value
            groups = player.optimiser.state_dict()["param_groups"]
            player.optimiser.load_state_dict({"state": moments, "param_groups": groups})
            self.scalers[name].load_state_dict(scales[name])

    def _networks(self) -> Iterator[tuple[str, nn.Module]]:
        for name, player in self.players.items():
            yield f"networks.{name}", player.networks
        for name, average in self.averages.items():
            yield f"average.{name}", average


def frozen_copy(network: nn.Module) -> nn.Module:
    """A copy in eval mode that no optimiser moves."""
    return copy.deepcopy(network).eval().requires_grad_(requires_grad=False)


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move an average: parameters by 1 - decay, batch statistics wholly.

    Source:
        AttnGAN's official code averages parameters (0.999) and draws with them in the live
        network, whose batch statistics are therefore the latest.
    """
    for mean, weight in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(weight, 1 - decay)
    for kept, now in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(now)


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, named without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
