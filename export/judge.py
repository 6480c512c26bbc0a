"""The judge's bundle: a picture becomes features, and a reading of every attribute."""

from t2i.export.plan import PICTURE, Host, Plan, pictures
from t2i.export.trained import Trained
from t2i.models import judge
from t2i.runtime import bundle


def plans(trained: Trained) -> tuple[Plan, ...]:
    """One graph."""
    sizes: judge.Settings = trained.sizes

    return (
        Plan(
            "image",
            trained.networks["image"],
            inputs=(PICTURE,),
            outputs=(
                bundle.Tensor("features", "float32", ("B", sizes.features)),
                bundle.Tensor("attributes", "float32", ("B", sum(sizes.attributes))),
            ),
            examples=pictures(stream=4),
        ),
    )


def host(trained: Trained) -> Host:
    """No words, no noise; what is read is named by the data that it was learnt from."""
    sizes: judge.Settings = trained.sizes
    drawn: dict[str, list[str]] = trained.recipe.data["attributes"]
    read = {name: tuple(values) for name, values in drawn.items()}
    return Host(image_px=sizes.px, condition="none", attributes={**read, "facing": judge.FACING})
