"""CI-GAN: a text encoder learns to say the latents that pictures were inverted to.

Source:
    Wang et al. 2021, "Cycle-Consistent Inverse GAN for Text-to-Image Synthesis", its third stage;
    the first is `stylegan2.py`, the second `inversion.py`. The authors published no code; what is
    chosen here is told in the card.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import cigan
from t2i.models import inversion as inverters
from t2i.models import stylegan2 as generators
from t2i.runtime.errors import UsageError
from t2i.runtime.records import decode
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import alignment
from t2i.train.optimisers import adam
from t2i.train.perceptual import Eye, FrozenJudge, check_eye, eye_of
from t2i.train.players import below
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.recipes import inversion, judge
from t2i.train.settings import LoopSettings, on_pictures_of
from t2i.train.vgg import FrozenVgg


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    inversion: str
    """Preset of the inversion that tells the latents of pictures; it and its generator stay."""
    embedding: int = 300
    recurrent_size: int = 256
    dropout: float = 0.5
    pull: float = 0.25
    """λ: how much the noise's own latent counts beside the caption's, when pictures are drawn."""
    temperature: float = 0.1
    """τ, in units of √S: what distances of latents are divided by."""
    symmetric: bool = False
    """Pictures are to find their captions too."""
    near: float = 0.0
    """λ of the squared distance from a caption to its picture. Without it a caption is only asked
    to be nearer to its own picture than to others, and may lie beyond what is drawn well."""
    features: Eye | None = "vgg"
    """What sees whether an edited picture is still alike: a judge of drawn birds, VGG-16, or
    nothing. No training asks it; it goes into the bundle, which edits."""
    vgg: str | None = None
    """File of torchvision's weights of VGG-16 (.safetensors)."""
    likeness: float = 1.0
    """λ_F: how much what it sees counts when a picture is edited."""
    pixels: float = 0.0
    """λ_pix: how much the pixels themselves do."""
    stay: float = 0.0
    """λ_w: how much the latent that was told of the picture does."""
    learning_rate: float = 2e-4
    average: float | None = None
    """Decay of the text encoder's running average."""

    def network(
        self,
        sizes: inverters.Settings,
        vocabulary: int,
        eye: cigan.EyeKind,
    ) -> cigan.Settings:
        """Sizes of the networks, for the generator that was inverted."""
        return cigan.Settings(
            **sizes.generator_sizes(),
            vocabulary=vocabulary,
            embedding=self.embedding,
            recurrent_size=self.recurrent_size,
            dropout=self.dropout,
            pull=self.pull,
            eye=eye,
            likeness=self.likeness,
            pixels=self.pixels,
            stay=self.stay,
        )


