"""DAMSM's bundle: captions and pictures become vectors that can be compared."""

import torch

from t2i.export import plan
from t2i.export.trained import Trained
from t2i.models import damsm
from t2i.runtime import bundle


def system(trained: Trained) -> plan.System:
    """One graph a side."""
    sizes: damsm.Settings = trained.sizes
    E, R, px = sizes.text_size, sizes.regions, sizes.image_px

    def captions(batch: int, kind: plan.Captions) -> plan.Arrays:
        length = trained.recipe.text.length
        return {"tokens": plan.tokens(batch, kind, length, sizes.vocabulary)}

    def pictures(batch: int, kind: plan.Captions) -> plan.Arrays:
        flat = plan.draws(batch, 3 * px * px, stream=3)
        return {"image": torch.tanh(flat).reshape(batch, 3, px, px)}

    text = plan.Plan(
        "text",
        trained.networks["text"],
        inputs=(bundle.Tensor("tokens", "int64", ("B", "T")),),
        outputs=(
            bundle.Tensor("sentence", "float32", ("B", E)),
            bundle.Tensor("words", "float32", ("B", E, "T")),
            bundle.Tensor("mask", "bool", ("B", "T")),
        ),
        examples=captions,
    )
    image = plan.Plan(
        "image",
        trained.networks["image"],
        inputs=(bundle.Tensor("image", "float32", ("B", 3, px, px), (-1.0, 1.0), "BCHW"),),
        outputs=(
            bundle.Tensor("regions", "float32", ("B", E, R, R)),
            bundle.Tensor("code", "float32", ("B", E)),
        ),
        examples=pictures,
    )
    return plan.System(plans=(text, image), noise=(), image_px=px)
