"""StackGAN, stage II: pictures of stage I, drawn again at four times the size.

Source:
    Zhang et al. 2017, section 3.4; official `trainer.py`. The step is that of stage I, in
    `recipes/stackgan1.py`; here the critic also judges pictures by themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch

from t2i.models import charcnnrnn as readers
from t2i.models import stackgan
from t2i.models import stackgan1 as first_stages
from t2i.runtime.errors import UsageError
from t2i.runtime.records import decode
from t2i.train import data
from t2i.train.players import below
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Source
from t2i.train.recipes import stackgan1
from t2i.train.recipes.stackgan1 import Networks, Stage, StageSettings
from t2i.train.settings import LoopSettings, on_pictures_of


@dataclass(frozen=True, kw_only=True)
class Settings(StageSettings):
    stackgan1: str
    """Preset of the stage I that is drawn upon, frozen, with the text encoder it learnt by."""
    refiner_width: int = 192
    residuals: int = 2

    def network(self, first: first_stages.Settings) -> stackgan.Settings:
        """Sizes of the networks on top of a trained stage I.

        Raises:
            UsageError: its pictures have not a quarter of the side of these.
        """
        known = {each.name: getattr(first, each.name) for each in fields(first)}
        own = {"critic_width": self.critic_width, "refiner_width": self.refiner_width}
        sizes = stackgan.Settings(**known | own | {"residuals": self.residuals})
        if sizes.image_px != self.data.px[-1]:
            raise UsageError(
                f"stage I draws {first.first_px} px, so stage II draws {sizes.image_px} px, "
                f"not {self.data.px[-1]}",
                hint=f"pass --set px={sizes.image_px}, or another stage I by --with stackgan1=RUN",
            )
        return sizes


def _paper(epochs: int, epoch: int, batch: int, kind: Literal["cub", "folder"]) -> Settings:
    """Pictures of 256 px; an epoch has so many steps."""
    return Settings(
        loop=LoopSettings(epochs * epoch, batch, sample_every=2000, checkpoint_every=2000),
        data=data.Settings(kind=kind, px=(256,), characters=readers.LENGTH),
        stackgan1=kind,
        critic_width=64,
        refiner_width=128,
        residuals=4,
        halve_steps=100 * epoch,
    )


_BIRDS = Settings(
    loop=LoopSettings(steps=6000, batch_size=16, sample_every=500, checkpoint_every=250),
    data=data.Settings(kind="birds", px=(64,), words=32, characters=readers.LENGTH, facing="right"),
    stackgan1="birds",
    critic_width=16,
    refiner_width=32,
    divergence=0.1,
    deviation=0.04,
    learning_rate=3e-4,
    average=0.998,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=240, batch_size=16, sample_every=120, checkpoint_every=120),
        data=replace(_BIRDS.data, px=(32,), count=192),
        stackgan1="toy",
        critic_width=4,
        refiner_width=24,
        residuals=1,
        deviation=0.05,
        learning_rate=1e-3,
        average=0.95,
    ),
    "birds": _BIRDS,
    # 600 epochs of CUB's 8,855 pictures, of Oxford-102's 7,034, and 100 of COCO's 82,783.
    "cub": _paper(600, epoch=8855 // 64, batch=64, kind="cub"),
    "flowers": replace(_paper(600, epoch=7034 // 64, batch=64, kind="folder"), stackgan1="flowers"),
    "coco": replace(
        _paper(100, epoch=82_783 // 40, batch=40, kind="folder"),
        stackgan1="coco",
        critic_width=96,
        refiner_width=192,
        residuals=2,
        halve_steps=20 * (82_783 // 40),
    ),
}
NEEDS: tuple[str, ...] = ("stackgan1",)


def needed_settings(settings: Settings, name: Literal["stackgan1"]) -> stackgan1.Settings:
    """Stage I learns from the same pictures, at its own size."""
    return on_pictures_of(settings, stackgan1.PRESETS[settings.stackgan1])


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> Stage:
    first = needs["stackgan1"]
    sizes = settings.network(decode(first_stages.Settings, first.recipe.network))
    networks = stackgan.networks(sizes)
    text, generator = networks["text"].to(device), networks["generator"].to(device)
    assert isinstance(generator, stackgan.Generator)
    critic = stackgan.critic(sizes).to(device)
    for learning in (generator, critic):
        first_stages.initialise(learning, settings.deviation)
    for prefix, known in {"text.": text, "generator.": generator.first}.items():
        known.load_state_dict(below(prefix, first.state))
        known.eval().requires_grad_(requires_grad=False)
    return Stage(settings, sizes, Networks(text, generator, critic))
