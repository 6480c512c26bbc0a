"""ControlGAN: AttnGAN's training, with critics of words and pictures that must look like real ones.

Source:
    Li et al. 2019, "Controllable Text-to-Image Generation", section 3; official `trainer.py` and
    `miscc/losses.py`, where the critics of words teach nobody (see the card).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from t2i.models import controlgan
from t2i.models import damsm as matchers
from t2i.models.encoders.vgg import SEEN
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import adversarial, divergence, perceptual
from t2i.train.perceptual import Eye, FrozenJudge, check_eye
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Source, Update
from t2i.train.recipes import attngan, damsm, judge
from t2i.train.settings import LoopSettings
from t2i.train.vgg import FrozenVgg


@dataclass(frozen=True)
class Settings(attngan.StagedSettings):
    channel_attention: bool = True
    """Words weigh the channels too; without is the paper's ablation."""
    word_critic: Literal["learning", "frozen"] | None = "learning"
    """What tells whether a picture shows the words: `learning` is the paper's, `frozen` the
    official code's, which is logged and moves nothing; None is the paper's ablation."""
    words_of_real: float = 0.5
    """λ1 of what a critic of words says of real pictures."""
    words_of_fake: float = 1.0
    """λ3 of what the generator learns from it."""
    features: Eye | None = "vgg"
    """What compares pictures with real ones: a judge of drawn birds, VGG-16, or nothing, the
    paper's ablation."""
    vgg: str | None = None
    """File of torchvision's weights of VGG-16 (.safetensors)."""
    likeness: float = 1.0
    """λ2 of that comparison, a mean over the stages."""

    def network(self, encoder: matchers.Settings) -> controlgan.Settings:
        """Sizes of the networks beside a trained DAMSM."""
        return controlgan.Settings(
            **vars(super().network(encoder)), channel_attention=self.channel_attention
        )


_BIRDS = Settings(
    LoopSettings(steps=2000, batch_size=16, sample_every=400, checkpoint_every=200),
    **attngan.BIRDS,
    features="judge",
)

PRESETS: dict[str, Settings] = {
    "toy": Settings(
        LoopSettings(steps=100, batch_size=16, sample_every=50, checkpoint_every=50),
        **attngan.TOY,
        features="judge",
    ),
    "birds": _BIRDS,
    "birds128": replace(
        _BIRDS,
        loop=LoopSettings(steps=2400, batch_size=16, sample_every=300, checkpoint_every=100),
        data=replace(_BIRDS.data, px=(32, 64, 128)),
        first_px=32,
    ),
    # 600 epochs of CUB's 8,855 pictures, 120 of COCO's 82,783.
    "cub": Settings(
        loop=LoopSettings(663_600, batch_size=8, sample_every=2000, checkpoint_every=2000),
        data=data.Settings(kind="cub", px=(64, 128, 256), words=18),
        damsm="cub",
    ),
    "coco": Settings(
        loop=LoopSettings(1_241_640, batch_size=8, sample_every=2000, checkpoint_every=2000),
        data=data.Settings(kind="folder", px=(64, 128, 256), words=12),
        damsm="coco",
        generator_width=48,
        critic_width=96,
        residuals=3,
        matching=50.0,
    ),
}
NEEDS: tuple[str, ...] = ("damsm", "judge")


def needed_settings(
    settings: Settings, name: Literal["damsm", "judge"]
) -> damsm.Settings | judge.Settings | None:
    """The DAMSM learns from the same pictures; a judge may have to compare them.

    Raises:
        UsageError: what is to compare pictures is not there, or cannot.
    """
    if name == "damsm":
        return attngan.needed_matcher(settings, name)
    check_eye(settings.features, settings.vgg, settings.data.kind)
    return judge.PRESETS["perceptual"] if settings.features == "judge" else None


