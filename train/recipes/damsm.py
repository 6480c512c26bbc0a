"""DAMSM: a text encoder and an image encoder that agree on which caption belongs to which picture.

Source:
    AttnGAN, Xu et al. 2018, section 3.2; official script `pretrain_DAMSM.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn

from t2i.models import damsm
from t2i.models.encoders.inception import InceptionTrunk
from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import code, matching
from t2i.train.optimisers import adam
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.settings import LoopSettings


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    embedding: int = 300
    """Width of the word embedding."""
    text_size: int = 256
    """E: width of words, sentences, regions and codes."""
    cell: Literal["lstm", "gru"] = "lstm"
    dropout: float = 0.5
    """On the word embeddings, in training."""
    image: Literal["inception", "small"] = "inception"
    """Inception-v3 starts from `--weights`; `small` is trained from nothing."""
    image_width: int = 32
    """Channels of the first layer of the small image encoder."""
    image_px: int = 299
    """Side to which the image encoder resizes its pictures."""
    align_corners: bool = False
    """How it resizes: the released encoders were trained with True, by the torch of their day."""
    sharpness: matching.Sharpness = field(default_factory=matching.Sharpness)
    learning_rate: float = 0.002
    decay: float = 0.98
    """Factor of the learning rate after each epoch, down to a tenth."""
    clip: float = 0.25
    """Bound on the gradient norm of the text encoder."""
    classes_apart: bool = True
    """Never contrast two pictures of one class. Needs classes much finer than the captions."""
    attributes: float = 0.0
    """Weight of the distance of sentences and pictures from the code of their known attributes;
    0 is the paper."""
    reading: int = 0
    """Steps in which the text encoder first learns to read attributes, from captions alone; then it
    stays as it is, for matching blurs what it has read."""
    reading_rate: float = 0.01
    """Learning rate of those steps; falls to a twentieth."""

    def network(self, vocabulary: int) -> damsm.Settings:
        """Sizes of the networks."""
        return damsm.Settings(
            vocabulary=vocabulary,
            embedding=self.embedding,
            text_size=self.text_size,
            cell=self.cell,
            dropout=self.dropout,
            image=self.image,
            image_width=self.image_width,
            image_px=self.image_px,
            align_corners=self.align_corners,
        )


def _paper(steps: int, words: int, kind: Literal["cub", "folder"], classes_apart: bool) -> Settings:
    """48 pictures of 299 px a step; the embeddings and gammas are the defaults above."""
    loop = LoopSettings(steps=steps, batch_size=48, sample_every=0, checkpoint_every=1000)
    images = data.Settings(kind=kind, px=(299,), words=words)
    return Settings(loop=loop, data=images, classes_apart=classes_apart)


_BIRDS = Settings(
    loop=LoopSettings(steps=6000, batch_size=32, sample_every=0, checkpoint_every=500),
    data=data.Settings(kind="birds", px=(64,), words=32, facing="right", further=6),
    embedding=64,
    dropout=0.0,
    image="small",
    image_px=64,
    learning_rate=0.004,
    decay=0.75,
    clip=1.0,
    classes_apart=False,
    attributes=1.0,
    reading=5000,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=60, batch_size=16, sample_every=0, checkpoint_every=60),
        data=replace(_BIRDS.data, px=(32,), count=192),
        embedding=32,
        image_px=32,
        image_width=8,
        reading=0,
    ),
    "birds": _BIRDS,
    # Released encoders: 200 epochs of CUB's 8,855 pictures, 100 of COCO's 82,783.
    "cub": _paper(36_800, words=18, kind="cub", classes_apart=True),
    "coco": _paper(172_400, words=15, kind="folder", classes_apart=False),
}
NEEDS: tuple[str, ...] = ()


class Damsm:
    """One player: both encoders learn from the same sum."""

    def __init__(self, settings: Settings, source: Source, device: torch.device) -> None:
        self.settings = settings
        self.network = settings.network(source.vocabulary)
        self.networks = nn.ModuleDict(damsm.networks(self.network)).to(device)
        trunk = self.networks["image"].trunk
        if isinstance(trunk, InceptionTrunk):  # its heads alone learn; its norms still move
            trunk.requires_grad_(requires_grad=False)
        self.attributes = source.attributes
        if settings.attributes and settings.text_size < code.channels(source.attributes):
            raise UsageError(
                f"text_size={settings.text_size} cannot hold the attributes of the birds",
                hint=f"set text_size to at least {code.channels(source.attributes)}",
            )
        epoch = max(1, source.pictures // settings.loop.batch_size)
        self.players = {
            "damsm": Player(
                networks=self.networks,
                optimiser=adam(self.networks, settings.learning_rate),
                schedule=lambda step: rate(settings, step, epoch),
                clip=settings.clip,
                clipped=self.networks["text"],
                # The official script builds a new Adam for every epoch.
                renew_every=None if settings.reading else epoch,
            )
        }

    def step(self, batch: Batch) -> Iterator[Update]:
        reading = batch.step < self.settings.reading
        terms: dict[str, Tensor] = {}
        if reading or not self.settings.reading:
            text = self.networks["text"](batch.tokens)
            terms |= self.read_text(text.sentence, batch)
        else:  # it has learnt to read: pictures are matched to what it says
            self.networks["text"].eval()
            with torch.no_grad():
                text = self.networks["text"](batch.tokens)
        if not reading:
            image = self.networks["image"](batch.images[-1])
            views = matching.Views(image.regions, image.code, text.words, text.sentence, text.mask)
            classes = batch.labels if self.settings.classes_apart else None
            terms |= matching.losses(views, classes, self.settings.sharpness)
            terms |= self.read("picture", image.code, batch.attributes)
        yield Update("damsm", terms)

    def read_text(self, sentence: Tensor, batch: Batch) -> dict[str, Tensor]:
        """What the captions of the pictures say, and what captions say that have none."""
        terms = self.read("sentence", sentence, batch.attributes)
        if batch.further_tokens is not None and batch.further_attributes is not None:
            further = self.networks["text"](batch.further_tokens.flatten(0, 1))
            wanted = batch.further_attributes.flatten(0, 1)
            terms |= self.read("further", further.sentence, wanted)
        return terms

    def read(self, name: str, vector: Tensor, attributes: Tensor | None) -> dict[str, Tensor]:
        """How far a vector (B, E) is from the code of the known attributes."""
        if not self.settings.attributes:
            return {}
        assert attributes is not None, "only drawn birds know their attributes"
        wanted = code.code(attributes, self.attributes, vector.shape[1])
        loss = self.settings.attributes * code.distance(vector.float(), wanted)
        return {f"{name}_attributes": loss}

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return dict(self.networks)


def rate(settings: Settings, step: int, epoch: int) -> float:
    """Factor of the learning rate: while reading, then epoch by epoch."""
    if step >= settings.reading:
        return float(max(settings.decay ** ((step - settings.reading) // epoch), 0.1))
    left = 1 - step / settings.reading
    return settings.reading_rate / settings.learning_rate * max(left, 0.05)


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> Damsm:
    return Damsm(settings, source, device)
