"""How likely pixels are whose logits are spread as Laplace's distribution has it."""

import torch
from torch import Tensor


def surprise(pixels: Tensor, location: Tensor, log_scale: Tensor) -> Tensor:
    """Negative log-likelihood of each pixel in (0, 1), all of one shape. Can be negative.

    Source:
        DALL-E, Ramesh et al. 2021, equation 2: f(x | μ, b) = exp(−|logit x − μ| / b) / (2b x(1−x)).
    """
    far = (torch.logit(pixels) - location).abs() * torch.exp(-log_scale)
    return far + log_scale + torch.log(2 * pixels * (1 - pixels))
