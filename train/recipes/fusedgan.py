"""FusedGAN: two GANs that share how their pictures begin, and learn in turns.

Source:
    Bodla, Hua and Chellappa 2018, "Semi-supervised FusedGAN for Conditional Image Generation".
    Where the paper is silent, the card says what was chosen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from t2i.models import charcnnrnn as readers
from t2i.models import fusedgan, stackgan1
from t2i.runtime.errors import UsageError
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


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    charcnnrnn: str
    """Preset of the char-CNN-RNN whose text encoder is used, frozen."""
    condition_size: int = 128
    noise_size: int = 128
    generator_width: int = 1024
    residuals: int = 2
    critic_width: int = 64
    wrong: float = 0.0
    """Weight of wrong pairs in the loss of the critic of captions: 0 is the paper, and 0.5 makes it
    matching-aware, as GAN-CLS."""
    divergence: float = 2.0
    """Weight of the conditions' divergence from the standard normal."""
    deviation: float = 0.02
    """Of the first weights; narrow networks need more."""
    learning_rate: float = 2e-4
    halve_steps: int | None = None
    """Steps after which the learning rate is halved, again and again."""
    average: float | None = None
    """Decay of the generator's running average, which moves twice a step; None is the paper."""

    def network(self, reader: readers.TextSettings) -> fusedgan.Settings:
        """Sizes of the networks beside a trained text encoder."""
        return fusedgan.Settings(
            **reader.text_sizes(),
            condition_size=self.condition_size,
            noise_size=self.noise_size,
            generator_width=self.generator_width,
            residuals=self.residuals,
            critic_width=self.critic_width,
            image_px=self.data.px[-1],
        )


_CUB = data.Settings(kind="cub", px=(64,), characters=readers.LENGTH, unpaired=True)

_BIRDS = Settings(
    loop=LoopSettings(steps=5000, batch_size=16, sample_every=500, checkpoint_every=250),
    data=replace(_CUB, kind="birds", words=32, facing="right"),
    charcnnrnn="birds",
    condition_size=64,
    noise_size=32,
    generator_width=192,
    critic_width=16,
    divergence=0.1,
    deviation=0.04,
    learning_rate=3e-4,
    average=0.999,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=180, batch_size=16, sample_every=90, checkpoint_every=90),
        data=replace(_BIRDS.data, px=(32,), count=192),
        charcnnrnn="toy",
        condition_size=16,
        generator_width=64,
        residuals=1,
        critic_width=8,
        deviation=0.05,
        learning_rate=1e-3,
        average=0.95,
    ),
    "birds": _BIRDS,
    # 600 epochs of CUB's 8,855 pictures. Add those of NABirds to a folder of one's own.
    "cub": Settings(
        loop=LoopSettings(600 * 138, batch_size=64, sample_every=2000, checkpoint_every=2000),
        data=_CUB,
        charcnnrnn="cub",
        halve_steps=100 * 138,
    ),
}
NEEDS: tuple[str, ...] = ("charcnnrnn",)


def needed_settings(settings: Settings, name: Literal["charcnnrnn"]) -> charcnnrnn.Settings:
    """The char-CNN-RNN learns from the same pictures that have captions, at its own size."""
    wanted, own = charcnnrnn.needed_reader(settings, name), settings.data
    same = replace(wanted.data, count=own.count, captions_fraction=own.captions_fraction)
    return replace(wanted, data=same)


class FusedGan:
    """One generator of two branches, and a critic for each of them."""

    def __init__(self, settings: Settings, reader: Needed, device: torch.device) -> None:
        self.settings = settings
        self.reader = FrozenReader(reader, device)
        self.network = settings.network(self.reader.sizes)
        self.generator = fusedgan.Generator(self.network).to(device)
        self.picture_critic = fusedgan.PictureCritic(self.network).to(device)
        self.caption_critic = fusedgan.CaptionCritic(self.network).to(device)

        def player(network: nn.Module, average: float | None = None) -> Player:
            stackgan1.initialise(network, settings.deviation)
            moving = adam(network, settings.learning_rate)
            return Player(network, moving, average, schedule=halving(settings.halve_steps))

        self.players = {
            "picture_critic": player(self.picture_critic),
            "caption_critic": player(self.caption_critic),
            "generator": player(self.generator, settings.average),
        }

    def step(self, batch: Batch) -> Iterator[Update]:
        noise, detail = self.noise(len(batch.tokens), batch.images[-1].device)

        # Any pictures: structure is learnt without captions.
        fake = self.generator.alone(noise)
        accepted = adversarial.accept(self.picture_critic(batch.unpaired[-1]))
        refused = adversarial.refuse(self.picture_critic(fake.detach()))
        yield Update("picture_critic", {"picture": accepted + refused})
        yield Update("generator", {"picture": adversarial.accept(self.picture_critic(fake))})

        # Pictures with captions: the structure of the same noise, as it is by now, with a style.
        real, sentence = batch.images[-1], self.reader.text(batch.tokens)
        drawn = self.generator.styled(self.generator.structure(noise), detail, sentence)
        fake = drawn.images[-1]
        yield Update("caption_critic", self.refusal(real, fake.detach(), sentence))
        kl = divergence.to_standard_normal(drawn.mean, drawn.log_variance)
        fooled = adversarial.accept(self.caption_critic(fake, sentence))
        yield Update("generator", {"pair": fooled, "divergence": self.settings.divergence * kl})

    def refusal(self, real: Tensor, fake: Tensor, sentence: Tensor) -> dict[str, Tensor]:
        """The loss of the critic of captions."""
        critic, seen = self.caption_critic, self.caption_critic.features(real)
        accepted = adversarial.accept(critic.judge(seen, sentence))
        terms = {"pair": accepted + adversarial.refuse(critic(fake, sentence))}
        if self.settings.wrong:
            wrong = adversarial.refuse(critic.judge(seen, sentence.roll(-1, dims=0)))
            terms["wrong"] = self.settings.wrong * wrong
        return terms

    def noise(self, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
        sizes = (self.network.noise_size, self.network.detail_size)
        noise, detail = (torch.randn(count, size, device=device) for size in sizes)
        return noise, detail

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        sentence = self.reader.text(batch.tokens)
        noise = self.noise(len(sentence), sentence.device)
        drawn: Tensor = averaged["generator"](*noise, sentence).images[-1]
        return drawn

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return {"text": self.reader.text, "generator": averaged["generator"]}


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> FusedGan:
    """
    Raises:
        UsageError: there would be no pictures without captions.
    """
    if not settings.data.unpaired:
        raise UsageError(
            "FusedGAN learns from pictures by themselves too, and none are asked for",
            hint="leave out --set unpaired=false",
        )
    return FusedGan(settings, needs["charcnnrnn"], device)
