"""PPAN: a pyramid, a critic for each of its pictures, and a network that compares the largest.

Source:
    Gao et al. 2019, "Perceptual Pyramid Adversarial Networks for Text-to-Image Synthesis". The
    authors published no code; what the paper leaves open is chosen here, and told in the card.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import charcnnrnn as readers
from t2i.models import ppan
from t2i.models.stackgan1 import initialise
from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import adversarial, divergence, least_squares, perceptual
from t2i.train.optimisers import adam
from t2i.train.perceptual import Eye, check_eye, eye_of
from t2i.train.prerequisites import Needed
from t2i.train.rates import halving
from t2i.train.reader import FrozenReader
from t2i.train.recipe import Player, Source, Update
from t2i.train.recipes import charcnnrnn, judge
from t2i.train.settings import LoopSettings


@dataclass(frozen=True)
class Settings:
    """A picture is drawn at each of `data.px`."""

    loop: LoopSettings
    data: data.Settings
    charcnnrnn: str
    """Preset of the char-CNN-RNN whose text encoder is used, frozen."""
    class_at: tuple[int, ...]
    """Sides of the pictures whose critics tell classes (L3); none is the paper's ablation."""
    perceptual_at: tuple[int, ...]
    """Sides of the pictures that are compared with the real ones (L4)."""
    features: Eye | None = "vgg"
    """What compares them: a judge of drawn birds, VGG-16, or nothing, the paper's ablation."""
    vgg: str | None = None
    """File of torchvision's weights of VGG-16 (.safetensors)."""
    critics: int | None = None
    """So many pictures, the largest, have critics; None = all, fewer are the paper's ablation."""
    local: bool = True
    """Critics judge pictures without their sentence too (L2); False is the paper's ablation."""
    lateral: bool = True
    """Coarse maps join finer levels; False is the paper's ablation."""
    least_squares: bool = False
    """Of what critics say, in place of its cross-entropy."""
    condition_size: int = 128
    noise_size: int = 100
    generator_width: int = 64
    residuals: int = 1
    critic_width: int = 512
    code_size: int = 512
    pieces_px: int = 256
    """Side from which on critics judge pictures piece by piece."""
    told: float = 1.0
    """λ of the classes, for the generator."""
    likeness: float = 1.0
    """λ of the perceptual loss."""
    divergence: float = 2.0
    """λ of the condition's divergence from the standard normal."""
    deviation: float = 0.02
    """Of the first weights; narrow networks need more."""
    learning_rate: float = 2e-4
    halve_steps: int | None = None
    """Steps after which the learning rate is halved, again and again."""
    average: float | None = None
    """Decay of the generator's running average; None is the paper."""

    @property
    def judged_px(self) -> tuple[int, ...]:
        """Sides of the pictures that have critics."""
        return self.data.px[-(self.critics or len(self.data.px)) :]

    def network(self, reader: readers.TextSettings, classes: int) -> ppan.Settings:
        """Sizes of the networks beside a trained text encoder."""
        return ppan.Settings(
            **reader.text_sizes(),
            condition_size=self.condition_size,
            noise_size=self.noise_size,
            generator_width=self.generator_width,
            residuals=self.residuals,
            drawn_px=self.data.px,
            critic_width=self.critic_width,
            code_size=self.code_size,
            pieces_px=self.pieces_px,
            local=self.local,
            lateral=self.lateral,
            classes=classes,
            class_at=self.class_at,
        )


def _paper(pictures: int, kind: Literal["cub", "folder"]) -> Settings:
    """600 epochs of batches of 16; the learning rate is halved after every 100."""
    epoch = pictures // 16
    return Settings(
        loop=LoopSettings(600 * epoch, batch_size=16, sample_every=2000, checkpoint_every=2000),
        data=data.Settings(kind=kind, px=(64, 128, 256), characters=readers.LENGTH, labels=True),
        charcnnrnn=kind,
        class_at=(256,),
        perceptual_at=(256,),
        halve_steps=100 * epoch,
    )


_BIRDS = Settings(
    loop=LoopSettings(steps=3000, batch_size=16, sample_every=250, checkpoint_every=250),
    data=data.Settings(
        kind="birds",
        px=(16, 32, 64),
        words=32,
        characters=readers.LENGTH,
        facing="right",
        labels=True,
    ),
    charcnnrnn="birds",
    class_at=(64,),
    perceptual_at=(64,),
    features="judge",
    condition_size=64,
    noise_size=32,
    generator_width=16,
    critic_width=64,
    code_size=64,
    pieces_px=64,
    likeness=0.5,  # the judge's maps then weigh about as much as the critics' pairs
    divergence=0.5,
    deviation=0.04,
    learning_rate=5e-4,
    average=0.998,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=160, batch_size=16, sample_every=80, checkpoint_every=80),
        data=replace(_BIRDS.data, px=(16, 32), count=192),
        charcnnrnn="toy",
        class_at=(32,),
        perceptual_at=(),
        features=None,
        condition_size=32,
        generator_width=8,
        critic_width=48,
        code_size=48,
        pieces_px=32,
        deviation=0.05,
        learning_rate=1e-3,
        average=0.95,
    ),
    "birds": _BIRDS,
    "cub": _paper(8855, kind="cub"),
    "flowers": replace(_paper(7034, kind="folder"), charcnnrnn="flowers"),
}
NEEDS: tuple[str, ...] = ("charcnnrnn", "judge")


