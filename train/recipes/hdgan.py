"""HDGAN: one generator, and at each of its sizes a critic of pairs and of pieces.

Source:
    Zhang et al. 2018, "Photographic Text-to-Image Synthesis with a Hierarchically-nested
    Adversarial Network", section 3; official `HDGan/HDGan.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import charcnnrnn as readers
from t2i.models import hdgan
from t2i.models.gancls import initialise
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import adversarial, divergence, least_squares
from t2i.train.optimisers import adam
from t2i.train.prerequisites import Needed
from t2i.train.proven import require_trained
from t2i.train.rates import halving_epochs
from t2i.train.reader import FrozenReader
from t2i.train.recipe import Player, Source, Update
from t2i.train.recipes import charcnnrnn
from t2i.train.settings import LoopSettings


@dataclass(frozen=True)
class Settings:
    """A picture is drawn, and judged, at each of `data.px`: fewer sizes are fewer critics."""

    loop: LoopSettings
    data: data.Settings
    charcnnrnn: str
    """Preset of the char-CNN-RNN whose text encoder is used, frozen."""
    condition_size: int = 128
    noise_size: int = 100
    generator_width: int = 64
    residuals: int = 1
    enlarged: bool = False
    """Only the last size is learnt, on top of a generator that `--weights` brings (512 px)."""
    critic_width: int = 512
    code_size: int = 512
    pieces_px: int = 256
    """Side from which on pictures are judged piece by piece."""
    local: bool = True
    """Critics judge pictures without their sentence too; False is the paper's ablation."""
    divergence: float = 4.0
    """λ of the condition's divergence from the standard normal."""
    learning_rate: float = 2e-4
    halve_epochs: int | None = None
    """The learning rate is halved in each epoch, counted from 1, that this number divides."""
    average: float | None = None
    """Decay of the generator's running average; None is the paper."""

    def network(self, reader: readers.TextSettings) -> hdgan.Settings:
        """Sizes of the networks beside a trained text encoder."""
        return hdgan.Settings(
            **reader.text_sizes(),
            condition_size=self.condition_size,
            noise_size=self.noise_size,
            generator_width=self.generator_width,
            residuals=self.residuals,
            drawn_px=self.data.px,
            enlarged=self.enlarged,
            critic_width=self.critic_width,
            code_size=self.code_size,
            pieces_px=self.pieces_px,
            local=self.local,
        )


