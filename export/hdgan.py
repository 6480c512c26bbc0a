"""HDGAN's bundle: captions are read by one graph and drawn, at all sizes, by another."""

from t2i.export import sentences
from t2i.export.plan import Host, Plan, picture
from t2i.export.trained import Trained
from t2i.models import hdgan


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Captions to sentences, where they are read; sentences and noise to pictures.

    The largest is `image`, the others tell their size.
    """
    sizes: hdgan.Settings = trained.sizes
    largest, *smaller = reversed(sizes.drawn_px)
    others = (picture(px, f"image_{px}") for px in smaller)
    return sentences.read_and_draw(trained, (picture(largest), *others))


def host(trained: Trained) -> Host:
    """Noise as in the paper; pictures as large as the largest."""
    sizes: hdgan.Settings = trained.sizes
    return sentences.host(trained, sizes.drawn_px[-1])
