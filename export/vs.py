"""VS similarity's bundle: captions and pictures become directions that can be compared."""

from torch import Tensor, nn

from t2i.export.plan import PICTURE, TOKENS, Host, Plan, pictures, tokens
from t2i.export.trained import Trained
from t2i.models import vs
from t2i.runtime import bundle


def plans(trained: Trained) -> tuple[Plan, ...]:
    """One graph a side."""
    sizes: vs.Settings = trained.sizes
    space = trained.networks["space"]
    assert isinstance(space, vs.Space)

    text = Plan(
        "text",
        Reading(trained.networks["text"], space),
        inputs=(TOKENS,),
        outputs=(bundle.Tensor("sentence", "float32", ("B", sizes.space_size)),),
        examples=tokens(trained),
    )
    image = Plan(
        "image",
        Seeing(trained.networks["image"], space),
        inputs=(PICTURE,),
        outputs=(bundle.Tensor("code", "float32", ("B", sizes.space_size)),),
        examples=pictures(),
    )
    return text, image


def host(trained: Trained) -> Host:
    """No noise; pictures are best given at the size at which they are seen."""
    sizes: vs.Settings = trained.sizes
    return Host(image_px=sizes.image_px)


class Reading(nn.Module):
    """Where a caption lies in the space."""

    def __init__(self, encoder: nn.Module, space: vs.Space) -> None:
        super().__init__()
        self.encoder, self.space = encoder, space

    def forward(self, tokens: Tensor) -> tuple[Tensor]:
        return (self.space.place_sentence(self.encoder(tokens)),)


class Seeing(nn.Module):
    """Where a picture lies in the space."""

    def __init__(self, trunk: nn.Module, space: vs.Space) -> None:
        super().__init__()
        self.trunk, self.space = trunk, space

    def forward(self, image: Tensor) -> tuple[Tensor]:
        _, pooled = self.trunk(image)
        return (self.space.place_image(pooled),)