def needed_settings(
    settings: Settings, name: Literal["charcnnrnn", "judge"]
) -> charcnnrnn.Settings | judge.Settings | None:
    """The char-CNN-RNN learns from the same pictures, at its own size; a judge may be needed.

    Raises:
        UsageError: what is to compare pictures is not there, or cannot.
    """
    if name == "charcnnrnn":
        return charcnnrnn.needed_reader(settings, name)
    check_eye(settings.features, settings.vgg, settings.data.kind)
    return judge.PRESETS["perceptual"] if settings.features == "judge" else None


class Ppan:
    """A generator, and a critic for each of its largest pictures."""

    def __init__(
        self, settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
    ) -> None:
        check(settings)
        self.settings = settings
        self.reader = FrozenReader(needs["charcnnrnn"], device)
        self.eye = eye_of(settings.features, settings.vgg, needs, device)
        self.network = settings.network(self.reader.sizes, len(source.classes))
        self.generator = ppan.Generator(self.network).to(device)
        self.critics = [ppan.Critic(self.network, px).to(device) for px in settings.judged_px]
        self.loss = least_squares if settings.least_squares else adversarial
        for network in (self.generator, *self.critics):
            initialise(network, settings.deviation)

        def player(network: nn.Module, average: float | None = None) -> Player:
            moving = adam(network, settings.learning_rate)
            return Player(network, moving, average, schedule=halving(settings.halve_steps))

        self.players = {f"critic_{each.px}": player(each) for each in self.critics}
        self.players["generator"] = player(self.generator, settings.average)

    def step(self, batch: Batch) -> Iterator[Update]:
        sentence, label = self.reader.text(batch.tokens), batch.labels
        drawn: ppan.Drawn = self.generator(*self.noise(sentence), sentence)
        judged = len(self.critics)
        stages = list(
            zip(self.critics, batch.images[-judged:], drawn.images[-judged:], strict=True)
        )

        other = adversarial.foreign(label)
        for critic, real, fake in stages:
            terms = self.refuse(critic, real, fake.detach(), (sentence, sentence[other]), label)
            yield Update(f"critic_{critic.px}", terms)

        terms = {}
        for critic, _, fake in stages:
            terms |= self.please(critic, fake, sentence, label)
        terms |= self.resemble(drawn.images, batch.images)
        gap = divergence.to_standard_normal(drawn.mean, drawn.log_variance)
        yield Update("generator", terms | {"divergence": self.settings.divergence * gap})

    def refuse(
        self,
        critic: ppan.Critic,
        real: Tensor,
        fake: Tensor,
        sentences: tuple[Tensor, Tensor],
        label: Tensor,
    ) -> dict[str, Tensor]:
        """L1, L2 and L3 of a critic; the second sentence is a foreign one for each picture."""
        loss, (own, wrong) = self.loss, sentences
        seen, refused = critic.features(real), critic.features(fake)
        refusals = loss.refuse(critic.pair(seen, wrong)) + loss.refuse(critic.pair(refused, own))
        terms = {"match": loss.accept(critic.pair(seen, own)) + refusals / 2}
        if critic.has_local:
            patches = loss.accept(critic.local(seen)) + loss.refuse(critic.local(refused))
            terms["patches"] = patches
        if critic.has_classes:
            terms["class_of_real"] = F.cross_entropy(critic.tell(seen), label)
            terms["class_of_fake"] = F.cross_entropy(critic.tell(refused), label)
        return terms

    def please(
        self, critic: ppan.Critic, fake: Tensor, sentence: Tensor, label: Tensor
    ) -> dict[str, Tensor]:
        """L1, L2 and L3 of the generator."""
        seen, px = critic.features(fake), critic.px
        terms = {f"match_{px}": self.loss.accept(critic.pair(seen, sentence))}
        if critic.has_local:
            terms[f"patches_{px}"] = self.loss.accept(critic.local(seen))
        if critic.has_classes:
            told = F.cross_entropy(critic.tell(seen), label)
            terms[f"class_{px}"] = self.settings.told * told
        return terms

    def resemble(self, fakes: tuple[Tensor, ...], reals: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """L4: pictures are to look like the real ones of their captions, to a network's eye."""
        if self.eye is None:
            return {}
        terms = {}
        for px, fake, real in zip(self.settings.data.px, fakes, reals, strict=True):
            if px in self.settings.perceptual_at:
                with torch.no_grad():
                    wanted = self.eye.maps(real)
                gap = perceptual.squared(self.eye.maps(fake), wanted)
                terms[f"perceptual_{px}"] = self.settings.likeness * gap
        return terms

    def noise(self, sentence: Tensor) -> tuple[Tensor, Tensor]:
        sizes = (self.settings.noise_size, self.settings.condition_size)
        noise, detail = (torch.randn(len(sentence), size, device=sentence.device) for size in sizes)
        return noise, detail

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        sentence = self.reader.text(batch.tokens)
        drawn: ppan.Drawn = averaged["generator"](*self.noise(sentence), sentence)
        return drawn.images[-1]

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return {"text": self.reader.text, "generator": averaged["generator"]}


def check(settings: Settings) -> None:
    """Raises UsageError: critics or comparisons are asked for where there are no pictures."""
    drawn = settings.data.px
    if settings.critics is not None and not 1 <= settings.critics <= len(drawn):
        raise UsageError(
            f"critics={settings.critics}, and {len(drawn)} pictures are drawn",
            hint=f"--set critics={len(drawn)} or less, 1 at least",
        )
    for name, sides, known in (
        ("perceptual_at", settings.perceptual_at, drawn),
        ("class_at", settings.class_at, settings.judged_px),
    ):
        if strange := set(sides) - set(known):
            raise UsageError(
                f"{name} names {max(strange)} px, and those that it can are {known}",
                hint=f"--set {name}={','.join(map(str, known))}, or fewer, or none: {name}=",
            )


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> Ppan:
    return Ppan(settings, source, needs, device)
