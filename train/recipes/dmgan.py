"""DM-GAN: AttnGAN's training, of a generator with a memory and of critics with spectral norms.

Source:
    Zhu et al. 2019, "DM-GAN: Dynamic Memory Generative Adversarial Networks for Text-to-Image
    Synthesis"; official `trainer.py`, whose step and losses are AttnGAN's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from t2i.models import damsm as matchers
from t2i.models import dmgan
from t2i.train import data
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Source
from t2i.train.recipes import attngan
from t2i.train.settings import LoopSettings


@dataclass(frozen=True)
class Settings(attngan.StagedSettings):
    generator_width: int = 64
    critic_width: int = 32
    writing_gate: bool = True
    """A gate decides how much of each word is written into the memory; without is the paper's
    ablation."""
    response_gate: bool = True
    """A gate decides how much of what was read is used; without is the paper's ablation."""

    def network(self, encoder: matchers.Settings) -> dmgan.Settings:
        """Sizes of the networks beside a trained DAMSM."""
        return dmgan.Settings(
            **vars(super().network(encoder)),
            writing_gate=self.writing_gate,
            response_gate=self.response_gate,
        )


PRESETS: dict[str, Settings] = {
    "toy": Settings(
        LoopSettings(steps=120, batch_size=16, sample_every=60, checkpoint_every=60), **attngan.TOY
    ),
    "birds": Settings(
        LoopSettings(steps=3600, batch_size=16, sample_every=500, checkpoint_every=250),
        **attngan.BIRDS,
    ),
    # 800 epochs of CUB's 8,855 pictures, 200 of COCO's 82,783; the paper says 600 and 120.
    "cub": Settings(
        loop=LoopSettings(708_000, batch_size=10, sample_every=2000, checkpoint_every=2000),
        data=data.Settings(kind="cub", px=(64, 128, 256), words=18),
        damsm="cub",
    ),
    "coco": Settings(
        loop=LoopSettings(1_034_600, batch_size=16, sample_every=2000, checkpoint_every=2000),
        data=data.Settings(kind="folder", px=(64, 128, 256), words=12),
        damsm="coco",
        residuals=3,
        matching=50.0,
    ),
}
NEEDS: tuple[str, ...] = ("damsm",)

needed_settings = attngan.needed_matcher


class DmGan(attngan.AttnGAN):
    """A generator with a memory, and one critic a stage."""

    models = dmgan


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> DmGan:
    return DmGan(settings, needs["damsm"], device)
