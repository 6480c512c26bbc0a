"""Reading known attributes from a vector, as a loss."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AttributeHeads(nn.Module):
    """One linear reading of each known attribute from a vector (B, E)."""

    def __init__(self, size: int, attributes: tuple[int, ...]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(size, values) for values in attributes)

    def forward(self, vector: Tensor, wanted: Tensor) -> Tensor:
        """Mean cross-entropy over the attributes; wanted (B, A) holds the number of each value."""
        losses = [F.cross_entropy(head(vector), wanted[:, i]) for i, head in enumerate(self.heads)]
        return torch.stack(losses).mean()
