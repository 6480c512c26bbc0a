"""SD-GAN: each picture is drawn twice, from two of its captions, and critics compare the pairs.

Source:
    Yin et al. 2019, "Semantics Disentangling for Text-to-Image Generation". There is no official
    code; losses and step are AttnGAN's, as the paper says, and the contrastive loss beside them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from t2i.models import damsm as matchers
from t2i.models import sdgan
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import adversarial, divergence, siamese
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Source, Update
from t2i.train.recipes import attngan
from t2i.train.settings import LoopSettings


@dataclass(frozen=True)
class Settings(attngan.StagedSettings):
    """`data.retold=false` trains without the Siamese structure: one caption a picture."""

    first_cues: sdgan.Cues = "sentence"
    """What conditions the norms of the first stage: none, sentence, words, or both."""
    cues: sdgan.Cues = "both"
    """What conditions those of the later stages; none in all stages is the paper's ablation."""
    contrast: float = 1.0
    """Weight of the contrastive loss, of critics and generator alike; 0 = without."""
    near: float = 0.1
    """α: pictures of one bird that are nearer than this are not drawn nearer."""
    far: float = 1.0
    """ε: pictures of two birds that are further apart than this are let be."""
    feature_size: int = 256
    """N: channels of the feature by which a critic compares pictures."""

    @property
    def compares(self) -> bool:
        """Whether critics compare pictures of two captions."""
        return self.data.retold and self.contrast > 0

    def network(self, encoder: matchers.Settings) -> sdgan.Settings:
        """Sizes of the networks beside a trained DAMSM."""
        return sdgan.Settings(
            **vars(super().network(encoder)),
            first_cues=self.first_cues,
            cues=self.cues,
            feature_size=self.feature_size if self.compares else 0,
        )


_BIRDS = Settings(
    LoopSettings(steps=2700, batch_size=8, sample_every=500, checkpoint_every=250), **attngan.BIRDS
)
_TOY = Settings(
    LoopSettings(steps=100, batch_size=8, sample_every=50, checkpoint_every=50), **attngan.TOY
)

PRESETS: dict[str, Settings] = {
    "toy": replace(_TOY, data=replace(_TOY.data, retold=True)),
    "birds": replace(_BIRDS, data=replace(_BIRDS.data, retold=True)),
    # AttnGAN's epochs, 600 of CUB's 8,855 pictures and 120 of COCO's 82,783, in half its batches:
    # each picture is drawn twice.
    "cub": Settings(
        loop=LoopSettings(531_000, batch_size=10, sample_every=2000, checkpoint_every=2000),
        data=data.Settings(kind="cub", px=(64, 128, 256), words=18, retold=True),
        damsm="cub",
    ),
    "coco": Settings(
        loop=LoopSettings(1_419_120, batch_size=7, sample_every=2000, checkpoint_every=2000),
        data=data.Settings(kind="folder", px=(64, 128, 256), words=12, retold=True),
        damsm="coco",
        generator_width=48,
        critic_width=96,
        residuals=3,
        matching=50.0,
    ),
}
NEEDS: tuple[str, ...] = ("damsm",)

needed_settings = attngan.needed_matcher


class SdGan(attngan.AttnGAN):
    """A generator that captions reach in every norm, and one critic a stage that compares."""

    settings: Settings
    network: sdgan.Settings
    models = sdgan

    def __init__(self, settings: Settings, matcher: Needed, device: torch.device) -> None:
        super().__init__(settings, matcher, device)
        sdgan.initialise(self.generator)

    def step(self, batch: Batch) -> Iterator[Update]:
        """Both branches, caption and other caption, are one batch of twice the size."""
        if batch.retold is None:
            yield from super().step(batch)
            return
        text = self.matcher.text(torch.cat([batch.tokens, batch.retold]))
        drawn = self.generator(*self.noise(len(text.sentence), text.sentence), *text)

        stages = list(
            zip(self.critics, batch.images[-len(drawn.images) :], drawn.images, strict=True)
        )
        for critic, real, fake in stages:
            seen = critic.features(real).repeat(2, 1, 1, 1)
            refused = critic.features(fake.detach())
            terms = {"refuse": attngan.refusal(critic, seen, refused, text.sentence)}
            yield Update(f"critic_{critic.px}", terms | self.contrast(critic, refused, batch))

        terms = {}
        for critic, _, fake in stages:
            features = critic.features(fake)
            terms |= attngan.persuasion(critic, features, text.sentence)
            terms |= self.contrast(critic, features, batch)
        terms |= self.matches(drawn.images[-1], text, batch)
        terms["divergence"] = self.settings.divergence * divergence.to_standard_normal(
            drawn.mean, drawn.log_variance
        )
        yield Update("generator", terms)

    def contrast(self, critic: nn.Module, features: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Pictures of one bird, drawn from both captions, are alike; foreign ones are apart."""
        if not isinstance(critic, sdgan.Critic):
            return {}
        one, other = critic.compared(features).float().chunk(2)
        loss = siamese.contrastive(
            alike=siamese.distance(one, other),
            apart=siamese.distance(one, other[adversarial.foreign(batch.labels)]),
            near=self.settings.near,
            far=self.settings.far,
        )
        return {f"contrast_{critic.px}": self.settings.contrast * loss}

    def matches(
        self, pictures: Tensor, text: matchers.EncodedText, batch: Batch
    ) -> dict[str, Tensor]:
        """DAMSM's terms, a mean over the branches: both captions of a bird match its pictures."""
        branches = zip(pictures.chunk(2), *(each.chunk(2) for each in text), strict=True)
        one, other = (
            self.matcher.losses(
                branch, matchers.EncodedText(*said), batch, self.settings.matching / 2
            )
            for branch, *said in branches
        )
        return {name: term + other[name] for name, term in one.items()}


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> SdGan:
    return SdGan(settings, needs["damsm"], device)
