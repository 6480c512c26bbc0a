"""Maps made larger and smaller through a blur, so that edges do not turn into stairs.

Source: StyleGAN2, Karras et al. 2020; official names are those of rosinality/stylegan2-pytorch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TAPS = (1.0, 3.0, 3.0, 1.0)
"""Weights of the blur along either axis, before they are made to sum to 1."""


def resample(
    maps: Tensor, kernel: Tensor, *, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)
) -> Tensor:
    """Insert zeros, pad, convolve each channel with one kernel, and keep every so many-th pixel.

    It is a true convolution: the kernel is applied backwards.

    Args:
        maps: (B, C, H, W); of each pixel become `up` x `up`, all but the first of them zero.
        pad: pixels before and after, along either axis; negative ones are cut off.

    Source: official name `upfirdn2d`.
    """
    C, H, W = maps.shape[1:]
    if up > 1:
        spread = F.pad(maps.reshape(-1, C, H, 1, W, 1), (0, up - 1, 0, 0, 0, up - 1))
        maps = spread.reshape(-1, C, H * up, W * up)
    kernels = kernel.flip(0, 1).expand(C, 1, *kernel.shape)
    # Not with a stride: its gradient in bfloat16 costs a CPU ten times as much as all these pixels.
    return F.conv2d(F.pad(maps, (*pad, *pad)), kernels, groups=C)[..., ::down, ::down]


class Resample(nn.Module):
    """Blur maps (B, C, H, W), and change their size.

    Source: official names `Blur`, `Upsample` and `Downsample`.
    """

    kernel: Tensor

    def __init__(
        self, pad: tuple[int, int], *, up: int = 1, down: int = 1, gain: float = 1.0
    ) -> None:
        """
        Args:
            gain: what pixels are multiplied by; up² makes up for inserted zeros.
        """
        super().__init__()
        self.up, self.down, self.pad = up, down, pad
        taps = torch.tensor(TAPS) / sum(TAPS)
        # A constant, though official checkpoints hold it.
        self.register_buffer("kernel", gain * torch.outer(taps, taps), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        return resample(maps, self.kernel, up=self.up, down=self.down, pad=self.pad)
