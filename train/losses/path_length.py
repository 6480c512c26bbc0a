"""How far a picture moves for a step of its latents, which is to be as far everywhere."""

import torch
from torch import Tensor, nn
from torch.autograd import grad


def lengths(pictures: Tensor, noise: Tensor, latents: Tensor) -> Tensor:
    """How far each picture moves, along a random direction in all its pixels: (B,).

    Shapes:
        pictures (B, 3, H, W), which were drawn from latents (B, L, S); noise as pictures, standard
        normal

    Source: StyleGAN2, Karras et al. 2020, equation 4; the mean over layers is the official code's.
    """
    height, width = pictures.shape[2:]
    along = (pictures.float() * noise).sum() / (height * width) ** 0.5
    (slope,) = grad(along, latents, create_graph=True)
    return slope.float().square().sum(dim=2).mean(dim=1).sqrt()


class PathLength(nn.Module):
    """The squared distance of lengths from their running mean, which goes with a checkpoint.

    Source: section 3.2; official name `g_path_regularize`.
    """

    mean: Tensor

    def __init__(self, decay: float = 0.01) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, found: Tensor) -> Tensor:
        mean = self.mean.lerp(found.mean(), self.decay)
        self.mean = mean.detach()
        return (found - mean).square().mean()
