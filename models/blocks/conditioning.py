"""From a sentence to a smooth space of conditions."""

import torch
from torch import Tensor, nn


class ConditioningAugmentation(nn.Module):
    """Sample a condition from a Gaussian whose mean and variance the sentence predicts.

    The draw is the caller's: `detail` is standard normal, or zero for the most likely condition.

    Shapes:
        sentence (B, E), detail (B, C) -> condition (B, C), mean (B, C), log_variance (B, C)

    Source:
        StackGAN, Zhang et al. 2017, section 3.2; gated as in StackGAN++. Official name: `CA_NET`.
    """

    def __init__(self, sentence_size: int, condition_size: int) -> None:
        super().__init__()
        # The gate is a sigmoid: it can silence a log variance, but it does not bound it.
        self.project = nn.Sequential(nn.Linear(sentence_size, 4 * condition_size), nn.GLU(dim=1))

    def forward(self, sentence: Tensor, detail: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.project(sentence).chunk(2, dim=1)
        return mean + detail * torch.exp(0.5 * log_variance), mean, log_variance

    @torch.no_grad()
    def calm(self, log_variance: float) -> None:
        """Start near this log variance, not near 0: the draw then moves the condition less."""
        projection = self.project[0]
        assert isinstance(projection, nn.Linear)
        _, spread, _, gate = projection.bias.chunk(4)
        gate.zero_()
        spread.fill_(2 * log_variance)  # an undecided gate halves it
