"""Convolutions that a latent steers."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models.blocks.equalised import EqualLinear
from t2i.models.blocks.resampling import Resample

TINY = 1e-8
"""Added before a root divides."""


class ModulatedConv2d(nn.Module):
    """A convolution whose weights a latent scales, input channel by input channel.

    Demodulated, each of them is scaled again, output channel by output channel, to length 1.

    Shapes:
        maps (B, inputs, H, W), latent (B, S) -> (B, outputs, H, W), or twice as large for `up`

    Source: StyleGAN2, Karras et al. 2020, section 2.2. Official name `ModulatedConv2d`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        style_size: int,
        *,
        up: bool = False,
        demodulate: bool = True,
        grouped: bool = False,
    ) -> None:
        """
        Args:
            demodulate: keep the length of the weights of each output channel.
            grouped: work `by_groups`.
        """
        super().__init__()
        # In front there is a place for the pictures of a batch, as in the official code.
        self.weight = nn.Parameter(torch.randn(1, outputs, inputs, kernel, kernel))
        self.modulation = EqualLinear(style_size, inputs, bias=1.0)
        self.scale = (inputs * kernel**2) ** -0.5
        self.padding = kernel // 2
        self.demodulate, self.grouped = demodulate, grouped
        self.blur = Resample((1, 1), gain=4.0) if up else None

    def forward(self, maps: Tensor, latent: Tensor) -> Tensor:
        style = self.modulation(latent)
        return self.by_groups(maps, style) if self.grouped else self.apart(maps, style)

    def apart(self, maps: Tensor, style: Tensor) -> Tensor:
        """Weights as they are; the style goes to the input, what demodulates to the output."""
        hidden = self.convolve(maps * style[:, :, None, None], self.scale * self.weight)
        if not self.demodulate:
            return hidden
        # In the weights' own precision: squares and their sums would be coarse in half of it.
        with torch.autocast(maps.device.type, enabled=False):
            energy = (self.scale * self.weight[0]).square().sum(dim=(2, 3))
            lengths = (style.to(energy.dtype).square() @ energy.T + TINY).rsqrt()
        return hidden * lengths[:, :, None, None]

    def by_groups(self, maps: Tensor, style: Tensor) -> Tensor:
        """Weights of its own for each picture, all pictures side by side as channels."""
        weight = self.scale * self.weight * style[:, None, :, None, None]
        if self.demodulate:
            weight = weight * (weight.square().sum(dim=(2, 3, 4), keepdim=True) + TINY).rsqrt()
        hidden = self.convolve(maps.reshape(1, -1, *maps.shape[2:]), weight)
        return hidden.reshape(len(maps), -1, *hidden.shape[2:])

    def convolve(self, maps: Tensor, weight: Tensor) -> Tensor:
        """With weights (groups, outputs, inputs, k, k)."""
        groups = len(weight)
        if self.blur is None:
            return F.conv2d(maps, weight.flatten(0, 1), padding=self.padding, groups=groups)
        turned = weight.transpose(1, 2).flatten(0, 1)
        larger: Tensor = self.blur(F.conv_transpose2d(maps, turned, stride=2, groups=groups))
        return larger
