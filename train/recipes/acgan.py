"""AC-GAN: the critic also learns to tell classes, of real and of generated pictures alike.

Source:
    Odena, Olah and Shlens 2017, "Conditional Image Synthesis with Auxiliary Classifier GANs",
    section 3 and appendix A. The authors published no code.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import acgan
from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import adversarial
from t2i.train.optimisers import adam
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.settings import LoopSettings


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    noise_size: int = 100
    generator_widths: tuple[int, ...] = (768, 384, 256, 192, 64)
    """Channels from 4 × 4 up; each doubles the side, and so does the picture after the last."""
    critic_widths: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    """Channels of the convolutions; the first and every second after it halve the side."""
    dropout: float = 0.5
    """In the critic, after each convolution."""
    learning_rate: float = 2e-4
    """The best of 1e-4, 2e-4 and 3e-4 in the paper's search is not told."""
    average: float | None = None
    """Decay of the generator's running average; None is the paper."""

    def network(self, vocabulary: int) -> acgan.Settings:
        """Sizes of the networks.

        Raises:
            UsageError: they draw other sizes than the data have.
        """
        sizes = acgan.Settings(
            vocabulary=vocabulary,
            noise_size=self.noise_size,
            generator_widths=self.generator_widths,
            critic_widths=self.critic_widths,
            dropout=self.dropout,
        )
        if self.data.px[-1] != sizes.image_px:
            raise UsageError(
                f"the generator draws {sizes.image_px} px and would learn from {self.data.px[-1]}",
                hint=f"--set px={sizes.image_px}, or other generator_widths: each doubles 4 px",
            )
        return sizes


def _paper(px: int) -> Settings:
    """50,000 minibatches of 100 pictures, each the square in the middle."""
    return Settings(
        loop=LoopSettings(steps=50_000, batch_size=100, sample_every=1000, checkpoint_every=1000),
        data=data.Settings(kind="classes", px=(px,), condition="class", crop=False),
    )


_BIRDS = data.Settings(kind="birds", px=(64,), condition="class")

PRESETS: dict[str, Settings] = {
    "toy": Settings(
        loop=LoopSettings(steps=300, batch_size=16, sample_every=100, checkpoint_every=100),
        data=replace(_BIRDS, px=(32,), count=192),
        noise_size=32,
        generator_widths=(64, 32, 16),
        critic_widths=(16, 16, 32, 32, 64, 64),
        dropout=0.2,
        learning_rate=1e-3,
        average=0.95,
    ),
    "birds": Settings(
        loop=LoopSettings(steps=4000, batch_size=32, sample_every=500, checkpoint_every=250),
        data=_BIRDS,
        noise_size=64,
        generator_widths=(256, 128, 64, 32),
        critic_widths=(16, 32, 64, 64, 128, 128),
        dropout=0.25,
        learning_rate=5e-4,
        average=0.998,
    ),
    "imagenet": _paper(128),
    "cifar": replace(_paper(32), generator_widths=(384, 192, 96)),
}
NEEDS: tuple[str, ...] = ()


class AcGan:
    """A generator, and a critic that classifies."""

    def __init__(self, settings: Settings, source: Source, device: torch.device) -> None:
        self.settings = settings
        self.network = settings.network(source.vocabulary)
        self.generator = acgan.Generator(self.network).to(device)
        self.critic = acgan.Critic(self.network).to(device)
        self.read = acgan.ClassReader(self.network.classes).to(device)
        for network in (self.generator, self.critic):
            acgan.initialise(network)

        rate = settings.learning_rate
        self.players = {
            "critic": Player(self.critic, adam(self.critic, rate)),
            "generator": Player(self.generator, adam(self.generator, rate), settings.average),
        }

    def step(self, batch: Batch) -> Iterator[Update]:
        wanted = torch.randint_like(batch.labels, self.network.classes)
        fake = self.generator(self.noise(batch), self.read(1 + wanted[:, None]))

        real, refused = self.critic(batch.images[-1]), self.critic(fake.detach())
        yield Update(
            "critic",
            {
                "accept": adversarial.accept(real.real),
                "refuse": adversarial.refuse(refused.real),
                "class_of_real": F.cross_entropy(real.classes, batch.labels),
                "class_of_fake": F.cross_entropy(refused.classes, wanted),
            },
        )

        judged = self.critic(fake)
        yield Update(
            "generator",
            {
                "fool": adversarial.accept(judged.real),
                "class": F.cross_entropy(judged.classes, wanted),
            },
        )

    def noise(self, batch: Batch) -> Tensor:
        return torch.randn(len(batch.labels), self.settings.noise_size, device=batch.labels.device)

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        drawn: Tensor = averaged["generator"](self.noise(batch), self.read(batch.tokens))
        return drawn

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return {"generator": averaged["generator"]}


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> AcGan:
    if settings.data.condition != "class":
        raise UsageError("AC-GAN draws classes, not captions", hint="--set condition=class")
    return AcGan(settings, source, device)
