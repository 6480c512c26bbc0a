"""What is exported: graphs with named tensors, and the examples they are checked on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from t2i.runtime.bundle import Noise, Tensor

Captions = Literal["short", "mixed", "full"]
"""One or two words; lengths of all kinds; as long as the text may be."""
CAPTIONS: tuple[Captions, ...] = ("mixed", "short", "full")
BATCHES = (2, 1, 5)
"""Traced with the first, compared with PyTorch on all."""

Arrays = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Plan:
    """One graph of a bundle.

    Dynamic sizes are the letters in the shapes: B batch, T tokens.
    """

    role: str
    module: nn.Module
    """Takes the inputs in their order, gives the outputs in theirs."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    examples: Callable[[int, Captions], Arrays]
    """Inputs by name for a batch of captions of this kind."""


@dataclass(frozen=True)
class System:
    """All graphs of a system, and how a host feeds them."""

    plans: tuple[Plan, ...]
    noise: tuple[Noise, ...]
    image_px: int
    condition: Literal["caption", "class", "vector", "none"] = "caption"
    pixels: Literal["truncate", "round"] = "round"


def tokens(batch: int, kind: Captions, length: int, vocabulary: int) -> torch.Tensor:
    """Token ids (B, T) as a tokenizer gives them: words first, zeros after; the same each time."""
    draw = torch.Generator().manual_seed(batch)
    lengths = {
        "short": [1 + i % 2 for i in range(batch)],
        "mixed": [max(1, length * (i + 1) // (batch + 1)) for i in range(batch)],
        "full": [length] * batch,
    }[kind]
    ids = torch.randint(1, vocabulary, (batch, max(lengths)), generator=draw)
    return ids * (torch.arange(ids.shape[1]) < torch.tensor(lengths)[:, None])


def draws(batch: int, size: int, stream: int) -> torch.Tensor:
    """Standard normal numbers (B, size), the same each time for the same arguments."""
    return torch.randn(batch, size, generator=torch.Generator().manual_seed(1000 * stream + batch))
