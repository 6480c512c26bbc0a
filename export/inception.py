"""Inception's bundle: a picture becomes the features of FID and the logits of Inception Score."""

import torch

from t2i.export.plan import Captions, Host, Plan, Tensors, draws
from t2i.export.trained import Trained
from t2i.models import inception
from t2i.runtime import bundle

# Any size goes, the graph resizes; what it is checked on is no square.
HEIGHT, WIDTH = 72, 88


def plans(trained: Trained) -> tuple[Plan, ...]:
    """One graph."""
    sizes: inception.Settings = trained.sizes
    network = trained.networks["image"]
    assert isinstance(network, inception.Inception)

    def pictures(batch: int, kind: Captions) -> Tensors:
        flat = draws(batch, 3 * HEIGHT * WIDTH, stream=5)
        return {"image": torch.tanh(flat).reshape(batch, 3, HEIGHT, WIDTH)}

    return (
        Plan(
            "image",
            network,
            inputs=(bundle.Tensor("image", "float32", ("B", 3, "H", "W"), (-1.0, 1.0), "BCHW"),),
            outputs=(
                bundle.Tensor("features", "float32", ("B", network.fc.in_features)),
                bundle.Tensor("logits", "float32", ("B", sizes.kinds)),
            ),
            examples=pictures,
        ),
    )


def host(trained: Trained) -> Host:
    """No words, no noise; kinds are named where the training named them."""
    sizes: inception.Settings = trained.sizes
    return Host(image_px=sizes.px, condition="none")
