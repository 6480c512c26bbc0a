"""How far a predicted distribution lies from the one that noise is drawn from."""

import math

import torch
from torch import Tensor


def to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of N(mean, variance) from N(0, 1), averaged over all entries.

    Source:
        StackGAN, Zhang et al. 2017, equation 3; the official code of StackGAN++ and AttnGAN
        averages over the dimensions too (`KL_loss`).
    """
    return -0.5 * torch.mean(1 + log_variance - mean.square() - log_variance.exp())


def to_uniform(logits: Tensor) -> Tensor:
    """Kullback-Leibler divergence of softmax(logits), over dimension 1, from the uniform
    distribution, in each place: (B, K, …) -> (B, …).

    Source:
        DALL-E, Ramesh et al. 2021, appendix A.2: Σ q (ln q + ln K).
    """
    logarithms = logits.log_softmax(dim=1)
    return (logarithms.exp() * logarithms).sum(dim=1) + math.log(logits.shape[1])
