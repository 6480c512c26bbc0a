"""Convolutional blocks of StackGAN: plain rectifiers, where its successors have gates."""

from torch import Tensor, nn

from t2i.models.blocks.convolution import conv3x3


def up(inputs: int, outputs: int) -> nn.Sequential:
    """Twice the height and width: (B, inputs, H, W) -> (B, outputs, 2H, 2W).

    Source: official name `upBlock`.
    """
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"), *rectified3x3(inputs, outputs)
    )


def rectified3x3(inputs: int, outputs: int) -> nn.Sequential:
    """Another number of channels at the same height and width."""
    return nn.Sequential(conv3x3(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU())


class Residual(nn.Module):
    """Add a correction to (B, C, H, W); a rectifier follows the sum.

    Source: official name `ResBlock`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            conv3x3(channels, channels),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            conv3x3(channels, channels),
            nn.BatchNorm2d(channels),
        )
        self.rectify = nn.ReLU()

    def forward(self, hidden: Tensor) -> Tensor:
        return self.rectify(hidden + self.block(hidden))
