"""Convolutions that cannot make a map grow."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TINY = 1e-12
"""Added to a norm before it divides."""


class SpectralConv2d(nn.Conv2d):
    """A convolution whose weight is divided by its largest singular value, as last estimated.

    Every forward pass takes one step of the power iteration, in eval mode as in training, so what
    it gives depends a little on how often it was asked before. Gradients reach the weight through
    its norm too; the singular vectors count as constants, the latest ones when gradients are taken.

    Source:
        Miyato et al. 2018, algorithm 1. Official name: DM-GAN's `SpectralNorm`, which keeps
        `weight_bar`, `weight_u` and `weight_v`: our `weight`, `left` and `right`.
    """

    left: Tensor
    right: Tensor

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding)
        self.register_buffer("left", _unit(torch.randn(outputs)))
        self.register_buffer("right", _unit(torch.randn(inputs * kernel * kernel)))

    def forward(self, maps: Tensor) -> Tensor:
        # In float32, because the estimate would not settle in half precision.
        with torch.autocast(maps.device.type, enabled=False):
            weight = self.weight / self.norm()
        return F.conv2d(maps, weight, self.bias, self.stride, self.padding)

    def norm(self) -> Tensor:
        """The largest singular value of the weight as a matrix (outputs, the rest), estimated."""
        matrix = self.weight.flatten(1)
        # Replaced, not written into: earlier passes may still wait for their gradients.
        self.right.data = _unit(matrix.detach().T @ self.left)
        self.left.data = _unit(matrix.detach() @ self.right)
        return self.left @ (matrix @ self.right)


def _unit(vector: Tensor) -> Tensor:
    return vector / (vector.norm() + TINY)
