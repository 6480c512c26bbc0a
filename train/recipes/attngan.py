"""AttnGAN: three stages of pictures, each refined word by word, with a critic a stage.

Source:
    Xu et al. 2018, "AttnGAN: Fine-Grained Text to Image Generation with Attentional Generative
    Adversarial Networks"; official `trainer.py`. Section 3 for the losses, and the official code
    where it differs (docstrings of `train/losses`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from t2i.models import attngan
from t2i.models import damsm as matchers
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import adversarial, divergence
from t2i.train.matcher import FrozenMatcher
from t2i.train.optimisers import adam
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.recipes import damsm, judge
from t2i.train.recipes.paired import Paired, PairedSettings
from t2i.train.settings import LoopSettings, on_pictures_of


@dataclass(frozen=True)
class StagedSettings:
    """What all systems are told that extend AttnGAN."""

    loop: LoopSettings
    data: data.Settings
    damsm: str
    """Preset of the DAMSM whose text encoder is used, frozen."""
    condition_size: int = 100
    noise_size: int = 100
    generator_width: int = 32
    critic_width: int = 64
    residuals: int = 2
    first_px: int = 64
    single_head: bool = False
    """AttnDCGAN: one image head and one critic, at the last stage, that sees the caption only."""
    matching: float = 5.0
    """λ of the DAMSM loss on the last picture."""
    divergence: float = 1.0
    """Weight of the conditioning augmentation's divergence from the standard normal."""
    learning_rate: float = 2e-4
    average: float = 0.999

    def network(self, encoder: matchers.Settings) -> attngan.Settings:
        """Sizes of the networks beside a trained DAMSM."""
        return attngan.Settings(
            vocabulary=encoder.vocabulary,
            embedding=encoder.embedding,
            text_size=encoder.text_size,
            cell=encoder.cell,
            condition_size=self.condition_size,
            noise_size=self.noise_size,
            generator_width=self.generator_width,
            critic_width=self.critic_width,
            residuals=self.residuals,
            first_px=self.first_px,
            stages=len(self.data.px),
            single_head=self.single_head,
        )


@dataclass(frozen=True)
class Settings(StagedSettings):
    paired: PairedSettings | None = None
    """Drawn birds at 256 px are taught by pairs; None is the paper."""


def _paper(loop: LoopSettings, images: data.Settings, damsm: str) -> Settings:
    return Settings(loop=loop, data=images, damsm=damsm)


_BIRDS = data.Settings(kind="birds", px=(64, 128, 256), words=32, facing="right")

BIRDS: dict[str, Any] = {
    "data": replace(_BIRDS, px=(16, 32, 64)),
    "damsm": "birds",
    "noise_size": 32,
    "generator_width": 16,
    "critic_width": 16,
    "first_px": 16,
    "learning_rate": 5e-4,
    "average": 0.998,
}
"""What the presets `birds` of all systems that extend AttnGAN begin with."""

TOY: dict[str, Any] = BIRDS | {
    "data": replace(_BIRDS, px=(8, 16, 32), count=192),
    "damsm": "toy",
    "condition_size": 16,
    "generator_width": 8,
    "critic_width": 8,
    "residuals": 1,
    "first_px": 8,
    "matching": 1.0,
    "learning_rate": 1e-3,
    "average": 0.95,
}
"""And their presets `toy`."""

PRESETS: dict[str, Settings] = {
    "toy": Settings(
        LoopSettings(steps=120, batch_size=16, sample_every=60, checkpoint_every=60), **TOY
    ),
    "birds": Settings(
        LoopSettings(steps=4000, batch_size=16, sample_every=500, checkpoint_every=250), **BIRDS
    ),
    "birds256": Settings(
        loop=LoopSettings(steps=5500, batch_size=24, sample_every=500, checkpoint_every=250),
        data=replace(_BIRDS, count=24_000),
        damsm="birds",
        condition_size=96,
        noise_size=32,
        generator_width=24,
        critic_width=32,
        matching=0.5,
        divergence=0.01,
        learning_rate=1.5e-3,
        average=0.998,
        paired=PairedSettings(),
    ),
    # 600 epochs of CUB's 8,855 pictures, 120 of COCO's 82,783.
    "cub": _paper(
        LoopSettings(steps=265_650, batch_size=20, sample_every=2000, checkpoint_every=2000),
        data.Settings(kind="cub", px=(64, 128, 256), words=18),
        damsm="cub",
    ),
    "coco": replace(
        _paper(
            LoopSettings(steps=709_560, batch_size=14, sample_every=2000, checkpoint_every=2000),
            data.Settings(kind="folder", px=(64, 128, 256), words=12),
            damsm="coco",
        ),
        generator_width=48,
        critic_width=96,
        residuals=3,
        matching=50.0,
    ),
}
NEEDS: tuple[str, ...] = ("damsm", "judge")


