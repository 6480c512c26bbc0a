"""Inversion: an encoder whose latents draw a picture again, and pass for latents of the mapping.

Source:
    CI-GAN, Wang et al. 2021, "Cycle-Consistent Inverse GAN for Text-to-Image Synthesis", its second
    stage. The authors published no code; what is chosen here is told in the card.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import inversion
from t2i.models import stylegan2 as generators
from t2i.runtime.errors import UsageError
from t2i.runtime.records import decode
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import adversarial, perceptual
from t2i.train.perceptual import Eye, check_eye, eye_of
from t2i.train.players import below
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.recipes import judge, stylegan2
from t2i.train.settings import LoopSettings, on_pictures_of

DRAWS = 4096
"""Latents in whose mean the encoder begins."""


@dataclass(frozen=True)
class Settings:
    """What is told of a picture costs L_pix + likeness · L_vgg + adversarial · (picture · L_adv^x +
    latent · L_adv^w), and cycle · ‖w − ŵ‖² where the latent w behind a picture is known."""

    loop: LoopSettings
    data: data.Settings
    stylegan2: str
    """Preset of the StyleGAN2 that is inverted; it stays as it is."""
    plus: bool = False
    """Tell a latent for each layer, not one for all."""
    features: Eye | None = "vgg"
    """What compares pictures in L_vgg: a judge of drawn birds, VGG-16, or nothing, the ablation."""
    vgg: str | None = None
    """File of torchvision's weights of VGG-16 (.safetensors)."""
    likeness: float = 0.8
    """λ of L_vgg."""
    adversarial: float = 1.0
    """λ of what both critics say."""
    picture: float = 0.1
    """λ of L_adv^x, by a critic of pictures; 0 = there is none, the ablation."""
    latent: float = 0.1
    """λ of L_adv^w, by a critic of latents; 0 = there is none, the ablation."""
    cycle: float = 0.0
    """λ of the distance of latents from those that pictures were drawn from."""
    penalty: float = 10.0
    """γ of R1, on the critic of pictures."""
    latent_penalty: float = 1.0
    """γ of R1, on the critic of latents."""
    learning_rate: float = 1e-4
    decay_steps: int = 20_000
    """Steps after which the learning rate falls by a fifth, again and again."""
    average: float | None = None
    """Decay of the encoder's running average."""


_BIRDS = Settings(
    loop=LoopSettings(
        steps=2000, batch_size=16, sample_every=250, checkpoint_every=250, precision="bf16"
    ),
    data=stylegan2.PRESETS["birds"].data,
    stylegan2="birds",
    features="judge",
    likeness=0.05,  # the judge's maps then weigh about as much as the pixels
    cycle=1.0,
    learning_rate=0.002,
    decay_steps=400,
    average=0.998,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=80, batch_size=16, sample_every=40, checkpoint_every=40),
        data=stylegan2.PRESETS["toy"].data,
        stylegan2="toy",
        features=None,
        learning_rate=0.005,
        average=0.95,
    ),
    "birds": _BIRDS,
    "cub": Settings(
        loop=LoopSettings(150_000, batch_size=16, sample_every=2000, checkpoint_every=2000),
        data=stylegan2.PRESETS["cub"].data,
        stylegan2="cub",
    ),
}
NEEDS: tuple[str, ...] = ("stylegan2", "judge")


def needed_settings(
    settings: Settings, name: Literal["stylegan2", "judge"]
) -> stylegan2.Settings | judge.Settings | None:
    """StyleGAN2 learns from the same pictures; a judge may be needed.

    Raises:
        UsageError: what is to compare pictures is not there, or cannot.
    """
    if name == "stylegan2":
        return on_pictures_of(settings, stylegan2.PRESETS[settings.stylegan2])
    check_eye(settings.features, settings.vgg, settings.data.kind)
    return judge.PRESETS["perceptual"] if settings.features == "judge" else None


