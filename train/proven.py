"""Networks that a training leaves as they are must have been trained before."""

from torch import nn

from t2i.runtime.errors import TrainingError


def require_trained(network: nn.Module, name: str, *, hint: str) -> None:
    """Look whether a network's batch norms have ever seen a picture.

    Raises:
        TrainingError: they have not: its weights are as they were drawn.
    """
    norms = [each for each in network.modules() if isinstance(each, nn.BatchNorm2d)]
    if not any(bool(each.running_mean.any()) for each in norms if each.running_mean is not None):
        raise TrainingError(f"{name} stays as it is, and was never trained", hint=hint)
