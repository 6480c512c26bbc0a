"""AttnGAN on drawn birds, taught by pairs: how the bundle that ships is trained.

The networks are AttnGAN's. The training differs from the paper, because a drawn bird knows what a
photograph does not: the numbers it was drawn from. They are the first numbers of the generator's
noise, so each noise has its right picture, and a paired loss teaches beside the critics.

Differences from the paper: the paired loss; the first stage learns alone before the others join;
the later stages learn on windows of the picture; critics judge patches, with a gradient penalty,
and the first one reads the bird's attributes; the DAMSM loss is taken at the first stage.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import attngan, damsm
from t2i.models.blocks.patches import PatchCritic
from t2i.train.data.batch import Batch
from t2i.train.losses import adversarial, divergence, paired
from t2i.train.matcher import FrozenMatcher
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.recipes.damsm import AttributeHeads

if TYPE_CHECKING:
    from t2i.train.recipes.attngan import Settings


@dataclass(frozen=True)
class PairedSettings:
    alone: int = 2400
    """Steps in which the first stage learns alone."""
    window: int = 28
    """Side of the window of the first stage's features that the later stages draw."""
    pairs: float = 10.0
    """Weight of the paired loss; falls to `pairs_last` over the last two fifths of the steps."""
    pairs_last: float = 3.0
    bird: float = 3.0
    """How much more a pixel of the bird counts than one of the background."""
    attributes: float = 1.5
    """Weight of the attributes that the first critic reads in a generated picture."""
    penalty: float = 0.5
    """γ of the gradient penalty."""
    penalty_every: int = 8
    critic_rate: float = 1e-3
    warmup: int = 100
    """Steps until the learning rates are reached."""
    calm: float = -6.0
    """Starting log-variance of the conditioning augmentation: its noise must not blur the pairs."""


@dataclass(frozen=True)
class Stage:
    """What one stage drew of its window, beside the truth."""

    real: Tensor
    fake: Tensor
    weight: Tensor
    """(B, 1, H, W): what each pixel counts."""


