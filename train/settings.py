"""Settings of the loop, and how `--set key=value` changes any setting of a recipe."""

from dataclasses import dataclass
from typing import Literal

Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class LoopSettings:
    """How long and how to train; nothing here belongs to a paper."""

    steps: int
    batch_size: int
    """Pictures of one step."""
    sample_every: int
    """Steps between two grids of sample pictures; 0 = none."""
    checkpoint_every: int
    """Steps between two checkpoints."""
    seed: int = 0
    """Decides the first weights, every draw, and the order of the pictures."""
    precision: Precision = "fp32"
    """Arithmetic of the networks; fp16 needs CUDA."""
    accumulate: int = 1
    """In how many equal parts a batch passes through the networks, to save memory."""
    compile: bool = False
    """Compile the networks: slower to start, then faster."""
    keep: int = 3
    """How many of the newest checkpoints stay."""
    threads: int | None = None
    """CPU threads; None = torch's choice."""
    workers: int = 0
    """Processes that prepare batches; 0 = none but this one."""
