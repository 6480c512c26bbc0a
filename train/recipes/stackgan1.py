"""StackGAN, stage I: small pictures of sentences, whose conditions are drawn from a Gaussian.

Source:
    Zhang et al. 2017, "StackGAN: Text to Photo-realistic Image Synthesis with Stacked Generative
    Adversarial Networks", sections 3.2 and 3.3; official `trainer.py` and `miscc/utils.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from t2i.models import charcnnrnn as readers
from t2i.models import stackgan1
from t2i.models.attngan import Critic
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import adversarial, divergence
from t2i.train.optimisers import adam
from t2i.train.prerequisites import Needed
from t2i.train.rates import halving
from t2i.train.reader import FrozenReader
from t2i.train.recipe import Player, Source, Update
from t2i.train.recipes import charcnnrnn
from t2i.train.settings import LoopSettings


@dataclass(frozen=True, kw_only=True)
class StageSettings:
    """What both stages are trained by."""

    loop: LoopSettings
    data: data.Settings
    critic_width: int = 96
    divergence: float = 2.0
    """Weight of the conditions' divergence from the standard normal."""
    deviation: float = 0.02
    """Of the first weights; narrow networks need more."""
    learning_rate: float = 2e-4
    halve_steps: int | None = None
    """Steps after which the learning rate is halved, again and again."""
    average: float | None = None
    """Decay of the generator's running average; None is the paper."""


@dataclass(frozen=True, kw_only=True)
class Settings(StageSettings):
    charcnnrnn: str
    """Preset of the char-CNN-RNN whose text encoder is used, frozen."""
    condition_size: int = 128
    noise_size: int = 100
    generator_width: int = 192

    def network(self, reader: readers.TextSettings) -> stackgan1.Settings:
        """Sizes of the networks beside a trained text encoder."""
        return stackgan1.Settings(
            **reader.text_sizes(),
            condition_size=self.condition_size,
            noise_size=self.noise_size,
            generator_width=self.generator_width,
            critic_width=self.critic_width,
            first_px=self.data.px[-1],
        )


def _paper(epochs: int, epoch: int, batch: int, kind: Literal["cub", "folder"]) -> Settings:
    """Pictures of 64 px; an epoch has so many steps."""
    return Settings(
        loop=LoopSettings(epochs * epoch, batch, sample_every=2000, checkpoint_every=2000),
        data=data.Settings(kind=kind, px=(64,), characters=readers.LENGTH),
        charcnnrnn=kind,
        generator_width=128,
        critic_width=64,
        halve_steps=50 * epoch,
    )


_BIRDS = Settings(
    loop=LoopSettings(steps=5000, batch_size=32, sample_every=500, checkpoint_every=250),
    data=data.Settings(kind="birds", px=(16,), words=32, characters=readers.LENGTH, facing="right"),
    charcnnrnn="birds",
    condition_size=64,
    noise_size=32,
    generator_width=24,
    critic_width=16,
    deviation=0.04,
    learning_rate=3e-4,
    average=0.998,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=160, batch_size=16, sample_every=80, checkpoint_every=80),
        data=replace(_BIRDS.data, px=(8,), count=192),
        charcnnrnn="toy",
        condition_size=16,
        generator_width=8,
        critic_width=8,
        deviation=0.05,
        learning_rate=1e-3,
        average=0.95,
    ),
    "birds": _BIRDS,
    # 600 epochs of CUB's 8,855 pictures, of Oxford-102's 7,034, and 120 of COCO's 82,783.
    "cub": _paper(600, epoch=8855 // 64, batch=64, kind="cub"),
    "flowers": replace(
        _paper(600, epoch=7034 // 64, batch=64, kind="folder"), charcnnrnn="flowers"
    ),
    "coco": replace(
        _paper(120, epoch=82_783 // 128, batch=128, kind="folder"),
        charcnnrnn="coco",
        generator_width=192,
        critic_width=96,
        halve_steps=20 * (82_783 // 128),
    ),
}
NEEDS: tuple[str, ...] = ("charcnnrnn",)


needed_settings = charcnnrnn.needed_reader


@dataclass(frozen=True)
class Networks:
    """What takes part in the training of a stage: only generator and critic learn."""

    text: nn.Module
    generator: nn.Module
    critic: Critic


class Stage:
    """A generator and a critic that sees conditions; both stages learn alike."""

    def __init__(
        self, settings: StageSettings, sizes: stackgan1.Settings, networks: Networks
    ) -> None:
        self.settings, self.network = settings, sizes
        self.text, self.generator = networks.text, networks.generator
        self.critic = networks.critic

        def player(network: nn.Module, average: float | None = None) -> Player:
            moving = adam(network, settings.learning_rate)
            return Player(network, moving, average, schedule=halving(settings.halve_steps))

        self.players = {
            "critic": player(self.critic),
            "generator": player(self.generator, settings.average),
        }

    def step(self, batch: Batch) -> Iterator[Update]:
        real, sentence = batch.images[-1], self.text(batch.tokens)
        drawn = self.generator(*self.noise(sentence), sentence)
        fake, condition = drawn.images[-1], drawn.mean.detach()

        loss = critic_loss(self.critic, real, fake.detach(), condition)
        yield Update("critic", {"match": loss})

        kl = divergence.to_standard_normal(drawn.mean, drawn.log_variance)
        terms = fool(self.critic, fake, condition)
        yield Update("generator", {**terms, "divergence": self.settings.divergence * kl})

    def noise(self, sentence: Tensor) -> tuple[Tensor, Tensor]:
        sizes = (self.network.noise_size, self.network.detail_size)
        noise, detail = (torch.randn(len(sentence), n, device=sentence.device) for n in sizes)
        return noise, detail

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        sentence = self.text(batch.tokens)
        drawn: Tensor = averaged["generator"](*self.noise(sentence), sentence).images[-1]
        return drawn

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return {"text": self.text, "generator": averaged["generator"]}


def critic_loss(critic: Critic, real: Tensor, fake: Tensor, condition: Tensor) -> Tensor:
    """Official `compute_discriminator_loss`: wrong pairs are pictures beside the next condition.

    Kinds of pairs pass each head apart and in this order, which its running statistics tell.
    """
    features, refused = critic.features(real), critic.features(fake)
    right = critic.conditional(features, condition)
    wrong = critic.conditional(features[:-1], condition[1:])
    conditional = (right, critic.conditional(refused, condition), wrong)
    if not critic.has_unconditional:
        return adversarial.matching_critic(conditional)
    unconditional = (critic.unconditional(features), critic.unconditional(refused))
    return adversarial.matching_critic(conditional, unconditional)


def fool(critic: Critic, fake: Tensor, condition: Tensor) -> dict[str, Tensor]:
    """Official `compute_generator_loss`."""
    features = critic.features(fake)
    terms = {"fool": adversarial.accept(critic.conditional(features, condition))}
    if critic.has_unconditional:
        terms["picture"] = adversarial.accept(critic.unconditional(features))
    return terms


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> Stage:
    reader = FrozenReader(needs["charcnnrnn"], device)
    sizes = settings.network(reader.sizes)
    generator = stackgan1.Generator(sizes).to(device)
    critic = stackgan1.critic(sizes).to(device)
    for network in (generator, critic):
        stackgan1.initialise(network, settings.deviation)
    return Stage(settings, sizes, Networks(reader.text, generator, critic))