class Paired:
    """The first stage on whole pictures, then all stages on windows."""

    def __init__(
        self, settings: "Settings", source: Source, trained: Needed, device: torch.device
    ) -> None:
        assert settings.paired is not None
        self.settings, self.paired = settings, settings.paired
        self.matcher = FrozenMatcher(trained, device)
        self.network = settings.network(self.matcher.sizes)
        self.generator = attngan.Generator(self.network).to(device)
        attngan.initialise(self.generator)
        self.generator.condition.calm(self.paired.calm)
        width, text_size = settings.critic_width, self.network.text_size
        self.critics = [
            PatchCritic(width, text_size, whole=stage == 0).to(device)
            for stage in range(self.network.stages)
        ]
        self.reader = AttributeHeads(8 * width * 16, source.attributes).to(device)
        critics = nn.ModuleDict({"critics": nn.ModuleList(self.critics), "reader": self.reader})
        self.players = {
            "generator": Player(
                self.generator,
                torch.optim.Adam(
                    self.generator.parameters(), lr=settings.learning_rate, betas=(0.5, 0.999)
                ),
                average=settings.average,
                schedule=self.rate,
            ),
            "critics": Player(
                critics,
                torch.optim.Adam(
                    critics.parameters(), lr=self.paired.critic_rate, betas=(0.0, 0.99)
                ),
                schedule=self.rate,
                clip=10.0,
            ),
        }

    def rate(self, step: int) -> float:
        """Factor of the learning rates: warm up, hold, and fall to nothing in the last third."""
        left = 1 - step / self.settings.loop.steps
        return min(1.0, (step + 1) / self.paired.warmup, max(3 * left, 0.02))

    def pairs(self, step: int) -> float:
        """Weight of the paired loss."""
        late = max(0.0, step / self.settings.loop.steps - 0.6) / 0.4
        return self.paired.pairs + late * (self.paired.pairs_last - self.paired.pairs)

    def step(self, batch: Batch) -> Iterator[Update]:
        text = self.matcher.text(batch.tokens)
        stages, drawn = self.draw(batch, text)

        yield Update("critics", self.judge(batch, stages, text.sentence))

        terms: dict[str, Tensor] = {}
        weight = self.pairs(batch.step)
        for number, (critic, stage) in enumerate(zip(self.critics, stages, strict=False)):
            features = critic.features(stage.fake)
            alone, beside = critic(features, text.sentence)
            terms[f"fool_{number}"] = adversarial.accept(alone) + adversarial.accept(beside)
            terms[f"pairs_{number}"] = weight * paired.likeness(
                stage.fake, stage.real, stage.weight
            )
            if number == 0:
                read = self.reader(features.flatten(1), batch.attributes)
                terms["attributes"] = self.paired.attributes * read
        terms |= self.matcher.losses(stages[0].fake, text, batch, self.settings.matching)
        terms["divergence"] = self.settings.divergence * divergence.to_standard_normal(*drawn)
        yield Update("generator", terms)

    def draw(
        self, batch: Batch, text: damsm.EncodedText
    ) -> tuple[list[Stage], tuple[Tensor, Tensor]]:
        """Draw the first stage whole and, once it has learnt alone, a window of the others."""
        noise, detail = self.noise(batch)
        condition, mean, log_variance = self.generator.condition(text.sentence, detail)
        hidden = self.generator.first(condition, noise)
        fakes = [self.generator.heads[0](hidden)]
        corners = None
        if batch.step >= self.paired.alone:
            corners = window_corners(len(noise), hidden.shape[-1], self.paired.window)
            hidden = windows(hidden, corners, self.paired.window)
            for refine, head in zip(self.generator.refine, self.generator.heads[1:], strict=True):
                hidden, _ = refine(hidden, text.words, text.mask.unsqueeze(1))
                fakes.append(head(hidden))
        stages = []
        for number, fake in enumerate(fakes):
            real, weight = batch.images[number], self.pixel_weight(batch, number)
            if number and corners is not None:
                scaled, side = corners * 2**number, self.paired.window * 2**number
                real, weight = windows(real, scaled, side), windows(weight, scaled, side)
            stages.append(Stage(real, fake, weight))
        return stages, (mean, log_variance)

    def judge(self, batch: Batch, stages: list[Stage], sentence: Tensor) -> dict[str, Tensor]:
        """What the critics have to learn."""
        terms = {}
        penalised = batch.step % self.paired.penalty_every == 0
        for number, (critic, stage) in enumerate(zip(self.critics, stages, strict=False)):
            real = stage.real.detach().requires_grad_(penalised)
            features, refused = critic.features(real), critic.features(stage.fake.detach())
            alone, beside = critic(features, sentence)
            fake_alone, fake_beside = critic(refused, sentence)
            _, wrong = critic(features, sentence.roll(1, dims=0))
            terms[f"refuse_{number}"] = (
                adversarial.accept(alone)
                + adversarial.refuse(fake_alone)
                + adversarial.accept(beside)
                + (adversarial.refuse(fake_beside) + adversarial.refuse(wrong)) / 2
            )
            if penalised:
                slope = adversarial.gradient_penalty(alone + beside, real)
                # Taken every few steps, so that much stronger.
                strength = self.paired.penalty_every * self.paired.penalty / 2
                terms[f"penalty_{number}"] = strength * slope
            if number == 0:
                terms["attributes"] = self.reader(features.flatten(1), batch.attributes)
        return terms

    def pixel_weight(self, batch: Batch, number: int) -> Tensor:
        """Background 1, bird more; (B, 1, H, W) at the size of stage `number`."""
        assert batch.mask is not None, "only drawn birds know where the bird is"
        bird = F.interpolate(batch.mask, size=batch.images[number].shape[-2:], mode="area")
        return 1 + (self.paired.bird - 1) * bird

    def noise(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The numbers the birds were drawn from, filled up with free ones; and the detail."""
        assert batch.noise is not None, "only drawn birds know what they were drawn from"
        count, device = len(batch.noise), batch.noise.device
        free = self.settings.noise_size - batch.noise.shape[1]
        rest = torch.randn(count, free, device=device)
        detail = torch.randn(count, self.settings.condition_size, device=device)
        return torch.cat([batch.noise, rest], dim=1), detail

    def finish(self, averaged: Mapping[str, nn.Module], batches: Iterable[Batch]) -> None:
        """Windows taught the batch norms of the later stages: measure them on whole pictures."""
        generator = averaged["generator"]
        norms = [
            each
            for each in generator.modules()
            if isinstance(each, nn.modules.batchnorm._BatchNorm)
        ]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over the batches
            norm.train()
        for batch in batches:
            generator(*self.noise(batch), *self.matcher.text(batch.tokens))
        for norm in norms:
            norm.momentum = 0.1
            norm.eval()

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        text = self.matcher.text(batch.tokens)
        drawn = averaged["generator"](*self.noise(batch), *text)
        last: Tensor = drawn.images[-1 if batch.step >= self.paired.alone else 0]
        return last

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return {"text": self.matcher.text, "generator": averaged["generator"]}


def window_corners(count: int, side: int, window: int) -> Tensor:
    """Upper left corners (count, 2), so drawn that borders are seen as often as the middle."""
    margin = 6
    drawn = torch.randint(-margin, side - window + margin + 1, (count, 2))
    return drawn.clamp(0, side - window)


def windows(maps: Tensor, corners: Tensor, side: int) -> Tensor:
    """Cut a window (side × side) of its own from each map (B, C, H, W)."""
    cuts = [
        each[:, top : top + side, left : left + side]
        for each, (top, left) in zip(maps, corners.tolist(), strict=True)
    ]
    return torch.stack(cuts)
