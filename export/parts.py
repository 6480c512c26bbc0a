"""The bundle of parts: a picture becomes a map of what each pixel shows."""

import torch
from torch import Tensor, nn

from t2i.export.plan import Captions, Host, Plan, Tensors, draws
from t2i.export.trained import Trained
from t2i.models import parts
from t2i.runtime import bundle

# Any size goes, the graph resizes as in training; what it is checked on is no square.
HEIGHT, WIDTH = 40, 56


class Shares(nn.Module):
    """Probabilities in place of logits: what is compared with PyTorch has one scale."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.network(images).softmax(dim=1),)


def plans(trained: Trained) -> tuple[Plan, ...]:
    """One graph."""
    sizes: parts.Settings = trained.sizes
    shape = ("B", len(sizes.parts), sizes.px, sizes.px)

    def pictures(batch: int, kind: Captions) -> Tensors:
        flat = draws(batch, 3 * HEIGHT * WIDTH, stream=4)
        return {"image": torch.tanh(flat).reshape(batch, 3, HEIGHT, WIDTH)}

    return (
        Plan(
            "image",
            Shares(trained.networks["image"]),
            inputs=(bundle.Tensor("image", "float32", ("B", 3, "H", "W"), (-1.0, 1.0), "BCHW"),),
            outputs=(bundle.Tensor("parts", "float32", shape, (0.0, 1.0), "BCHW"),),
            examples=pictures,
        ),
    )


def host(trained: Trained) -> Host:
    """No words, no noise; but names of the parts."""
    sizes: parts.Settings = trained.sizes
    return Host(image_px=sizes.px, condition="none", parts=sizes.parts)
