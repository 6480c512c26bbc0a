"""The judge's bundle: a picture becomes features, and a reading of every attribute."""

import torch

from t2i.export.plan import Captions, Host, Plan, Tensors, draws
from t2i.export.trained import Trained
from t2i.models import judge
from t2i.runtime import bundle

# Any size goes, the graph resizes as in training; what it is checked on is no square.
HEIGHT, WIDTH = 72, 88


def plans(trained: Trained) -> tuple[Plan, ...]:
    """One graph."""
    sizes: judge.Settings = trained.sizes

    def pictures(batch: int, kind: Captions) -> Tensors:
        flat = draws(batch, 3 * HEIGHT * WIDTH, stream=4)
        return {"image": torch.tanh(flat).reshape(batch, 3, HEIGHT, WIDTH)}

    return (
        Plan(
            "image",
            trained.networks["image"],
            inputs=(bundle.Tensor("image", "float32", ("B", 3, "H", "W"), (-1.0, 1.0), "BCHW"),),
            outputs=(
                bundle.Tensor("features", "float32", ("B", sizes.features)),
                bundle.Tensor("attributes", "float32", ("B", sum(sizes.attributes))),
            ),
            examples=pictures,
        ),
    )


def host(trained: Trained) -> Host:
    """No words, no noise; what is read is named by the data that it was learnt from."""
    sizes: judge.Settings = trained.sizes
    drawn: dict[str, list[str]] = trained.recipe.data["attributes"]
    read = {name: tuple(values) for name, values in drawn.items()}
    return Host(image_px=sizes.px, condition="none", attributes={**read, "facing": judge.FACING})
