"""Text to image on the edge: draw captions with exported networks, without PyTorch.

>>> painter = t2i.load("birds")
>>> painter("a red bird", seed=7).save("bird.png")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from t2i.runtime import score
    from t2i.runtime.draw import Painter, load
    from t2i.runtime.errors import BundleError, T2IError

__version__ = "0.1.0"
__all__ = ["BundleError", "Painter", "T2IError", "load", "score"]

# `import t2i` must cost nothing: each name is fetched from its module at its first use.
_HOMES = {
    "BundleError": "t2i.runtime.errors",
    "Painter": "t2i.runtime.draw",
    "T2IError": "t2i.runtime.errors",
    "load": "t2i.runtime.draw",
}


def __getattr__(name: str) -> Any:
    if name == "score":
        return import_module("t2i.runtime.score")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 't2i' has no attribute {name!r}")
