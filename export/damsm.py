"""DAMSM's bundle: captions and pictures become vectors that can be compared."""

from t2i.export.plan import PICTURE, TOKENS, Host, Plan, pictures, tokens
from t2i.export.trained import Trained
from t2i.models import damsm
from t2i.runtime import bundle


def plans(trained: Trained) -> tuple[Plan, ...]:
    """One graph a side."""
    sizes: damsm.Settings = trained.sizes
    E, R = sizes.text_size, sizes.regions
    text = Plan(
        "text",
        trained.networks["text"],
        inputs=(TOKENS,),
        outputs=(
            bundle.Tensor("sentence", "float32", ("B", E)),
            bundle.Tensor("words", "float32", ("B", E, "T")),
            bundle.Tensor("mask", "bool", ("B", "T")),
        ),
        examples=tokens(trained),
    )
    image = Plan(
        "image",
        trained.networks["image"],
        inputs=(PICTURE,),
        outputs=(
            bundle.Tensor("regions", "float32", ("B", E, R, R)),
            bundle.Tensor("code", "float32", ("B", E)),
        ),
        examples=pictures(),
    )
    return text, image


def host(trained: Trained) -> Host:
    """No noise; pictures are best given at the size at which they are seen."""
    sizes: damsm.Settings = trained.sizes
    return Host(image_px=sizes.image_px)
