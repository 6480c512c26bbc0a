"""VGG at work in a recipe: it compares pictures by what it sees, frozen."""

from pathlib import Path

import torch
from torch import Tensor

from t2i.models.encoders.vgg import VggTrunk
from t2i.runtime.errors import UsageError
from t2i.train.prerequisites import read_state


class FrozenVgg:
    """In eval mode and without gradients of its own: they go through it to the pictures."""

    def __init__(self, weights: Path, device: torch.device) -> None:
        """
        Args:
            weights: torchvision's VGG-16; the layers behind the trunk may be there too.

        Raises:
            UsageError: these are weights of another network.
            TrainingError: the file cannot be read.
        """
        self.network = VggTrunk()
        state, own = read_state(weights), self.network.state_dict()
        if any(name not in state or state[name].shape != own[name].shape for name in own):
            raise UsageError(
                f"{weights} does not hold the weights of VGG-16",
                hint="save those of torchvision's vgg16 under its own names: "
                "safetensors.torch.save_file(vgg16(weights=…).state_dict(), FILE)",
            )
        self.network.load_state_dict({name: state[name] for name in own})
        self.network.to(device).eval().requires_grad_(requires_grad=False)

    def maps(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """What it sees in pictures (B, 3, H, W) in [-1, 1]."""
        seen: tuple[Tensor, ...] = self.network(pictures)
        return seen
