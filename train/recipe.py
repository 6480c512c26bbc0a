"""What a recipe and the loop say to each other: players, updates, and what is known of the data."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from t2i.runtime.runs import Facing
    from t2i.train import data
    from t2i.train.data.batch import Batch
    from t2i.train.prerequisites import Needed
    from t2i.train.settings import LoopSettings


@dataclass
class Player:
    """Networks with the optimiser that moves them."""

    networks: nn.Module
    """What this optimiser moves; a `ModuleDict` when they are several."""
    optimiser: torch.optim.Optimizer
    average: float | None = None
    """Decay of the running average of the weights; None = no average."""
    schedule: Callable[[int], float] | None = None
    """Factor of the initial learning rate at a step."""
    clip: float | None = None
    """Bound on the norm of the gradient."""
    clipped: nn.Module | None = None
    """Whose gradient is bounded; None = all of the networks'."""
    renew_every: int | None = None
    """Steps after which the optimiser forgets its moments."""


@dataclass(frozen=True)
class Update:
    """One player's losses: summed, back-propagated and applied before the step goes on."""

    player: str
    terms: dict[str, Tensor]
    told: dict[str, Tensor] = field(default_factory=dict)
    """What the log tells beside the losses, by names of their own; nothing learns from it."""


@dataclass(frozen=True)
class Source:
    """What a recipe is told about its data."""

    vocabulary: int
    """Token ids, padding and the unknown word included."""
    length: int
    """Most tokens of a caption."""
    classes: tuple[str, ...]
    pictures: int
    """How many make an epoch."""
    attributes: tuple[int, ...]
    """Number of values of each attribute, where pictures know theirs."""
    facing: "Facing | None"
    vector_size: int = 0
    """E of sentences that were made elsewhere."""


class Recipe(Protocol):
    """A paper's training: its players, and one step in the paper's order."""

    players: dict[str, Player]
    network: Any
    """Sizes of the exported networks: the `Settings` of the system's file in `models/`."""

    def step(self, batch: "Batch") -> Iterator[Update]:
        """Yield each player's update; what is computed after a `yield` sees the player moved."""

    def exported(self, averaged: Mapping[str, nn.Module]) -> Mapping[str, nn.Module]:
        """What `weights.safetensors` holds, by prefix.

        `averaged` are the players' averaged networks, the live ones where there is no average.
        """


@runtime_checkable
class Drawing(Protocol):
    """A recipe that can show pictures while it trains."""

    def sample(self, batch: "Batch", averaged: Mapping[str, nn.Module]) -> Tensor:
        """Pictures (B, 3, H, W) in [-1, 1] for the captions of a batch; networks in eval mode."""


@runtime_checkable
class Telling(Protocol):
    """A recipe that teaches to tell pictures in tokens."""

    def streams(self, batch: "Batch") -> dict[str, Tensor]:
        """Captions `tokens` (B, T), and the `codes` (B, count) of their pictures."""


class Settings(Protocol):
    """What every recipe's settings have, besides the paper's own."""

    @property
    def loop(self) -> "LoopSettings": ...
    @property
    def data(self) -> "data.Settings": ...


class RecipeModule(Protocol):
    """What `train/recipes/SYSTEM.py` offers."""

    PRESETS: dict[str, Settings]
    NEEDS: tuple[str, ...]
    """Systems that must be trained before, unless settings do without."""

    def build(
        self,
        settings: Any,
        source: Source,
        needs: Mapping[str, "Needed"],
        device: torch.device,
    ) -> Recipe: ...

    def needed_settings(self, settings: Any, name: Any) -> Settings | None:
        """Settings with which a prerequisite is trained; None where these settings need none.

        Only where there are any.
        """
