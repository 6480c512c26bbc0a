"""FusedGAN's bundle: captions are read by one graph and drawn by another."""

from t2i.export import sentences
from t2i.export.plan import Host, Plan, picture
from t2i.export.trained import Trained
from t2i.models import fusedgan


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Captions to sentences; sentences and noise to a picture, and the noise by itself to one."""
    sizes: fusedgan.Settings = trained.sizes
    alone = picture(sizes.image_px, "image_alone")
    return sentences.read_and_draw(trained, (picture(sizes.image_px), alone))


def host(trained: Trained) -> Host:
    """`noise` is the structure, `detail` the draw of the conditioning augmentation."""
    sizes: fusedgan.Settings = trained.sizes
    return sentences.host(trained, sizes.image_px)
