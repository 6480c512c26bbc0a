"""DAMSM's bundle: captions and pictures become vectors that can be compared."""

import torch

from t2i.export.plan import Captions, Host, Plan, Tensors, captions, draws
from t2i.export.trained import Trained
from t2i.models import damsm
from t2i.runtime import bundle

# Any size goes, the graph resizes as in training; what it is checked on is no square.
HEIGHT, WIDTH = 72, 88


def plans(trained: Trained) -> tuple[Plan, ...]:
    """One graph a side."""
    sizes: damsm.Settings = trained.sizes
    E, R = sizes.text_size, sizes.regions

    def tokens(batch: int, kind: Captions) -> Tensors:
        return {"tokens": captions(trained, batch, kind)}

    def pictures(batch: int, kind: Captions) -> Tensors:
        flat = draws(batch, 3 * HEIGHT * WIDTH, stream=3)
        return {"image": torch.tanh(flat).reshape(batch, 3, HEIGHT, WIDTH)}

    text = Plan(
        "text",
        trained.networks["text"],
        inputs=(bundle.Tensor("tokens", "int64", ("B", "T")),),
        outputs=(
            bundle.Tensor("sentence", "float32", ("B", E)),
            bundle.Tensor("words", "float32", ("B", E, "T")),
            bundle.Tensor("mask", "bool", ("B", "T")),
        ),
        examples=tokens,
    )
    image = Plan(
        "image",
        trained.networks["image"],
        inputs=(bundle.Tensor("image", "float32", ("B", 3, "H", "W"), (-1.0, 1.0), "BCHW"),),
        outputs=(
            bundle.Tensor("regions", "float32", ("B", E, R, R)),
            bundle.Tensor("code", "float32", ("B", E)),
        ),
        examples=pictures,
    )
    return text, image


def host(trained: Trained) -> Host:
    """No noise; pictures are best given at the size at which they are seen."""
    sizes: damsm.Settings = trained.sizes
    return Host(image_px=sizes.image_px)