def _paper(epochs: int, pictures: int, batch: int, kind: Literal["cub", "folder"]) -> Settings:
    """So many epochs; the rest stands above."""
    steps = epochs * (pictures // batch)
    return Settings(
        loop=LoopSettings(steps, batch_size=batch, sample_every=2000, checkpoint_every=2000),
        data=data.Settings(kind=kind, px=(64, 128, 256), characters=readers.LENGTH),
        charcnnrnn=kind,
        halve_epochs=100,
    )


_BIRDS = Settings(
    loop=LoopSettings(steps=4500, batch_size=16, sample_every=500, checkpoint_every=250),
    data=data.Settings(
        kind="birds", px=(16, 32, 64), words=32, characters=readers.LENGTH, facing="right"
    ),
    charcnnrnn="birds",
    condition_size=64,
    noise_size=32,
    generator_width=16,
    critic_width=128,
    code_size=128,
    pieces_px=64,
    divergence=0.5,
    learning_rate=5e-4,
    average=0.998,
)
_CUB = _paper(599, pictures=8855, batch=10, kind="cub")

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=160, batch_size=16, sample_every=80, checkpoint_every=80),
        data=replace(_BIRDS.data, px=(16, 32), count=192),
        charcnnrnn="toy",
        condition_size=32,
        generator_width=8,
        critic_width=48,
        code_size=48,
        pieces_px=32,
        learning_rate=1e-3,
        average=0.95,
    ),
    "birds": _BIRDS,
    "cub": _CUB,
    "flowers": replace(_paper(599, pictures=7034, batch=10, kind="folder"), charcnnrnn="flowers"),
    "coco": replace(
        _paper(200, pictures=82_783, batch=8, kind="folder"),
        charcnnrnn="coco",
        divergence=2.0,
        halve_epochs=50,
    ),
    "cub512": replace(
        _CUB,
        loop=replace(_CUB.loop, steps=80 * (8855 // 4), batch_size=4),
        data=replace(_CUB.data, px=(64, 128, 256, 512)),
        enlarged=True,
    ),
}
NEEDS: tuple[str, ...] = ("charcnnrnn",)


needed_settings = charcnnrnn.needed_reader


class HDGan:
    """A generator and the critics of its sizes, which move together."""

    def __init__(
        self, settings: Settings, source: Source, reader: Needed, device: torch.device
    ) -> None:
        self.settings = settings
        self.reader = FrozenReader(reader, device)
        self.network = settings.network(self.reader.sizes)
        self.generator = hdgan.Generator(self.network).to(device)
        critics = hdgan.critics(self.network).to(device)
        self.critics = [each for each in critics.values() if isinstance(each, hdgan.Critic)]
        for network in (self.generator, critics):
            initialise(network)
        if settings.enlarged:
            for part in self.generator.stream():
                part.eval().requires_grad_(requires_grad=False)
        epoch = max(1, source.pictures // settings.loop.batch_size)

        def player(network: nn.Module, average: float | None = None) -> Player:
            moving = adam(network, settings.learning_rate)
            return Player(network, moving, average, halving_epochs(settings.halve_epochs, epoch))

        self.players = {
            "critic": player(critics),
            "generator": player(self.generator, settings.average),
        }

    def step(self, batch: Batch) -> Iterator[Update]:
        sentence = self.reader.text(batch.tokens)
        drawn = self.draw(sentence, batch.step)
        judged = len(self.critics)  # the last ones, where not all can change
        sizes = list(zip(self.critics, batch.images[-judged:], drawn.images[-judged:], strict=True))

        terms, other = {}, adversarial.foreign(batch.labels)
        for critic, real_image, fake_image in sizes:
            real, fake = critic.features(real_image), critic.features(fake_image.detach())
            kinds = real, real[other], fake
            pairs = (critic.pair(each, sentence) for each in kinds)
            terms[f"pair_{critic.px}"] = least_squares.pairs(*pairs)
            if critic.has_local:
                pieces = (critic.local(each) for each in kinds)
                terms[f"local_{critic.px}"] = least_squares.pictures(*pieces)
        yield Update("critic", terms)

        terms = self.restrain(drawn)
        for critic, _, fake_image in sizes:
            fake = critic.features(fake_image)
            terms[f"pair_{critic.px}"] = least_squares.accept(critic.pair(fake, sentence))
            if critic.has_local:
                terms[f"local_{critic.px}"] = least_squares.accept(critic.local(fake))
        yield Update("generator", terms)

    def draw(self, sentence: Tensor, step: int) -> hdgan.Drawn:
        if self.settings.enlarged and step == 0:
            require_trained(
                self.generator.grow,
                "the generator that is to be enlarged",
                hint="pass --weights FILE: the weights.safetensors of its run",
            )
        drawn: hdgan.Drawn = self.generator(*self.noise(sentence), sentence)
        return drawn

    def restrain(self, drawn: hdgan.Drawn) -> dict[str, Tensor]:
        """What keeps the generator from running away: the normal condition, or its own picture.

        Source: official names `get_KL_Loss`, and `pwloss`, enlarged as torch did in its day.
        """
        if not self.settings.enlarged:
            gap = divergence.to_standard_normal(drawn.mean, 2 * drawn.log_sigma)
            return {"divergence": self.settings.divergence * gap}
        *_, smaller, last = drawn.images
        wanted = F.interpolate(
            smaller.detach(), scale_factor=2, mode="bilinear", align_corners=True
        )
        return {"likeness": F.l1_loss(last, wanted)}

    def noise(self, sentence: Tensor) -> tuple[Tensor, Tensor]:
        sizes = (self.settings.noise_size, self.settings.condition_size)
        noise, detail = (torch.randn(len(sentence), size, device=sentence.device) for size in sizes)
        return noise, detail

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        sentence = self.reader.text(batch.tokens)
        drawn: hdgan.Drawn = averaged["generator"](*self.noise(sentence), sentence)
        return drawn.images[-1]

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return {"text": self.reader.text, "generator": averaged["generator"]}


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> HDGan:
    return HDGan(settings, source, needs["charcnnrnn"], device)
