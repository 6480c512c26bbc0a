"""Inversion: a picture back to the latent that StyleGAN2 would draw it from.

Source: the second stage of CI-GAN, Wang et al. 2021 (arXiv 2108.01361), whose authors published no
code; what they leave open is as in Zhu et al. 2020 (genforce/idinvert).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from t2i.models import stylegan2
from t2i.models.blocks.equalised import EqualConv2d, EqualLinear, activate
from t2i.models.stylegan2 import START_PX, Look


@dataclass(frozen=True)
class Settings(stylegan2.Settings):
    """Sizes of the generator, which is StyleGAN2's, and with it of what inverts it."""

    plus: bool = False
    """Tell a latent for each layer (W+), not one for all of them (W)."""


class Encoder(nn.Module):
    """Tell the latents of pictures.

    It sees as StyleGAN2's critic does, but each picture by itself: nothing tells how the pictures
    of a batch differ.

    Shapes:
        images (B, 3, px, px) in [-1, 1] -> latents (B, L, S), L times the same unless `plus`
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        C = settings.widths[0]
        self.size, self.layers = settings.style_size, settings.layers
        self.told = settings.layers if settings.plus else 1
        self.look = Look(settings.widths)
        self.gather = EqualConv2d(C, C, 3, padding=1)
        self.read = EqualLinear(C * START_PX**2, C)
        self.tell = EqualLinear(C, self.told * self.size)

    def forward(self, images: Tensor) -> Tensor:
        hidden = activate(self.gather(self.look(images)))
        told = self.tell(activate(self.read(hidden.flatten(1))))
        return told.unflatten(1, (self.told, self.size)).expand(-1, self.layers, -1)


class LatentCritic(nn.Module):
    """Is this a latent that the mapping makes, or one that was told?

    Shapes:
        latents (B, L, S) -> logits (B, L)
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.judge = nn.Sequential(
            *(nn.Linear(size, size), nn.LeakyReLU(0.2)),
            *(nn.Linear(size, size), nn.LeakyReLU(0.2)),
            *(nn.Linear(size, size // 2), nn.LeakyReLU(0.2)),
            nn.Linear(size // 2, 1),
        )

    def forward(self, latents: Tensor) -> Tensor:
        return self.judge(latents).squeeze(-1)


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix: an encoder fits its own generator alone."""
    return {"encoder": Encoder(settings), "generator": stylegan2.Generator(settings)}


RENAMES = {
    "encoder": {name: name for name in ("look", "gather", "read", "tell")},
    "latent_critic": {"judge": "judge"},
    "generator": stylegan2.RENAMES["generator"],
    "critic": stylegan2.RENAMES["critic"],
}
"""There is no official code: the names of what inverts are our own."""
