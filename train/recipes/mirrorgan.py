"""MirrorGAN: what AttnGAN draws must be told back, by a frozen captioner, in the caption's words.

Source:
    Qiao et al. 2019, "MirrorGAN: Learning Text-to-image Generation by Redescription"; official
    `trainer.py` and `miscc/losses.py`, where the DAMSM loss is left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from t2i.models import mirrorgan
from t2i.models import stream as describers
from t2i.runtime.records import decode
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import divergence, redescription
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Source, Update
from t2i.train.recipes import attngan, damsm, stream
from t2i.train.settings import LoopSettings, on_pictures_of


@dataclass(frozen=True)
class Settings(attngan.StagedSettings):
    matching: float = 0.0
    """λ of the DAMSM loss on the last picture, which the official code leaves out."""
    stream: str | None = "birds"
    """Preset of the STREAM that describes the last picture, frozen; None = without, the paper's
    ablation."""
    redescription: float = 10.0
    """λ of the cross-entropy of the caption in that description; the paper's best is 20."""


PRESETS: dict[str, Settings] = {
    "toy": Settings(
        LoopSettings(steps=80, batch_size=16, sample_every=40, checkpoint_every=40),
        **attngan.TOY | {"matching": 0.0, "stream": "toy"},
    ),
    "birds": Settings(
        LoopSettings(steps=4000, batch_size=16, sample_every=500, checkpoint_every=250),
        **attngan.BIRDS,
    ),
    # 650 epochs of CUB's 8,855 pictures. For COCO there is no official configuration: AttnGAN's
    # sizes and epochs, 120 of 82,783 pictures.
    "cub": Settings(
        loop=LoopSettings(479_050, batch_size=12, sample_every=2000, checkpoint_every=2000),
        data=data.Settings(kind="cub", px=(64, 128, 256), words=18),
        damsm="cub",
        stream="cub",
    ),
    "coco": Settings(
        loop=LoopSettings(709_560, batch_size=14, sample_every=2000, checkpoint_every=2000),
        data=data.Settings(kind="folder", px=(64, 128, 256), words=12),
        damsm="coco",
        stream="coco",
        generator_width=48,
        critic_width=96,
        residuals=3,
    ),
}
NEEDS: tuple[str, ...] = ("damsm", "stream")


def needed_settings(
    settings: Settings, name: Literal["damsm", "stream"]
) -> damsm.Settings | stream.Settings | None:
    """Both learn from the same pictures, each at its own size."""
    if name == "damsm":
        return attngan.needed_matcher(settings, name)
    if settings.stream is None:
        return None
    return on_pictures_of(settings, stream.PRESETS[settings.stream])


class FrozenStream:
    """A trained STREAM, frozen; pictures get gradients through it, its weights do not."""

    def __init__(self, trained: Needed, device: torch.device) -> None:
        self.sizes = decode(describers.Settings, trained.recipe.network)
        self.networks = nn.ModuleDict(describers.networks(self.sizes))
        self.networks.load_state_dict(trained.state)
        self.networks.to(device).requires_grad_(requires_grad=False)
        # The captioner stays in training mode, where it computes the same: in eval mode cuDNN gives
        # no gradients through recurrent layers.
        self.networks["image"].eval()
        self.ends: bool = trained.recipe.settings["ends"]

    def loss(self, pictures: Tensor, tokens: Tensor) -> Tensor:
        """How little pictures (B, 3, H, W) call for the words of their captions (B, T)."""
        logits = self.networks["caption"](self.networks["image"](pictures), tokens)
        return redescription.cross_entropy(logits, tokens, ends=self.ends)


class MirrorGAN(attngan.AttnGAN):
    """GLAM, and one critic a stage; STEM and STREAM are frozen."""

    settings: Settings
    models = mirrorgan

    def __init__(
        self, settings: Settings, needs: Mapping[str, Needed], device: torch.device
    ) -> None:
        self.stream = FrozenStream(needs["stream"], device) if settings.stream else None
        super().__init__(settings, needs["damsm"], device)
        described = self.stream.sizes if self.stream else None
        self.network = mirrorgan.Settings(**vars(self.network), stream=described)

    def step(self, batch: Batch) -> Iterator[Update]:
        text = self.matcher.text(batch.tokens)
        drawn = self.generator(*self.noise(len(batch.tokens), text.sentence), *text)

        stages = list(
            zip(self.critics, batch.images[-len(drawn.images) :], drawn.images, strict=True)
        )
        for critic, real, fake in stages:
            loss = attngan.critic_loss(critic, real, fake.detach(), text.sentence)
            yield Update(f"critic_{critic.px}", {"refuse": loss})

        terms: dict[str, Tensor] = {}
        for critic, _, fake in stages:
            terms |= attngan.fool(critic, fake, text.sentence)
        if self.stream:
            told = self.stream.loss(drawn.images[-1], batch.tokens)
            terms["redescription"] = self.settings.redescription * told
        if self.settings.matching:
            terms |= self.matcher.losses(drawn.images[-1], text, batch, self.settings.matching)
        terms["divergence"] = self.settings.divergence * divergence.to_standard_normal(
            drawn.mean, drawn.log_variance
        )
        yield Update("generator", terms)

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        described = dict(self.stream.networks) if self.stream else {}
        return super().exported(averaged) | described


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> MirrorGAN:
    return MirrorGAN(settings, needs, device)