_BIRDS = Settings(
    loop=LoopSettings(steps=6000, batch_size=64, sample_every=500, checkpoint_every=250),
    data=inversion.PRESETS["birds"].data,
    inversion="birds",
    embedding=64,
    recurrent_size=128,
    dropout=0.0,
    near=1.0,
    features="judge",
    learning_rate=0.001,
    average=0.998,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=120, batch_size=32, sample_every=60, checkpoint_every=60),
        data=inversion.PRESETS["toy"].data,
        inversion="toy",
        embedding=32,
        recurrent_size=64,
        features=None,
        pixels=20.0,
        learning_rate=0.004,
        average=0.95,
    ),
    "birds": _BIRDS,
    "cub": Settings(  # 100 epochs of 8,855 pictures
        loop=LoopSettings(100 * (8855 // 64), 64, sample_every=500, checkpoint_every=1000),
        data=inversion.PRESETS["cub"].data,
        inversion="cub",
    ),
}
NEEDS: tuple[str, ...] = ("inversion", "judge")


def needed_settings(
    settings: Settings, name: Literal["inversion", "judge"]
) -> inversion.Settings | judge.Settings | None:
    """The inversion learns from the same pictures, and brings its generator along; a judge may be
    needed.

    Raises:
        UsageError: what is to compare pictures is not there, or cannot.
    """
    if name == "inversion":
        wanted = on_pictures_of(settings, inversion.PRESETS[settings.inversion])
        return replace(wanted, vgg=settings.vgg) if wanted.features == "vgg" else wanted
    check_eye(settings.features, settings.vgg, settings.data.kind)
    return judge.PRESETS["perceptual"] if settings.features == "judge" else None


class CiGan:
    """One player, which reads; all else is frozen."""

    def __init__(
        self,
        settings: Settings,
        source: Source,
        needs: Mapping[str, Needed],
        device: torch.device,
    ) -> None:
        self.settings, self.device = settings, device
        inverted = needs["inversion"]
        sizes = decode(inverters.Settings, inverted.recipe.network)
        check(settings, sizes)
        self.eye = eye_of(settings.features, settings.vgg, needs, device)
        self.network = settings.network(sizes, source.vocabulary, kind_of(self.eye))
        self.encoder, self.generator = inverters.Encoder(sizes), generators.Generator(sizes)
        frozen = {"encoder.": self.encoder, "generator.": self.generator}
        for prefix, network in frozen.items():
            network.load_state_dict(below(prefix, inverted.state))
            network.to(device).eval().requires_grad_(requires_grad=False)
        self.temperature = settings.temperature * sizes.style_size**0.5
        self.text = cigan.TextEncoder(self.network).to(device)
        moving = adam(self.text, settings.learning_rate)
        self.players = {"text": Player(self.text, moving, settings.average)}

    def step(self, batch: Batch) -> Iterator[Update]:
        settings = self.settings
        with torch.no_grad():
            latents = self.encoder(batch.images[-1])[:, 0]  # all layers have the same
        sentences = self.text(batch.tokens)
        terms = alignment.losses(sentences, latents, self.temperature, symmetric=settings.symmetric)
        if settings.near:
            terms["near"] = settings.near * F.mse_loss(sentences, latents)
        yield Update("text", terms)

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        """As a bundle draws; but what could be turned faces right."""
        B, sizes = len(batch.tokens), self.network
        noise = torch.randn(B, sizes.style_size, device=self.device)
        grain = torch.randn(B, sizes.grain_size, device=self.device)
        start = self.generator.mapping(noise)
        latent = cigan.between(averaged["text"](batch.tokens), start, sizes.pull)
        drawn: Tensor = self.generator(self.generator.spread(latent), grain)
        return drawn.clamp(-1, 1)

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        eye = {"eye": self.eye.network} if self.eye else {}
        return {
            "text": averaged["text"],
            "generator": self.generator,
            "encoder": self.encoder,
            **eye,
        }


def kind_of(eye: FrozenJudge | FrozenVgg | None) -> cigan.EyeKind:
    """What compares pictures, as the networks' sizes tell it."""
    if isinstance(eye, FrozenJudge):
        return eye.sizes
    return "vgg" if eye else None


def check(settings: Settings, sizes: inverters.Settings) -> None:
    """
    Raises:
        UsageError: captions cannot be aligned with what the inversion tells, or not drawn.
    """
    if sizes.plus:
        raise UsageError(
            "captions become one latent, and this inversion tells one for each layer",
            hint="train an inversion with --set plus=false",
        )
    if sizes.image_px != settings.data.px[-1]:
        raise UsageError(
            f"the inversion sees pictures of {sizes.image_px} px, and these have "
            f"{settings.data.px[-1]} px",
            hint=f"--set px={sizes.image_px}",
        )
    if settings.pull < 0:
        raise UsageError(
            f"pull={settings.pull} would draw captions away from the noise",
            hint="--set pull=0.25, or 0 for captions alone",
        )
    if not (settings.features and settings.likeness > 0) and settings.pixels <= 0:
        raise UsageError(
            "nothing would hold a picture while it is edited",
            hint="--set pixels=20, or --set features=judge for drawn birds",
        )


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> CiGan:
    return CiGan(settings, source, needs, device)