class Inversion:
    """An encoder before a frozen generator, a critic of pictures, and one of latents."""

    def __init__(
        self, settings: Settings, needs: Mapping[str, Needed], device: torch.device
    ) -> None:
        self.settings, self.device = settings, device
        self.network = sizes_of(settings, needs["stylegan2"])
        self.eye = eye_of(settings.features, settings.vgg, needs, device)
        self.generator = generators.Generator(self.network)
        self.generator.load_state_dict(below("generator.", needs["stylegan2"].state))
        self.generator.to(device).eval().requires_grad_(requires_grad=False)
        self.encoder = inversion.Encoder(self.network).to(device)
        with torch.no_grad():  # a picture of which nothing is known is the mean one
            self.encoder.tell.bias.copy_(self.latents(DRAWS).mean(dim=0).repeat(self.encoder.told))
        self.players: dict[str, Player] = {}
        self.critic: generators.Critic | None = None
        self.latent_critic: inversion.LatentCritic | None = None
        if settings.adversarial * settings.picture:
            self.critic = generators.Critic(self.network).to(device)
            self.players["critic"] = self.player(self.critic)
        if settings.adversarial * settings.latent:
            self.latent_critic = inversion.LatentCritic(self.network.style_size).to(device)
            self.players["latent_critic"] = self.player(self.latent_critic)
        self.players["encoder"] = self.player(self.encoder, settings.average)

    def player(self, network: nn.Module, average: float | None = None) -> Player:
        rate, decay_steps = self.settings.learning_rate, self.settings.decay_steps
        adam = torch.optim.Adam(network.parameters(), lr=rate, betas=(0.9, 0.99))
        return Player(network, adam, average, schedule=lambda step: 0.8 ** (step // decay_steps))

    def step(self, batch: Batch) -> Iterator[Update]:
        settings, real = self.settings, batch.images[-1]
        with torch.no_grad():
            behind = self.latents(len(real) // 2)
            drawn = self.generator(self.generator.spread(behind), self.grain(len(behind)))
        pictures = torch.cat([real[: len(real) - len(drawn)], drawn])
        told = self.encoder(pictures)
        again = self.redrawn(told)

        if self.critic:
            yield Update("critic", refusing(self.critic, real, again.detach(), settings.penalty))
        if self.latent_critic:
            made = self.generator.spread(self.latents(len(real)))
            terms = refusing(self.latent_critic, made, told.detach(), settings.latent_penalty)
            yield Update("latent_critic", terms)

        terms = {"pixels": F.mse_loss(again, pictures)}
        if self.eye:
            with torch.no_grad():
                wanted = self.eye.maps(pictures)
            gap = perceptual.squared(self.eye.maps(again), wanted)
            terms["likeness"] = settings.likeness * gap
        if self.critic:
            weight = settings.adversarial * settings.picture
            terms["picture"] = weight * adversarial.accept(self.critic(again))
        if self.latent_critic:
            weight = settings.adversarial * settings.latent
            terms["latent"] = weight * adversarial.accept(self.latent_critic(told))
        if settings.cycle and len(behind):
            known = self.generator.spread(behind)
            terms["cycle"] = settings.cycle * F.mse_loss(told[-len(behind) :], known)
        yield Update("encoder", terms)

    def latents(self, count: int) -> Tensor:
        """Latents of the mapping (count, S)."""
        noise = torch.randn(count, self.network.style_size, device=self.device)
        made: Tensor = self.generator.mapping(noise)
        return made

    def grain(self, count: int) -> Tensor:
        return torch.randn(count, self.network.grain_size, device=self.device)

    def redrawn(self, told: Tensor) -> Tensor:
        """Pictures of latents without grain, of which an encoder of latents knows nothing."""
        grain = torch.zeros(len(told), self.network.grain_size, device=told.device)
        pictures: Tensor = self.generator(told, grain)
        return pictures

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        """The pictures of a batch, drawn again."""
        return self.redrawn(averaged["encoder"](batch.images[-1])).clamp(-1, 1)

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return {"encoder": averaged["encoder"], "generator": self.generator}


def refusing(critic: nn.Module, real: Tensor, fake: Tensor, penalty: float) -> dict[str, Tensor]:
    """What a critic of pictures or of latents learns from; R1 holds its slope down."""
    seen = real.detach().requires_grad_()
    logits = critic(seen)
    slope = adversarial.gradient_penalty(logits.reshape(len(seen), -1), seen)
    return {
        "real": adversarial.accept(logits),
        "fake": adversarial.refuse(critic(fake)),
        "slope": penalty / 2 * slope,
    }


def sizes_of(settings: Settings, generator: Needed) -> inversion.Settings:
    """
    Raises:
        UsageError: the generator draws other sizes than there are.
    """
    sizes = decode(generators.Settings, generator.recipe.network)
    px = settings.data.px[-1]
    if sizes.image_px != px:
        raise UsageError(
            f"the StyleGAN2 that is to be inverted draws {sizes.image_px} px, and the pictures "
            f"have {px} px",
            hint=f"--set px={sizes.image_px}, or --with stylegan2= one that draws {px} px",
        )
    return inversion.Settings(**sizes.generator_sizes(), plus=settings.plus)


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> Inversion:
    return Inversion(settings, needs, device)
