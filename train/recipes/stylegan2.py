"""StyleGAN2: a generator whose pictures move evenly with its latents, and a critic held flat.

Source:
    Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN"; official code
    NVlabs/stylegan2, its port rosinality/stylegan2-pytorch (`train.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from t2i.models import stylegan2
from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import adversarial
from t2i.train.losses.path_length import PathLength, lengths
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.settings import LoopSettings


@dataclass(frozen=True)
class Settings:
    """Captions play no part, and classes neither."""

    loop: LoopSettings
    data: data.Settings
    widths: tuple[int, ...]
    """Channels of the maps at 4 px, 8 px and so on, up to the picture's size."""
    style_size: int = 512
    mapping_layers: int = 8
    mapping_rate: float = 0.01
    grouped: bool = False
    """Convolve a batch as the official code does, in as many groups as it has pictures."""
    mixing: float = 0.9
    """Share of batches whose pictures follow two latents, from a random layer on the second."""
    penalty: float = 10.0
    """γ of R1, the penalty on the critic's slope at real pictures."""
    penalty_every: int = 16
    """Steps between two of its updates; each counts for so many."""
    path: float = 2.0
    """Weight of the path length; 0 = it is not regularised."""
    path_every: int = 4
    """Steps between two of its updates; each counts for so many."""
    path_share: int = 2
    """So many times fewer pictures than a batch has are drawn for it."""
    learning_rate: float = 0.002
    average: float | None = 0.5 ** (32 / 10_000)
    """Decay of the generator's running average."""

    def network(self) -> stylegan2.Settings:
        return stylegan2.Settings(
            style_size=self.style_size,
            mapping_layers=self.mapping_layers,
            mapping_rate=self.mapping_rate,
            widths=self.widths,
            grouped=self.grouped,
        )


_BIRDS = Settings(
    loop=LoopSettings(
        steps=6500, batch_size=16, sample_every=250, checkpoint_every=250, precision="bf16"
    ),
    data=data.Settings(kind="birds", px=(64,), words=32, facing="right"),
    widths=(96, 96, 64, 32, 16),
    style_size=96,
    mapping_layers=4,
    penalty=0.3,
    learning_rate=0.003,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=120, batch_size=16, sample_every=60, checkpoint_every=60),
        data=replace(_BIRDS.data, px=(32,), count=192),
        widths=(32, 24, 24, 16),
        style_size=32,
        penalty=1.0,
        learning_rate=0.005,
        average=0.95,
    ),
    "birds": _BIRDS,
    # What CI-GAN builds on: configuration F at 256 px, as long as the port trains.
    "cub": Settings(
        loop=LoopSettings(800_000, batch_size=16, sample_every=2000, checkpoint_every=2000),
        data=data.Settings(kind="cub", px=(256,)),
        widths=(512, 512, 512, 512, 512, 256, 128),
    ),
    # Configuration F: 25 million pictures of faces, 32 a step.
    "ffhq": Settings(
        loop=LoopSettings(781_250, batch_size=32, sample_every=2000, checkpoint_every=2000),
        data=data.Settings(kind="classes", condition="class", px=(1024,)),
        widths=(512, 512, 512, 512, 512, 256, 128, 64, 32),
    ),
}
NEEDS: tuple[str, ...] = ()


class StyleGan2:
    """A generator, with what is known of its path lengths, and a critic."""

    def __init__(self, settings: Settings, device: torch.device) -> None:
        self.settings, self.device = settings, device
        self.network = settings.network()
        if self.network.image_px != settings.data.px[-1]:
            raise UsageError(
                f"{len(settings.widths)} widths draw {self.network.image_px} px, and the pictures "
                f"have {settings.data.px[-1]} px",
                hint=f"--set px={self.network.image_px}, or a width for each size from 4 px up",
            )
        self.generator = stylegan2.Generator(self.network).to(device)
        self.critic = stylegan2.Critic(self.network).to(device)
        self.path = PathLength().to(device)
        moving = nn.ModuleDict({"generator": self.generator, "path": self.path})
        self.players = {
            "critic": Player(self.critic, self.adam(self.critic, settings.penalty_every)),
            "generator": Player(moving, self.adam(moving, settings.path_every), settings.average),
        }

    def adam(self, network: nn.Module, every: int) -> torch.optim.Adam:
        """As one update in so many is of another loss, each goes a little less far.

        Source: StyleGAN2, appendix B, "Lazy regularization".
        """
        share = every / (every + 1)
        rate, betas = self.settings.learning_rate * share, (0.0, 0.99**share)
        return torch.optim.Adam(network.parameters(), lr=rate, betas=betas)

    def step(self, batch: Batch) -> Iterator[Update]:
        settings, critic, real = self.settings, self.critic, batch.images[-1]
        with torch.no_grad():
            fake = self.generator(*self.draws(len(real)))
        yield Update(
            "critic",
            {
                "real": adversarial.accept(critic(real)),
                "fake": adversarial.refuse(critic(fake)),
            },
        )

        if settings.penalty and batch.step % settings.penalty_every == 0:
            seen = real.detach().requires_grad_()
            slope = adversarial.gradient_penalty(critic(seen)[:, None], seen)
            weight = settings.penalty / 2 * settings.penalty_every
            yield Update("critic", {"slope": weight * slope})

        fake = self.generator(*self.draws(len(real)))
        yield Update("generator", {"fool": adversarial.accept(critic(fake))})

        if settings.path and batch.step % settings.path_every == 0:
            latents, grain = self.draws(max(1, len(real) // settings.path_share))
            fake = self.generator(latents, grain)
            found = lengths(fake, torch.randn_like(fake), latents)
            weight = settings.path * settings.path_every
            yield Update("generator", {"path": weight * self.path(found)})

    def draws(self, count: int) -> tuple[Tensor, Tensor]:
        """Latents, mixed in most batches, and grain."""
        sizes, device = self.network, self.device
        one, other = (
            self.generator.mapping(torch.randn(count, sizes.style_size, device=device))
            for _ in range(2)
        )
        crossover = torch.randint(1, sizes.layers, (), device=device)
        whole = torch.rand((), device=device) >= self.settings.mixing
        first = whole | (torch.arange(sizes.layers, device=device) < crossover)
        grain = torch.randn(count, sizes.grain_size, device=device)
        return stylegan2.mixed(one, other, first), grain

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        sizes, generator = self.network, trained(averaged)
        noise, grain = (
            torch.randn(len(batch.tokens), size, device=self.device)
            for size in (sizes.style_size, sizes.grain_size)
        )
        drawn: Tensor = generator(generator.spread(generator.mapping(noise)), grain)
        return drawn.clamp(-1, 1)

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return {"generator": trained(averaged)}


def trained(averaged: Mapping[str, nn.Module]) -> stylegan2.Generator:
    """The generator alone, without what its training keeps beside it."""
    player = averaged["generator"]
    assert isinstance(player, nn.ModuleDict)
    generator = player["generator"]
    assert isinstance(generator, stylegan2.Generator)
    return generator


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> StyleGan2:
    return StyleGan2(settings, device)
