"""AttnGAN on drawn birds, taught by pairs: how the bundle that ships is trained.

The networks are AttnGAN's. The training differs from the paper, because a drawn bird knows what a
photograph does not: the numbers it was drawn from. They are the first numbers of the generator's
noise, so each noise has its right picture, and a paired loss teaches beside the critics.

Differences from the paper: the paired loss, in pixels and in the eyes of a frozen judge, which also
reads the bird's attributes; the first stage learns alone before the others join; the later stages
learn on windows of some of the pictures; batch norms keep their statistics in the end; critics
judge patches, with a gradient penalty, and the first one reads the attributes too; the DAMSM loss
is taken at the first stage.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from t2i.models import attngan, damsm
from t2i.models.blocks.patches import PatchCritic
from t2i.train.data.batch import Batch
from t2i.train.losses import adversarial, divergence, paired
from t2i.train.losses.reading import AttributeHeads
from t2i.train.matcher import FrozenMatcher
from t2i.train.optimisers import adam
from t2i.train.perceptual import FrozenJudge, distance
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update

if TYPE_CHECKING:
    from t2i.train.recipes.attngan import Settings


@dataclass(frozen=True)
class PairedSettings:
    alone: float = 0.5
    """Share of the steps in which the first stage learns alone."""
    settled: float = 0.75
    """Share of the steps after which batch norms keep their statistics, measured on whole pictures:
    a batch no longer blurs its pictures' colours, and windows are drawn as whole pictures are."""
    refined: int = 8
    """Pictures of a batch that the later stages draw."""
    window: int = 28
    """Side of the window of the first stage's features that the later stages draw."""
    pairs: float = 10.0
    """Weight of the paired loss; falls to `pairs_last` over the last two fifths of the steps."""
    pairs_last: float = 3.0
    bird: float = 3.0
    """How much more a pixel of the bird counts than one of the background."""
    sight: float = 2.0
    """Weight of the paired loss in the eyes of the judge."""
    attributes: float = 1.5
    """Weight of the attributes that the first critic reads in a generated picture, and of those
    that the judge reads there."""
    penalty: float = 0.5
    """γ of the gradient penalty."""
    penalty_every: int = 8
    critic_rate: float = 1e-3
    warmup: int = 100
    """Steps until the learning rates are reached."""
    calm: float = -6.0
    """Starting log-variance of the conditioning augmentation: its noise must not blur the pairs."""