def needed_matcher(settings: StagedSettings, name: Literal["damsm"]) -> damsm.Settings:
    """The DAMSM learns from the same pictures, at its own size."""
    return on_pictures_of(settings, damsm.PRESETS[settings.damsm])


def needed_settings(
    settings: Settings, name: Literal["damsm", "judge"]
) -> damsm.Settings | judge.Settings | None:
    """Only pairs need a judge."""
    if name == "judge":
        return judge.PRESETS["perceptual"] if settings.paired else None
    return needed_matcher(settings, name)


class AttnGAN:
    """A generator, and one critic a stage, as the paper trains them."""

    models: ModuleType = attngan
    """Whose `Generator` and `critics` are trained."""

    def __init__(self, settings: StagedSettings, matcher: Needed, device: torch.device) -> None:
        self.settings = settings
        self.matcher = FrozenMatcher(matcher, device)
        self.network = settings.network(self.matcher.sizes)
        self.generator: attngan.Generator = self.models.Generator(self.network).to(device)
        self.critics: list[attngan.Critic] = [
            critic.to(device) for critic in self.models.critics(self.network)
        ]
        for network in (self.generator, *self.critics):
            attngan.initialise(network)

        rate = settings.learning_rate
        self.players = {
            "generator": Player(self.generator, adam(self.generator, rate), settings.average)
        }
        for critic in self.critics:
            self.players[f"critic_{critic.px}"] = Player(critic, adam(critic, rate))

    def step(self, batch: Batch) -> Iterator[Update]:
        text = self.matcher.text(batch.tokens)
        drawn = self.generator(*self.noise(len(batch.tokens), text.sentence), *text)

        stages = list(
            zip(self.critics, batch.images[-len(drawn.images) :], drawn.images, strict=True)
        )
        for critic, real, fake in stages:
            yield Update(
                f"critic_{critic.px}",
                {"refuse": critic_loss(critic, real, fake.detach(), text.sentence)},
            )

        terms: dict[str, Tensor] = {}
        for critic, _, fake in stages:
            terms |= fool(critic, fake, text.sentence)
        terms |= self.matcher.losses(drawn.images[-1], text, batch, self.settings.matching)
        terms["divergence"] = self.settings.divergence * divergence.to_standard_normal(
            drawn.mean, drawn.log_variance
        )
        yield Update("generator", terms)

    def noise(self, count: int, like: Tensor) -> tuple[Tensor, Tensor]:
        sizes = (self.settings.noise_size, self.settings.condition_size)
        noise, detail = (torch.randn(count, size, device=like.device) for size in sizes)
        return noise, detail

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        text = self.matcher.text(batch.tokens)
        noise = self.noise(len(batch.tokens), text.sentence)
        last: Tensor = averaged["generator"](*noise, *text).images[-1]
        return last

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return {"text": self.matcher.text, "generator": averaged["generator"]}


def critic_loss(critic: attngan.Critic, real: Tensor, fake: Tensor, sentence: Tensor) -> Tensor:
    """Official `discriminator_loss`: pictures pass the critic separately, heads share features."""
    return refusal(critic, critic.features(real), critic.features(fake), sentence)


def refusal(critic: attngan.Critic, features: Tensor, refused: Tensor, sentence: Tensor) -> Tensor:
    """The critic's loss, from the features of real and of generated pictures."""
    conditional = (
        critic.conditional(features, sentence),
        critic.conditional(refused, sentence),
        critic.conditional(features[:-1], sentence[1:]),
    )
    if not critic.has_unconditional:
        return adversarial.matching_critic(conditional)
    unconditional = (critic.unconditional(features), critic.unconditional(refused))
    return adversarial.matching_critic(conditional, unconditional)


def fool(critic: attngan.Critic, fake: Tensor, sentence: Tensor) -> dict[str, Tensor]:
    """What the generator has to learn from one critic."""
    return persuasion(critic, critic.features(fake), sentence)


def persuasion(critic: attngan.Critic, features: Tensor, sentence: Tensor) -> dict[str, Tensor]:
    """The same, from the features of generated pictures."""
    terms = {f"fool_{critic.px}": adversarial.accept(critic.conditional(features, sentence))}
    if critic.has_unconditional:
        terms[f"picture_{critic.px}"] = adversarial.accept(critic.unconditional(features))
    return terms


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> "AttnGAN | Paired":
    if settings.paired is None:
        return AttnGAN(settings, needs["damsm"], device)
    return Paired(settings, source, needs, device)
