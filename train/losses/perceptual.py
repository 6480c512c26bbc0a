"""How differently a network sees generated and real pictures."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def squared(seen: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Mean squared distance of maps (B, C, H, W), summed over the maps of a network.

    Source:
        Johnson et al. 2016, equation 2: each map's distance is divided by C·H·W.
    """
    return torch.stack([F.mse_loss(a, b) for a, b in zip(seen, wanted, strict=True)]).sum()
