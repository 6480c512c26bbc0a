"""PPAN's bundle is wired as HDGAN's: one graph reads captions, one draws all levels at once."""

from t2i.export import hdgan
from t2i.export.plan import Host, Plan
from t2i.export.trained import Trained


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Captions to sentences; sentences and noise to pictures."""
    return hdgan.plans(trained)


def host(trained: Trained) -> Host:
    """Noise as in the paper; pictures as large as the largest."""
    return hdgan.host(trained)
