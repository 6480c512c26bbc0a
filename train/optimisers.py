"""How networks move: Adam, as nearly all these papers have it."""

import torch
from torch import nn


def adam(
    networks: nn.Module, rate: float, betas: tuple[float, float] = (0.5, 0.999)
) -> torch.optim.Adam:
    """What moves all parameters that aren't frozen.

    Source:
        Radford, Metz and Chintala 2016 (DCGAN), section 4, for the first moment's 0.5.
    """
    learning = [each for each in networks.parameters() if each.requires_grad]
    return torch.optim.Adam(learning, rate, betas)
