"""CLIP: two encoders learn which caption of a batch belongs to which picture.

Source:
    Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision",
    sections 2.3 to 2.5 and tables 18 to 20. The official repository holds no training.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from t2i.models import clip
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import contrastive
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.settings import LoopSettings

EPOCH = 400_000_000 // 32_768
"""Steps in which the paper sees all its pictures once."""


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    embed_size: int = 512
    """E: width of what captions and pictures become."""
    image_layers: int | tuple[int, int, int, int] = 12
    """Blocks of a vision transformer, or of each stage of a residual network."""
    image_width: int = 768
    """Channels of a vision transformer's tokens, or of a residual network's first stage."""
    patch_px: int = 32
    """Side of a vision transformer's patches; a residual network has none."""
    text_width: int = 512
    text_layers: int = 12
    learning_rate: float = 5e-4
    """After the warm-up, before it falls as a cosine to zero."""
    warmup_steps: int = 2000
    weight_decay: float = 0.2
    """Not of gains, biases, the scale of the logits, nor of the token that sums a picture up."""
    beta: float = 0.98
    """Of Adam's second moments."""
    epsilon: float = 1e-6

    def network(self, source: Source) -> clip.Settings:
        """Sizes of the networks."""
        return clip.Settings(
            vocabulary=source.vocabulary,
            length=source.length,
            embed_size=self.embed_size,
            image_px=self.data.px[-1],
            image_layers=self.image_layers,
            image_width=self.image_width,
            patch_px=self.patch_px,
            text_width=self.text_width,
            text_layers=self.text_layers,
        )


def _vit(px: int, patch_px: int) -> Settings:
    """32 epochs of 400 million pictures, 32,768 a step; sizes of the base transformer."""
    return Settings(
        loop=LoopSettings(32 * EPOCH, batch_size=32_768, sample_every=0, checkpoint_every=1000),
        data=data.Settings(kind="folder", px=(px,), tokens=77),
        patch_px=patch_px,
    )


def _resnet(px: int, layers: tuple[int, int, int, int], width: int) -> Settings:
    same = _vit(px, patch_px=0)
    return replace(same, image_layers=layers, image_width=width, beta=0.999, epsilon=1e-8)


_LARGE = replace(
    _vit(224, patch_px=14),
    embed_size=768,
    image_layers=24,
    image_width=1024,
    text_width=768,
    learning_rate=4e-4,
)
_BIRDS = Settings(
    loop=LoopSettings(steps=1600, batch_size=64, sample_every=0, checkpoint_every=250),
    data=data.Settings(kind="birds", px=(64,), words=32, tokens=77, pairs=1024),
    embed_size=128,
    image_layers=4,
    image_width=128,
    patch_px=8,
    text_width=128,
    text_layers=3,
    learning_rate=1e-3,
    warmup_steps=200,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=240, batch_size=32, sample_every=0, checkpoint_every=120),
        data=replace(_BIRDS.data, px=(32,), count=512),
        embed_size=64,
        image_layers=2,
        image_width=64,
        text_width=64,
        text_layers=2,
        warmup_steps=20,
    ),
    "birds": _BIRDS,
    "rn50": replace(_resnet(224, (3, 4, 6, 3), 64), embed_size=1024),
    "rn101": _resnet(224, (3, 4, 23, 3), 64),
    "rn50x4": replace(_resnet(288, (4, 6, 10, 6), 80), embed_size=640, text_width=640),
    "rn50x16": replace(
        _resnet(384, (6, 8, 18, 8), 96), embed_size=768, text_width=768, learning_rate=4e-4
    ),
    "rn50x64": replace(
        _resnet(448, (3, 15, 36, 10), 128), embed_size=1024, text_width=1024, learning_rate=3.6e-4
    ),
    "vit-b-32": _vit(224, patch_px=32),
    "vit-b-16": _vit(224, patch_px=16),
    "vit-l-14": _LARGE,
    # One more epoch, of larger pictures: it starts from the weights of vit-l-14.
    "vit-l-14-336": replace(
        _LARGE,
        loop=replace(_LARGE.loop, steps=EPOCH),
        data=replace(_LARGE.data, px=(336,)),
        learning_rate=2e-5,
    ),
}
NEEDS: tuple[str, ...] = ()


class Clip:
    """One player: both encoders, and the scale of the logits."""

    def __init__(self, settings: Settings, source: Source, device: torch.device) -> None:
        self.network = settings.network(source)
        self.clip = clip.Clip(self.network).to(device)
        adam = torch.optim.AdamW(
            decayed(self.clip, settings.weight_decay),
            lr=settings.learning_rate,
            betas=(0.9, settings.beta),
            eps=settings.epsilon,
        )
        self.players = {"clip": Player(self.clip, adam, schedule=lambda step: rate(settings, step))}

    def step(self, batch: Batch) -> Iterator[Update]:
        pictures = self.clip.image(clip.normalised(batch.images[-1]))
        captions = self.clip.text(batch.tokens)
        logits = self.clip.logits(contrastive.gathered(pictures), contrastive.gathered(captions))

        yield Update("clip", contrastive.losses(logits))

        with torch.no_grad():
            self.clip.logit_scale.clamp_(max=math.log(clip.LARGEST_SCALE))

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return {"clip": self.clip}


def decayed(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Parameters for AdamW: vectors and numbers do not decay."""
    weights = list(network.parameters())
    return [
        {"params": [each for each in weights if each.ndim > 1], "weight_decay": weight_decay},
        {"params": [each for each in weights if each.ndim < 2], "weight_decay": 0.0},
    ]


def rate(settings: Settings, step: int) -> float:
    """Factor of the learning rate: up in a line, down in a cosine."""
    warmup, steps = settings.warmup_steps, settings.loop.steps
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> Clip:
    return Clip(settings, source, device)
