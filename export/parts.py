"""The bundle of parts: a picture becomes a map of what each pixel shows."""

from torch import Tensor, nn

from t2i.export.plan import PICTURE, Host, Plan, pictures
from t2i.export.trained import Trained
from t2i.models import parts
from t2i.runtime import bundle

SIDES = (40, 56)
"""Height and width of what the graph is checked on: no square."""


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

    return (
        Plan(
            "image",
            Shares(trained.networks["image"]),
            inputs=(PICTURE,),
            outputs=(bundle.Tensor("parts", "float32", shape, (0.0, 1.0), "BCHW"),),
            examples=pictures(SIDES, stream=4),
        ),
    )


def host(trained: Trained) -> Host:
    """No words, no noise; but names of the parts."""
    sizes: parts.Settings = trained.sizes
    return Host(image_px=sizes.px, condition="none", parts=sizes.parts)