class ControlGAN(attngan.AttnGAN):
    """A generator, and for each picture a critic, which has a critic of words beside it."""

    settings: Settings
    models = controlgan

    def __init__(
        self, settings: Settings, needs: Mapping[str, Needed], device: torch.device
    ) -> None:
        super().__init__(settings, needs["damsm"], device)
        self.eye = eye_of(settings, needs, device)
        asked = [critic.px for critic in self.critics] if settings.word_critic else []
        self.word_critics = {px: self.word_critic().to(device) for px in asked}
        for px, words in self.word_critics.items():
            if settings.word_critic == "frozen":
                words.requires_grad_(requires_grad=False)
                continue
            player = self.players[f"critic_{px}"]
            player.optimiser.add_param_group({"params": words.parameters()})
            player.networks = nn.ModuleDict({"picture": player.networks, "words": words})

    def word_critic(self) -> controlgan.WordCritic:
        """It begins as what the official code has in its place: the head of DAMSM."""
        sizes, head = self.matcher.sizes, self.matcher.image.local
        critic = controlgan.WordCritic(head.in_channels, sizes.text_size)
        critic.align.load_state_dict(head.state_dict())
        return critic

    def step(self, batch: Batch) -> Iterator[Update]:
        text = self.matcher.text(batch.tokens)
        drawn = self.generator(*self.noise(len(batch.tokens), text.sentence), *text)
        reals = batch.images[-len(drawn.images) :]
        stages = list(zip(self.critics, reals, drawn.images, strict=True))

        for critic, real, fake in stages:
            refuse = attngan.critic_loss(critic, real, fake.detach(), text.sentence)
            terms = {"refuse": refuse, **self.words_of_real(critic.px, real, text, batch.labels)}
            yield Update(f"critic_{critic.px}", terms)

        terms = {}
        for critic, _, fake in stages:
            terms |= attngan.fool(critic, fake, text.sentence)
            terms |= self.words_of_fake(critic.px, fake, text)
        terms |= self.matcher.losses(drawn.images[-1], text, batch, self.settings.matching)
        terms |= self.resemble(drawn.images, reals)
        terms["divergence"] = self.settings.divergence * divergence.to_standard_normal(
            drawn.mean, drawn.log_variance
        )
        yield Update("generator", terms)

    def words_of_real(
        self, px: int, real: Tensor, text: matchers.EncodedText, labels: Tensor
    ) -> dict[str, Tensor]:
        """A real picture shows the words of its caption, and not those of a foreign one."""
        if px not in self.word_critics:
            return {}
        critic, other = self.word_critics[px], adversarial.foreign(labels)
        with torch.no_grad():
            maps, _ = self.matcher.image.trunk(real)
        right = critic(maps, text.words, text.mask)
        wrong = critic(maps, text.words[other], text.mask[other])
        return {
            "words": self.settings.words_of_real * adversarial.accept(right),
            "wrong_words": self.settings.words_of_real * adversarial.refuse(wrong),
        }

    def words_of_fake(self, px: int, fake: Tensor, text: matchers.EncodedText) -> dict[str, Tensor]:
        """What the generator has to learn from one critic of words."""
        if self.settings.word_critic != "learning":
            return {}
        maps, _ = self.matcher.image.trunk(fake)
        said = self.word_critics[px](maps, text.words, text.mask)
        return {f"words_{px}": self.settings.words_of_fake * adversarial.accept(said)}

    def resemble(self, fakes: tuple[Tensor, ...], reals: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Pictures are to look like the real ones of their captions, to a network's eye."""
        if self.eye is None:
            return {}
        with torch.no_grad():
            wanted = [self.eye(real) for real in reals]
        gap = perceptual.squared([self.eye(fake) for fake in fakes], wanted)
        return {"perceptual": self.settings.likeness / len(fakes) * gap}


def eye_of(
    settings: Settings, needs: Mapping[str, Needed], device: torch.device
) -> nn.Module | None:
    """What compares pictures, of any size and as they are: two blocks of a network.

    Source: section 3.4; official `VGGNet`, which gives `relu2_2` and levels no pictures.
    """
    if settings.features == "judge":
        return nn.Sequential(*FrozenJudge(needs["judge"], device).network.stages[:2])
    if settings.features == "vgg":
        assert settings.vgg is not None, "needed_settings has refused this"
        return FrozenVgg(Path(settings.vgg), device).network.features[: SEEN[0] + 1]
    return None


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> ControlGAN:
    return ControlGAN(settings, needs, device)
