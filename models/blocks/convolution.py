"""Convolutional blocks of the StackGAN++ family. A gate is the second half of the channels."""

from torch import Tensor, nn


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3 x 3 convolution that keeps height and width; no bias, as a norm or tanh follows."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def up(inputs: int, outputs: int) -> nn.Sequential:
    """Twice the height and width: (B, inputs, H, W) -> (B, outputs, 2H, 2W).

    Source: official name `upBlock`.
    """
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"),
        conv3x3(inputs, 2 * outputs),
        nn.BatchNorm2d(2 * outputs),
        nn.GLU(dim=1),
    )


class Residual(nn.Module):
    """Add a gated correction to (B, C, H, W); nothing follows the sum.

    Source: official name `ResBlock`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            conv3x3(channels, 2 * channels),
            nn.BatchNorm2d(2 * channels),
            nn.GLU(dim=1),
            conv3x3(channels, channels),
            nn.BatchNorm2d(channels),
        )

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.block(hidden)


def down(inputs: int, outputs: int, *, norm: bool = True) -> nn.Sequential:
    """Half the height and width: (B, inputs, H, W) -> (B, outputs, H/2, W/2).

    Source: official name `downBlock`; the first layer of a critic has no norm.
    """
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False),
        *([nn.BatchNorm2d(outputs)] if norm else []),
        nn.LeakyReLU(0.2),
    )


def leaky3x3(inputs: int, outputs: int) -> nn.Sequential:
    """Another number of channels at the same height and width.

    Source: official name `Block3x3_leakRelu`.
    """
    return nn.Sequential(conv3x3(inputs, outputs), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2))
