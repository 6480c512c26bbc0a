"""The text encoder of a trained char-CNN-RNN at work in another recipe, frozen."""

import torch

from t2i.models import charcnnrnn
from t2i.runtime.records import decode
from t2i.train.players import below
from t2i.train.prerequisites import Needed


class FrozenReader:
    """Captions become sentences, in eval mode and without gradients."""

    def __init__(self, trained: Needed, device: torch.device) -> None:
        self.sizes = decode(charcnnrnn.Settings, trained.recipe.network)
        self.text = charcnnrnn.TextEncoder(self.sizes)
        self.text.load_state_dict(below("text.", trained.state))
        self.text.to(device).eval().requires_grad_(requires_grad=False)
