"""Weights of other systems that a training starts from: where they are taken from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from t2i.runtime.runs import Recipe


@dataclass(frozen=True)
class Needed:
    """A trained prerequisite."""

    state: "dict[str, Tensor]"
    """Its exported weights: `PREFIX.PARAMETER`, float32."""
    recipe: "Recipe"
    sha256: str
    """Hash of its `weights.safetensors`."""
    origin: str
    """Where it comes from, for people."""
