"""A small convolutional trunk for pictures, where no pretrained one can be assumed."""

from torch import Tensor, nn

from t2i.models.blocks.resizing import resized
from t2i.runtime.errors import UsageError

STRIDE = 8
"""Pixels of the resized picture along the side of a region."""


class SmallTrunk(nn.Module):
    """See a picture at a low resolution: a map of its regions, and one vector of the whole.

    Three convolutions of stride 2, one that lets neighbouring regions meet, and one more of
    stride 2 for the whole: 25 million multiplications at 64 px and width 32.

    Shapes:
        images (B, 3, H, W) in [-1, 1], resized to `px` -> maps (B, map_size, px/8, px/8),
        pooled (B, pooled_size)
    """

    def __init__(self, width: int, px: int) -> None:
        super().__init__()
        if px < 1 or px % STRIDE:
            raise UsageError(
                f"the small image encoder cannot see pictures of {px} px",
                hint=f"image_px must be a multiple of {STRIDE}, as 64",
            )
        self.px = px
        self.map_size, self.pooled_size = 4 * width, 8 * width
        self.regions = nn.Sequential(
            _seen(3, width, stride=2),
            _seen(width, 2 * width, stride=2),
            _seen(2 * width, 4 * width, stride=2),
            _seen(4 * width, 4 * width),
        )
        self.whole = _seen(4 * width, 8 * width, stride=2)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.regions(resized(images, self.px))
        return maps, self.whole(maps).mean(dim=(2, 3))


def refuse_other_px(trunk: str, own_px: int, asked_px: int) -> None:
    """Of a trunk that, unlike the small one, sees pictures of one size alone.

    Raises:
        UsageError: another one is asked for.
    """
    if asked_px != own_px:
        raise UsageError(
            f"{trunk} sees pictures of {own_px} px, not {asked_px}",
            hint=f"set image_px={own_px}, or image=small",
        )


def _seen(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2),
    )
