"""StackGAN's bundle: captions are read by one graph and drawn by another, in both stages."""

from t2i.export import sentences
from t2i.export.plan import Host, Plan, picture
from t2i.export.trained import Trained
from t2i.models import stackgan


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Captions to sentences; sentences and noise to the pictures of both stages."""
    sizes: stackgan.Settings = trained.sizes
    small = picture(sizes.first_px, f"image_{sizes.first_px}")
    return sentences.read_and_draw(trained, (picture(sizes.image_px), small))


def host(trained: Trained) -> Host:
    """Pictures as large as stage II draws them; the draws of both conditions are one input."""
    sizes: stackgan.Settings = trained.sizes
    return sentences.host(trained, sizes.image_px)
