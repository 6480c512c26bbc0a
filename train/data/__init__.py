"""Pictures with captions: drawn birds, folders, CUB-200-2011; all behind one `Dataset`."""

from t2i.train.data.settings import Settings, Split
from t2i.train.data.sources import open

__all__ = ["Settings", "Split", "open"]
