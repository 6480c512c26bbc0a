"""VS similarity: pictures and sentences learn to rank what is theirs first.

Source:
    HDGAN, Zhang et al. 2018, visual-semantic similarity; official script `trainNeuralDist.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn

from t2i.models import charcnnrnn as readers
from t2i.models import vs
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import ranking
from t2i.train.optimisers import adam
from t2i.train.prerequisites import Needed
from t2i.train.proven import require_trained
from t2i.train.rates import halving_epochs
from t2i.train.reader import FrozenReader
from t2i.train.recipe import Player, Source, Update
from t2i.train.recipes import charcnnrnn
from t2i.train.settings import LoopSettings


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    charcnnrnn: str
    """Preset of the char-CNN-RNN whose text encoder is used, frozen."""
    image: vs.Image = "inceptionresnet"
    """The two Inceptions come from `--weights` and stay as they are; `small` is trained from
    nothing."""
    image_width: int = 32
    """Channels of the first layer of the small trunk."""
    image_px: int = 299
    """Side to which the trunk resizes its pictures."""
    space_size: int = 512
    """Dimensions in which pictures and sentences meet."""
    margin: float = 0.2
    """By how much what belongs together is to stand above the rest."""
    learning_rate: float = 2e-4
    halve_epochs: int | None = 100
    """The learning rate is halved in each epoch, counted from 1, that this number divides."""

    def network(self, reader: readers.TextSettings) -> vs.Settings:
        """Sizes of the networks beside a trained text encoder."""
        return vs.Settings(
            **reader.text_sizes(),
            image=self.image,
            image_width=self.image_width,
            image_px=self.image_px,
            space_size=self.space_size,
        )


def _paper(pictures: int, kind: Literal["cub", "folder"]) -> Settings:
    """110 epochs, after which the paper's similarities were measured, of 32 pictures a step."""
    steps = 110 * (pictures // 32)
    return Settings(
        loop=LoopSettings(steps, batch_size=32, sample_every=0, checkpoint_every=1000),
        data=data.Settings(kind=kind, px=(256,), characters=readers.LENGTH),
        charcnnrnn=kind,
    )


_BIRDS = Settings(
    loop=LoopSettings(steps=3000, batch_size=32, sample_every=0, checkpoint_every=500),
    data=data.Settings(kind="birds", px=(64,), words=32, characters=readers.LENGTH, facing="right"),
    charcnnrnn="birds",
    image="small",
    image_width=24,
    image_px=64,
    learning_rate=1e-3,
    halve_epochs=None,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=240, batch_size=16, sample_every=0, checkpoint_every=120),
        data=replace(_BIRDS.data, px=(32,), count=192),
        charcnnrnn="toy",
        image_width=8,
        image_px=32,
        space_size=64,
        learning_rate=2e-3,
    ),
    "birds": _BIRDS,
    "cub": _paper(8855, kind="cub"),
    "flowers": replace(_paper(7034, kind="folder"), charcnnrnn="flowers"),
    "coco": replace(_paper(82_783, kind="folder"), charcnnrnn="coco"),
}
NEEDS: tuple[str, ...] = ("charcnnrnn",)


needed_settings = charcnnrnn.needed_reader


class VisualSemantic:
    """One player: the maps into the space, and the trunk where it is trained from nothing."""

    def __init__(
        self, settings: Settings, source: Source, reader: Needed, device: torch.device
    ) -> None:
        self.settings = settings
        self.reader = FrozenReader(reader, device)
        self.network = settings.network(self.reader.sizes)
        self.trunk = vs.trunk(self.network)
        self.space = vs.Space(
            self.trunk.pooled_size, self.network.text_size, self.network.space_size
        )
        if settings.image != "small":
            self.trunk.eval().requires_grad_(requires_grad=False)
        moved = nn.ModuleDict({"image": self.trunk, "space": self.space}).to(device)
        epoch = max(1, source.pictures // settings.loop.batch_size)
        self.players = {
            "vs": Player(
                networks=moved,
                optimiser=adam(moved, settings.learning_rate),
                schedule=halving_epochs(settings.halve_epochs, epoch),
            )
        }

    def step(self, batch: Batch) -> Iterator[Update]:
        if self.settings.image != "small" and batch.step == 0:
            require_trained(
                self.trunk,
                f"the trunk {self.settings.image}",
                hint="pass --weights FILE, a .safetensors of it, or --set image=small",
            )
        _, pooled = self.trunk(batch.images[-1])
        codes = self.space.place_image(pooled)
        sentences = self.space.place_sentence(self.reader.text(batch.tokens))
        yield Update("vs", ranking.both_ways(codes, sentences, self.settings.margin))

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return {"text": self.reader.text, "image": self.trunk, "space": self.space}


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> VisualSemantic:
    return VisualSemantic(settings, source, needs["charcnnrnn"], device)
