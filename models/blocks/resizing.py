"""Pictures of one size for a network that sees any."""

import torch.nn.functional as F
from torch import Tensor


def resized(images: Tensor, px: int) -> Tensor:
    """Pictures (B, 3, H, W) -> (B, 3, px, px); averaged where they are larger.

    In float32, because the gradient exists in half precision on some devices only.
    """
    # Antialiasing does nothing when a picture grows, and keeps thin lines when it shrinks.
    return F.interpolate(
        images.float(), (px, px), mode="bilinear", align_corners=False, antialias=True
    )
