"""char-CNN-RNN's bundle: captions and pictures become vectors that can be compared."""

from torch import Tensor, nn

from t2i.export.plan import FACING, PICTURE, TOKENS, Host, Output, Plan, pictures, tokens
from t2i.export.trained import Trained
from t2i.models import charcnnrnn
from t2i.models.blocks.facing import Facing
from t2i.runtime import bundle, runs


def plans(trained: Trained) -> tuple[Plan, ...]:
    """One graph a side."""
    sizes: charcnnrnn.Settings = trained.sizes
    image = Plan(
        "image",
        Output(trained.networks["image"]),
        inputs=(PICTURE,),
        outputs=(bundle.Tensor("code", "float32", ("B", sizes.text_size)),),
        examples=pictures(),
    )
    return reading(trained, sizes.text_size, None), image


def host(trained: Trained) -> Host:
    """No noise; pictures are best given at the size at which they are seen."""
    sizes: charcnnrnn.Settings = trained.sizes
    return Host(image_px=sizes.image_px)


def reading(trained: Trained, size: int, facing: runs.Facing | None) -> Plan:
    """The text graph of every system that reads a caption as one vector."""
    sentence = bundle.Tensor("sentence", "float32", ("B", size))
    return Plan(
        "text",
        Reading(trained.networks["text"], facing),
        inputs=(TOKENS,),
        outputs=(sentence, FACING) if facing else (sentence,),
        examples=tokens(trained),
    )


class Reading(nn.Module):
    """The sentence; and which way the caption wants the bird to face, where that is asked."""

    def __init__(self, encoder: nn.Module, facing: runs.Facing | None) -> None:
        super().__init__()
        self.encoder = encoder
        self.facing = Facing(facing.left, facing.right) if facing else None

    def forward(self, tokens: Tensor) -> tuple[Tensor, ...]:
        sentence = self.encoder(tokens)
        return (sentence, self.facing(tokens)) if self.facing else (sentence,)
