"""What an engine of TensorRT may use."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """None of them unless they are asked for."""

    dla: int | None = None
    """Core of the deep learning accelerator (Jetson); what it cannot do, the card does."""
    memory_mb: int | None = None
    """Most memory that a layer may work in."""
