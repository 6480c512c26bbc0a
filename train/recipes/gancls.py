"""GAN-INT-CLS: a critic that knows foreign captions, and sentences between those of the data.

Source:
    Reed et al. 2016, "Generative Adversarial Text to Image Synthesis", algorithm 1, sections 4.3
    and 4.4; official scripts `main_cls_int.lua`, and `main_cls.lua` for COCO.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import charcnnrnn as readers
from t2i.models import gancls
from t2i.models.blocks.facing import turn
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import adversarial
from t2i.train.optimisers import adam
from t2i.train.prerequisites import Needed
from t2i.train.rates import halving
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
    condition_size: int = 128
    noise_size: int = 100
    generator_width: int = 128
    bottlenecks: int = 0
    """Residual ones of the generator: 1 or 2 make it the authors' own, as their weights need it."""
    critic_width: int = 64
    style_width: int = 64
    """Of the style encoder, which tells the noise of a generated picture; 0 = there is none."""
    interpolation: float | None = 0.5
    """β of GAN-INT: where between two captions the generator is asked too; None = GAN-CLS alone."""
    learning_rate: float = 2e-4
    halve_steps: int | None = None
    """Steps after which the learning rate is halved, again and again."""
    average: float | None = None
    """Decay of the generator's running average; None is the paper."""

    def network(self, reader: readers.TextSettings) -> gancls.Settings:
        """Sizes of the networks beside a trained text encoder."""
        return gancls.Settings(
            **reader.text_sizes(),
            condition_size=self.condition_size,
            noise_size=self.noise_size,
            generator_width=self.generator_width,
            bottlenecks=self.bottlenecks,
            critic_width=self.critic_width,
            style_width=self.style_width,
            image_px=self.data.px[-1],
        )


def _paper(epochs: int, pictures: int, halved: int, kind: Literal["cub", "folder"]) -> Settings:
    """64 pictures of 64 px a step; the learning rate is halved after every `halved` epochs."""
    epoch = pictures // 64
    return Settings(
        loop=LoopSettings(epochs * epoch, batch_size=64, sample_every=2000, checkpoint_every=2000),
        data=data.Settings(kind=kind, px=(64,), characters=readers.LENGTH),
        charcnnrnn=kind,
        halve_steps=halved * epoch,
    )


_BIRDS = Settings(
    loop=LoopSettings(steps=6000, batch_size=32, sample_every=500, checkpoint_every=250),
    data=data.Settings(kind="birds", px=(64,), words=32, characters=readers.LENGTH, facing="right"),
    charcnnrnn="birds",
    condition_size=64,
    noise_size=32,
    generator_width=32,
    critic_width=32,
    style_width=32,
    learning_rate=3e-4,
    average=0.998,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=240, batch_size=16, sample_every=120, checkpoint_every=120),
        data=replace(_BIRDS.data, px=(32,), count=192),
        charcnnrnn="toy",
        condition_size=32,
        generator_width=16,
        critic_width=16,
        style_width=16,
        learning_rate=5e-4,
        average=0.95,
    ),
    "birds": _BIRDS,
    "cub": _paper(600, pictures=8855, halved=100, kind="cub"),
    "flowers": replace(_paper(600, pictures=7034, halved=100, kind="folder"), charcnnrnn="flowers"),
    "coco": replace(
        _paper(200, pictures=82_783, halved=40, kind="folder"),
        charcnnrnn="coco",
        generator_width=196,
        critic_width=196,
        interpolation=None,
    ),
}
NEEDS: tuple[str, ...] = ("charcnnrnn",)


needed_settings = charcnnrnn.needed_reader


class GanCls:
    """A generator and a critic, as algorithm 1 has them, and a style encoder beside them."""

    def __init__(
        self, settings: Settings, source: Source, reader: Needed, device: torch.device
    ) -> None:
        self.settings = settings
        self.facing = source.facing
        self.reader = FrozenReader(reader, device)
        self.network = settings.network(self.reader.sizes)
        self.generator = gancls.generator(self.network).to(device)
        self.critic = gancls.Critic(self.network).to(device)
        for network in (self.generator, self.critic):
            gancls.initialise(network)

        def player(network: nn.Module, average: float | None = None) -> Player:
            moving = adam(network, settings.learning_rate)
            return Player(network, moving, average, schedule=halving(settings.halve_steps))

        self.players = {
            "critic": player(self.critic),
            "generator": player(self.generator, settings.average),
        }
        self.style: gancls.StyleEncoder | None = None
        if settings.style_width:
            self.style = gancls.StyleEncoder(self.network).to(device)
            gancls.initialise(self.style)
            self.players["style"] = player(self.style, settings.average)

    def step(self, batch: Batch) -> Iterator[Update]:
        real, sentence = batch.images[-1], self.reader.text(batch.tokens)
        wanted = sentence
        if self.settings.interpolation is not None:
            middle = adversarial.between(sentence, self.settings.interpolation)
            wanted = torch.cat([sentence, middle])
        noise = self.noise(wanted)
        fake = self.generator(noise, wanted)

        seen = self.critic.features(real)
        match = adversarial.matching_aware(
            real=self.critic.judge(seen, sentence),
            wrong=self.critic.judge(seen, sentence[adversarial.foreign(batch.labels)]),
            fake=self.critic(fake[: len(real)].detach(), sentence),
        )
        yield Update("critic", {"match": match})

        yield Update("generator", {"fool": adversarial.accept(self.critic(fake, wanted))})

        if self.style:
            told = self.style(self.shown(fake.detach(), noise))
            yield Update("style", {"invert": F.mse_loss(told, noise)})

    def noise(self, sentence: Tensor) -> Tensor:
        return torch.randn(len(sentence), self.settings.noise_size, device=sentence.device)

    def shown(self, pictures: Tensor, noise: Tensor) -> Tensor:
        """Pictures as a bundle draws them: what faces either way is turned by its noise."""
        if self.facing is None:
            return pictures
        return turn(pictures, torch.zeros_like(noise[:, 0]), noise, self.facing.noise)

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        sentence = self.reader.text(batch.tokens)
        drawn: Tensor = averaged["generator"](self.noise(sentence), sentence)
        return drawn

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        trained = {name: averaged[name] for name in ("generator", "style") if name in averaged}
        return {"text": self.reader.text, **trained}


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> GanCls:
    return GanCls(settings, source, needs["charcnnrnn"], device)
