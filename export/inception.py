"""Inception's bundle: a picture becomes the features of FID and the logits of Inception Score."""

from t2i.export.plan import PICTURE, Host, Plan, pictures
from t2i.export.trained import Trained
from t2i.models import inception
from t2i.runtime import bundle


def plans(trained: Trained) -> tuple[Plan, ...]:
    """One graph."""
    sizes: inception.Settings = trained.sizes
    network = trained.networks["image"]
    assert isinstance(network, inception.Inception)

    return (
        Plan(
            "image",
            network,
            inputs=(PICTURE,),
            outputs=(
                bundle.Tensor("features", "float32", ("B", network.fc.in_features)),
                bundle.Tensor("logits", "float32", ("B", sizes.kinds)),
            ),
            examples=pictures(stream=5),
        ),
    )


def host(trained: Trained) -> Host:
    """No words, no noise; kinds are named where the training named them."""
    sizes: inception.Settings = trained.sizes
    return Host(image_px=sizes.px, condition="none")
