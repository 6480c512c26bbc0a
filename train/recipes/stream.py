"""STREAM: a captioner learns to describe the pictures of a data set.

Source:
    MirrorGAN, Qiao et al. 2019, section 3.3, whose authors trained it with the script
    `image_captioning` of yunjey/pytorch-tutorial.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from t2i.models import stream
from t2i.models.encoders import resnet
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import redescription
from t2i.train.optimisers import adam
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.settings import LoopSettings


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    embedding: int = 256
    """E: width of a word, and of a picture."""
    state_size: int = 512
    """Width of the recurrent layer."""
    image: Literal["resnet", "small"] = "resnet"
    """ResNet-152 starts from `--weights` and stays as it is; `small` is trained from nothing."""
    image_width: int = 32
    """Channels of the first layer of the small trunk."""
    image_px: int = 224
    """Side to which pictures are resized."""
    ends: bool = True
    """Captions end with a word of their own, so that a description knows when to stop. The official
    trainer adds none: its vocabulary may have held one."""
    forget_bias: float = 0.0
    """Added at the start to the bias of the gate that keeps what was read: the picture is read
    first and needed to the last word. 0 is the paper."""
    learning_rate: float = 1e-3

    def network(self, vocabulary: int) -> stream.Settings:
        """Sizes of the networks."""
        return stream.Settings(
            vocabulary=vocabulary,
            embedding=self.embedding,
            state_size=self.state_size,
            image=self.image,
            image_width=self.image_width,
            image_px=self.image_px,
        )


def _paper(steps: int, words: int, kind: Literal["cub", "folder"]) -> Settings:
    """128 pictures of 224 px a step."""
    loop = LoopSettings(steps=steps, batch_size=128, sample_every=0, checkpoint_every=500)
    return Settings(loop=loop, data=data.Settings(kind=kind, px=(224,), words=words))


_BIRDS = Settings(
    loop=LoopSettings(steps=4000, batch_size=32, sample_every=0, checkpoint_every=500),
    data=data.Settings(kind="birds", px=(64,), words=32, facing="right"),
    embedding=64,
    state_size=128,
    image="small",
    image_px=64,
    forget_bias=4.0,
    learning_rate=5e-3,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=300, batch_size=32, sample_every=0, checkpoint_every=150),
        data=replace(_BIRDS.data, px=(32,), count=1000),
        image_px=32,
        image_width=8,
        learning_rate=1e-2,
    ),
    "birds": _BIRDS,
    # The script's 5 epochs, of all captions: 10 for each of CUB's 8,855 pictures, 5 for each of
    # COCO's 82,783.
    "cub": _paper(3_459, words=18, kind="cub"),
    "coco": _paper(16_168, words=12, kind="folder"),
}
NEEDS: tuple[str, ...] = ()


class Stream:
    """One player: all but a trunk that came trained."""

    def __init__(self, settings: Settings, source: Source, device: torch.device) -> None:
        self.settings = settings
        self.network = settings.network(source.vocabulary)
        self.networks = nn.ModuleDict(stream.networks(self.network)).to(device)
        trunk = self.networks["image"].trunk
        if isinstance(trunk, resnet.ResNetTrunk):
            trunk.eval().requires_grad_(requires_grad=False)
        _remember(self.networks["caption"], settings.forget_bias)
        moving = adam(self.networks, settings.learning_rate, betas=(0.9, 0.999))
        self.players = {"stream": Player(self.networks, moving)}

    def step(self, batch: Batch) -> Iterator[Update]:
        picture = self.networks["image"](batch.images[-1])
        logits = self.networks["caption"](picture, batch.tokens)
        loss = redescription.cross_entropy(logits, batch.tokens, ends=self.settings.ends)
        yield Update("stream", {"words": loss})

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return dict(self.networks)


@torch.no_grad()
def _remember(captioner: nn.Module, bias: float) -> None:
    """Let the gate begin more open.

    Source: Jozefowicz et al. 2015, section 2.2; gates are in torch's order, the second forgets.
    """
    assert isinstance(captioner, stream.Captioner)
    gates = captioner.recurrent.bias_ih_l0
    assert isinstance(gates, Tensor)
    gates.chunk(4)[1].add_(bias)


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> Stream:
    return Stream(settings, source, device)