MEASURED = 60
"""Batches over which the batch norms are measured before they settle."""


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
        self,
        settings: "Settings",
        source: Source,
        needs: Mapping[str, Needed],
        device: torch.device,
    ) -> None:
        assert settings.paired is not None
        self.settings, self.paired = settings, settings.paired
        self.matcher = FrozenMatcher(needs["damsm"], device)
        self.judge = FrozenJudge(needs["judge"], device)
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
                adam(self.generator, settings.learning_rate),
                settings.average,
                self.rate,
            ),
            "critics": Player(
                critics,
                adam(critics, self.paired.critic_rate, betas=(0.0, 0.99)),
                schedule=self.rate,
                clip=10.0,
            ),
        }

    def rate(self, step: int) -> float:
        """Factor of the learning rates: warm up, hold, and fall to nothing in the second half."""
        left = 1 - step / self.settings.loop.steps
        return min(1.0, (step + 1) / self.paired.warmup, max(2 * left, 0.02))

    def pairs(self, step: int) -> float:
        """Weight of the paired loss."""
        late = max(0.0, step / self.settings.loop.steps - 0.6) / 0.4
        return self.paired.pairs + late * (self.paired.pairs_last - self.paired.pairs)

    def step(self, batch: Batch) -> Iterator[Update]:
        text = self.matcher.text(batch.tokens)
        self.settle(batch, text)
        stages, drawn = self.draw(batch, text)

        yield Update("critics", self.refuse(stages, text.sentence, batch))

        terms: dict[str, Tensor] = {}
        weight = self.pairs(batch.step)
        for number, (critic, stage) in enumerate(zip(self.critics, stages, strict=False)):
            features = critic.features(stage.fake)
            alone, beside = critic(features, text.sentence[: len(features)])
            terms[f"fool_{number}"] = adversarial.accept(alone) + adversarial.accept(beside)
            terms[f"pairs_{number}"] = weight * paired.likeness(
                stage.fake, stage.real, stage.weight
            )
            if number == 0:
                read = self.reader(features.flatten(1), batch.attributes)
                terms["attributes"] = self.paired.attributes * read
        terms |= self.seen(stages, batch)
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
        first = self.generator.heads[0](hidden)
        stages = [Stage(batch.images[0], first, self.pixel_weight(batch, 0))]
        if self.refines(batch.step):
            few = slice(self.paired.refined)
            words, mask = text.words[few], text.mask[few].unsqueeze(1)
            corners = window_corners(len(words), hidden.shape[-1], self.paired.window)
            hidden = windows(hidden[few], corners, self.paired.window)
            later = zip(self.generator.refine, self.generator.heads[1:], strict=True)
            for number, (refine, head) in enumerate(later, start=1):
                hidden, _ = refine(hidden, words, mask)
                scaled, side = corners * 2**number, self.paired.window * 2**number
                real = windows(batch.images[number][few], scaled, side)
                weight = windows(self.pixel_weight(batch, number)[few], scaled, side)
                stages.append(Stage(real, head(hidden), weight))
        return stages, (mean, log_variance)

    def seen(self, stages: list[Stage], batch: Batch) -> dict[str, Tensor]:
        """How the judge sees some of what was drawn: whole pictures of the first stage, windows."""
        assert batch.attributes is not None, "drawn birds know their attributes"
        terms: dict[str, Tensor] = {}
        few, window = slice(self.paired.refined), self.paired.window
        for number, stage in enumerate(stages):
            side = window * self.judge.sizes.px // self.settings.first_px if number else None
            with torch.no_grad():
                wanted = self.judge.maps(stage.real[few], side)
            maps = self.judge.maps(stage.fake[few], side)
            terms[f"sight_{number}"] = self.paired.sight * distance(maps, wanted)
            if number == 0:
                read = self.judge.misread(maps, batch.attributes[few])
                terms["read"] = self.paired.attributes * read
        return terms

    def refines(self, step: int) -> bool:
        """Whether the later stages draw yet."""
        return step >= self.paired.alone * self.settings.loop.steps

    def settle(self, batch: Batch, text: damsm.EncodedText) -> None:
        """Measure the batch norms on whole pictures when their time comes, then leave them so."""
        measured = batch.step - int(self.paired.settled * self.settings.loop.steps) + MEASURED
        if measured < 0:
            return
        norms = [each for each in self.generator.modules() if isinstance(each, _BatchNorm)]
        if measured >= MEASURED:
            for norm in norms:
                norm.eval()
            return
        for norm in norms:
            norm.momentum = 1 / (measured + 1)  # a plain mean over all that were measured
        few = slice(self.paired.refined)
        noise, detail = self.noise(batch)
        with torch.no_grad():
            self.generator(noise[few], detail[few], *(each[few] for each in text))
        for norm in norms:
            norm.momentum = 0  # what is drawn of windows does not count

    def refuse(self, stages: list[Stage], sentence: Tensor, batch: Batch) -> dict[str, Tensor]:
        """What the critics have to learn."""
        terms = {}
        penalised = batch.step % self.paired.penalty_every == 0
        for number, (critic, stage) in enumerate(zip(self.critics, stages, strict=False)):
            real = stage.real.detach().requires_grad_(penalised)
            features, refused = critic.features(real), critic.features(stage.fake.detach())
            said = sentence[: len(real)]
            alone, beside = critic(features, said)
            fake_alone, fake_beside = critic(refused, said)
            _, wrong = critic(features, said.roll(1, dims=0))
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

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        text = self.matcher.text(batch.tokens)
        drawn = averaged["generator"](*self.noise(batch), *text)
        last: Tensor = drawn.images[-1 if self.refines(batch.step) else 0]
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
