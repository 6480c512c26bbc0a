"""What tests of networks share: sizes, and the numbers of official code."""

from collections.abc import Mapping

import torch
from golden import Case
from torch import Tensor, nn

from t2i.models import renames


def parameters(network: nn.Module) -> int:
    return sum(each.numel() for each in network.parameters())


def fill(network: nn.Module, case: Case, table: Mapping[str, str]) -> None:
    """Official weights of a case into one of our networks, set to the case's mode."""
    state = {key: torch.as_tensor(value) for key, value in case.state().items()}
    renames.load(network, renames.rename(state, table))
    network.train("train" in (case.spec.get("mode"), case.settings.get("mode")))


def tensors(case: Case) -> dict[str, Tensor]:
    return {name: torch.from_numpy(value) for name, value in case.inputs().items()}


def check(case: Case, outputs: Mapping[str, Tensor]) -> None:
    """All that the official code gives, and nothing else."""
    assert outputs.keys() == case.expected.keys()
    case.check({name: value.detach().numpy() for name, value in outputs.items()})
