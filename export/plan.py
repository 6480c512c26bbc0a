"""What is exported: graphs with named tensors, and the examples they are checked on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from t2i.export.rewrite import rewrite
from t2i.export.trained import Trained
from t2i.runtime.bundle import Noise, Tensor

Captions = Literal["mixed", "short", "full"]
"""Lengths of all kinds; one or two words; as long as the text may be."""
CAPTIONS: tuple[Captions, ...] = ("mixed", "short", "full")
BATCHES = (2, 1, 5)
"""Traced with the first, compared with PyTorch on all."""

Tensors = Mapping[str, torch.Tensor]
Examples = Callable[[int, Captions], Tensors]
"""Inputs by name for a batch of captions of this kind."""

TOKENS = Tensor("tokens", "int64", ("B", "T"))
FACING = Tensor("facing", "float32", ("B",), (-1.0, 1.0))
"""Which way a caption wants the bird to face."""
PICTURE = Tensor("image", "float32", ("B", 3, "H", "W"), (-1.0, 1.0), "BCHW")
"""Of any size: the graph resizes it, as the training did."""
SIDES = (72, 88)
"""Height and width of what such graphs are checked on: no square."""


@dataclass(frozen=True)
class Plan:
    """One graph of a bundle.

    Dynamic sizes are the letters in the shapes: B batch, T tokens, H height, W width.
    """

    role: str
    module: nn.Module
    """Takes the inputs in their order, gives the outputs in theirs."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    examples: Examples
    rewrite: Callable[[nn.Module], nn.Module] = rewrite
    """To a module that computes the same and is traced in place of this one."""

    @property
    def reads_words(self) -> bool:
        return any("T" in each.shape for each in self.inputs)


@dataclass(frozen=True)
class Host:
    """How a program that runs the graphs feeds them, beside what the plans say."""

    image_px: int
    noise: tuple[Noise, ...] = ()
    condition: Literal["caption", "class", "vector", "none"] = "caption"
    pixels: Literal["truncate", "round"] = "round"
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the `image` graph reads in pictures: each attribute's values, in their order."""
    parts: tuple[str, ...] = ()
    """What the `image` graph tells of each pixel: the part of a bird that it shows."""
    logit_scale: float | None = None
    """What cosines are multiplied by before a softmax, where that was learnt."""


class Output(nn.Module):
    """A network of one output, as graphs have them: one of several."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, given: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.network(given),)


def picture(px: int, name: str = "image") -> Tensor:
    """A picture of one size."""
    return Tensor(name, "float32", ("B", 3, px, px), (-1.0, 1.0), "BCHW")


def pictures(sides: tuple[int, int] = SIDES, stream: int = 3) -> Examples:
    """Examples of pictures of this height and width."""
    height, width = sides

    def drawn(batch: int, kind: Captions) -> Tensors:
        flat = draws(batch, 3 * height * width, stream)
        return {"image": torch.tanh(flat).reshape(batch, 3, height, width)}

    return drawn


def tokens(trained: Trained) -> Examples:
    """Examples of captions."""
    return lambda batch, kind: {"tokens": captions(trained, batch, kind)}


def captions(trained: Trained, batch: int, kind: Captions) -> torch.Tensor:
    """Token ids (B, T) as the tokenizer gives them, zeros last; the same for the same arguments.

    Where pictures can be turned, captions say left, right and neither, one after the other.
    """
    recipe = trained.recipe
    length, facing = recipe.text.length, recipe.facing
    lengths = {
        "mixed": [max(1, length * (i + 1) // (batch + 1)) for i in range(batch)],
        "short": [min(length, 1 + i % 2) for i in range(batch)],
        "full": [length] * batch,
    }[kind]
    end = trained.vocabulary - (recipe.text.unknown == "drop")  # the unknown word has the last id
    ids = torch.randint(1, end, (batch, max(lengths)), generator=_dice(batch))
    if facing:
        for row, word in enumerate((facing.left, facing.right)):
            said = torch.tensor([word] if isinstance(word, int) else word)[: ids.shape[1]]
            ids[row::3, : len(said)] = said
    return ids * (torch.arange(ids.shape[1]) < torch.tensor(lengths)[:, None])


def draws(batch: int, size: int, stream: int) -> torch.Tensor:
    """Standard normal numbers (B, size), the same for the same arguments."""
    return torch.randn(batch, size, generator=_dice(1000 * stream + batch))


def _dice(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
