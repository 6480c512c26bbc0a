"""The bundle of StackGAN's stage I: captions are read by one graph and drawn by another."""

from t2i.export import sentences
from t2i.export.plan import Host, Plan, picture
from t2i.export.trained import Trained
from t2i.models import stackgan1


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Captions to sentences; sentences and noise to pictures."""
    sizes: stackgan1.Settings = trained.sizes
    return sentences.read_and_draw(trained, (picture(sizes.first_px),))


def host(trained: Trained) -> Host:
    """Pictures as large as stage I draws them."""
    sizes: stackgan1.Settings = trained.sizes
    return sentences.host(trained, sizes.first_px)
