"""char-CNN-RNN: a text encoder that spells, and an image encoder, agree on what belongs together.

Source:
    Reed et al. 2016, "Learning Deep Representations of Fine-Grained Visual Descriptions";
    official script `train_sje_hybrid.lua`, and `main_txt_coco.lua` of GAN-CLS for COCO.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from t2i.models import charcnnrnn
from t2i.models.charcnnrnn import LENGTH
from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import code, embedding
from t2i.train.optimisers import adam
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.settings import LoopSettings, on_pictures_of


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    text_size: int = 1024
    """E: width of sentences and codes."""
    first_width: int = 384
    second_width: int = 512
    recurrence: Literal["relu", "gru"] = "gru"
    recurrent_size: int = 512
    image: Literal["inception", "small"] = "inception"
    """Inception-v3 comes from `--weights` and stays as it is; `small` is trained from nothing."""
    image_width: int = 32
    """Channels of the first layer of the small image encoder."""
    image_px: int = 299
    """Side to which the image encoder resizes its pictures."""
    optimiser: Literal["rmsprop", "adam"] = "rmsprop"
    """Kind: the CVPR paper's, or that of the encoder for COCO."""
    learning_rate: float = 7e-4
    decay: float = 0.98
    """Factor of the learning rate after every `decay_steps`."""
    decay_steps: int = 150
    """What the official script calls an epoch: as many steps as there are classes."""
    classes_apart: bool = True
    """Never contrast two pictures of one class. Needs classes much finer than the captions."""
    attributes: float = 0.0
    """Weight of the distance of sentences and pictures from the code of their known attributes;
    0 is the paper. It stands in for what GoogLeNet has learnt before."""

    def network(self, vocabulary: int) -> charcnnrnn.Settings:
        """Sizes of the networks."""
        return charcnnrnn.Settings(
            vocabulary=vocabulary,
            text_size=self.text_size,
            first_width=self.first_width,
            second_width=self.second_width,
            recurrence=self.recurrence,
            recurrent_size=self.recurrent_size,
            image=self.image,
            image_width=self.image_width,
            image_px=self.image_px,
        )


def _paper(steps: int, kind: Literal["cub", "folder"]) -> Settings:
    """40 pictures of 299 px a step; the rest stands above."""
    loop = LoopSettings(steps=steps, batch_size=40, sample_every=0, checkpoint_every=1000)
    return Settings(loop=loop, data=data.Settings(kind=kind, px=(299,), characters=LENGTH))


_BIRDS = Settings(
    loop=LoopSettings(steps=4000, batch_size=32, sample_every=0, checkpoint_every=100),
    data=data.Settings(
        kind="birds", px=(64,), words=32, characters=LENGTH, facing="right", further=3
    ),
    text_size=128,
    first_width=96,
    second_width=192,
    recurrent_size=128,
    image="small",
    image_width=16,
    image_px=64,
    optimiser="adam",
    learning_rate=0.01,
    decay_steps=25,
    classes_apart=False,
    attributes=1.0,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=240, batch_size=16, sample_every=0, checkpoint_every=120),
        data=replace(_BIRDS.data, px=(32,), count=192, further=0),
        text_size=32,
        first_width=32,
        second_width=64,
        recurrent_size=64,
        image_width=8,
        image_px=32,
        optimiser="rmsprop",
        learning_rate=2e-3,
        decay=1.0,
        attributes=0.0,
    ),
    "birds": _BIRDS,
    # As GAN-CLS used them: 200 official epochs, of 150 classes of CUB, of 82 of Oxford-102. The
    # CVPR paper's own have recurrence=relu and recurrent_size=256.
    "cub": _paper(30_000, kind="cub"),
    "flowers": replace(_paper(16_400, kind="folder"), recurrence="relu", decay_steps=82),
    # 200 epochs of COCO's 82,783 pictures, 64 a step; the rate is halved every 50.
    "coco": replace(
        _paper(258_600, kind="folder"),
        loop=LoopSettings(258_600, batch_size=64, sample_every=0, checkpoint_every=2000),
        optimiser="adam",
        learning_rate=2e-4,
        decay=0.5,
        decay_steps=64_650,
        classes_apart=False,
    ),
}
NEEDS: tuple[str, ...] = ()


class Reading(Protocol):
    """Settings of a system whose captions are read by one of these, frozen."""

    @property
    def charcnnrnn(self) -> str: ...


def needed_reader(settings: Reading, name: Literal["charcnnrnn"]) -> Settings:
    """It learns from the same pictures, at its own size."""
    return on_pictures_of(settings, PRESETS[settings.charcnnrnn])


class CharCnnRnn:
    """One player: both encoders learn from the same sum."""

    def __init__(self, settings: Settings, source: Source, device: torch.device) -> None:
        self.settings = settings
        self.network = settings.network(source.vocabulary)
        self.text = charcnnrnn.TextEncoder(self.network)
        self.image = charcnnrnn.ImageEncoder(self.network)
        charcnnrnn.initialise(self.text)
        if settings.image == "inception":  # the paper's pictures are features, made before
            self.image.trunk.eval().requires_grad_(requires_grad=False)
        self.attributes = source.attributes
        if settings.attributes and settings.text_size < sum(source.attributes):
            raise UsageError(
                f"text_size={settings.text_size} cannot hold the attributes of the birds",
                hint=f"set text_size to at least {sum(source.attributes)}, or attributes=0",
            )
        moved = nn.ModuleDict({"text": self.text, "image": self.image}).to(device)
        optimiser: torch.optim.Optimizer
        if settings.optimiser == "adam":
            optimiser = adam(moved, settings.learning_rate)
        else:
            learning = [each for each in moved.parameters() if each.requires_grad]
            optimiser = torch.optim.RMSprop(learning, settings.learning_rate)
        self.players = {
            "charcnnrnn": Player(
                networks=moved,
                optimiser=optimiser,
                schedule=lambda step: settings.decay ** (step // settings.decay_steps),
            )
        }

    def step(self, batch: Batch) -> Iterator[Update]:
        sentence, seen = self.text(batch.tokens), self.image(batch.images[-1])
        classes = batch.labels if self.settings.classes_apart else None
        terms = embedding.structured(seen, sentence, classes)
        terms |= self.read("sentence", sentence, batch.attributes)
        terms |= self.read("picture", seen, batch.attributes)
        if batch.further_tokens is not None and batch.further_attributes is not None:
            further = self.text(batch.further_tokens.flatten(0, 1))
            terms |= self.read("further", further, batch.further_attributes.flatten(0, 1))
        yield Update("charcnnrnn", terms)

    def read(self, name: str, vector: Tensor, attributes: Tensor | None) -> dict[str, Tensor]:
        """How far a vector (B, E) is from the code of the known attributes."""
        if not self.settings.attributes:
            return {}
        assert attributes is not None, "only drawn birds know their attributes"
        wanted = code.single(attributes, self.attributes, vector.shape[1])
        return {f"{name}_attributes": self.settings.attributes * code.distance(vector, wanted)}

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return {"text": self.text, "image": self.image}


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> CharCnnRnn:
    return CharCnnRnn(settings, source, device)
