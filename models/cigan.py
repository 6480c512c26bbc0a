"""CI-GAN: captions become latents of a StyleGAN2 that never read any.

Source: Wang et al., ACM Multimedia 2021 (arXiv 2108.01361). The authors published no code. Its
generator is in `stylegan2.py`, what tells latents of pictures in `inversion.py`.
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from t2i.models import inversion, judge, stylegan2
from t2i.models.blocks.recurrent import BidirectionalRecurrent
from t2i.models.encoders.vgg import VggTrunk

EyeKind = judge.Settings | Literal["vgg"] | None
"""What compares pictures: a judge of drawn birds, VGG-16, or nothing."""


@dataclass(frozen=True)
class Settings(stylegan2.Settings):
    """Sizes of the generator, which is StyleGAN2's, and of what reads captions and pictures."""

    vocabulary: int = field(kw_only=True)
    """Token ids, those of the padding (0) and of the unknown word included."""
    embedding: int = 300
    """E: channels of a word."""
    recurrent_size: int = 256
    """Channels of the recurrent layer, either way."""
    dropout: float = 0.5
    """On the words, in training."""
    pull: float = 0.25
    """λ: how much the noise's own latent counts beside the caption's."""
    eye: EyeKind = None
    """F: what sees whether an edited picture is still alike; None where nothing does."""
    likeness: float = 1.0
    """λ_F: how much what it sees counts beside the caption when a picture is edited."""
    pixels: float = 0.0
    """λ_pix: the same of the pixels themselves."""
    stay: float = 0.0
    """λ_w: the same of the latent that was told of the picture."""

    def inverter(self) -> inversion.Settings:
        """Sizes of the encoder, which tells one latent for all layers."""
        return inversion.Settings(**self.generator_sizes())


class TextEncoder(nn.Module):
    """Read captions as latents.

    Shapes:
        tokens (B, T) int64, trailing zeros are padding -> (B, S)
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.embedding = nn.Embedding(settings.vocabulary, settings.embedding)
        self.dropout = nn.Dropout(settings.dropout)
        self.recurrent = BidirectionalRecurrent("lstm", settings.embedding, settings.recurrent_size)
        self.project = nn.Linear(2 * settings.recurrent_size, settings.style_size)

    def forward(self, tokens: Tensor) -> Tensor:
        words = self.dropout(self.embedding(tokens))
        return self.project(self.recurrent(words, tokens != 0).last)


def between(sentence: Tensor, latent: Tensor, pull: float) -> Tensor:
    """The latent w that makes ‖t − w‖² + λ‖w₀ − w‖² least: it lies between a caption and noise.

    The caption alone would leave nothing to the noise.

    Args:
        sentence: t (B, S), a caption read as a latent.
        latent: w₀ (B, S), that of the noise.
        pull: λ, 0 or more.
    """
    return torch.lerp(sentence, latent, pull / (1 + pull))


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix."""
    return {
        "text": TextEncoder(settings),
        "generator": stylegan2.Generator(settings),
        "encoder": inversion.Encoder(settings.inverter()),
        **eyes(settings),
    }


def eyes(settings: Settings) -> dict[str, nn.Module]:
    """What compares pictures, if anything does."""
    if settings.eye is None:
        return {}
    return {"eye": VggTrunk() if settings.eye == "vgg" else judge.Judge(settings.eye)}


RENAMES = {
    "text": {name: name for name in ("embedding", "recurrent", "project")},
    "generator": stylegan2.RENAMES["generator"],
    "encoder": inversion.RENAMES["encoder"],
    "eye": judge.RENAMES["image"] | {"features": "features"},
}
"""There is no official code: the names of the text encoder are our own, and so are a judge's, by
which pictures are compared; VGG-16 has torchvision's."""
