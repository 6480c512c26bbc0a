"""Layers whose weights are stored with unit variance, and scaled whenever they are used.

Adam's steps do not depend on how large gradients are, so all these weights learn at one speed.

Source:
    Progressive GAN, Karras et al. 2018, section 4.1: the equalised learning rate. Official names
    are those of rosinality/stylegan2-pytorch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def activate(hidden: Tensor) -> Tensor:
    """A leaky rectifier after which the variance is about what it was.

    Source: official name `FusedLeakyReLU`, whose bias belongs to the layer before it here.
    """
    return F.leaky_relu(hidden, 0.2) * 2**0.5


class EqualLinear(nn.Module):
    """A linear layer: (..., inputs) -> (..., outputs).

    Args:
        bias: its first value.
        rate: learns so many times as fast. What is stored is larger by as much the slower it is.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.scale, self.rate = rate / inputs**0.5, rate

    def forward(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.weight * self.scale, self.bias * self.rate)


class EqualConv2d(nn.Module):
    """A convolution: (B, inputs, H, W) -> (B, outputs, H', W'); no padding, unless it is said."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = (inputs * kernel**2) ** -0.5
        self.stride, self.padding = stride, padding

    def forward(self, maps: Tensor) -> Tensor:
        return F.conv2d(maps, self.weight * self.scale, self.bias, self.stride, self.padding)
