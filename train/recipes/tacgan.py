"""TAC-GAN: the critic knows foreign pictures of a caption, and the class of each picture.

Source:
    Dash et al. 2017, "TAC-GAN: Text Conditioned Auxiliary Classifier Generative Adversarial
    Network", section 4; official `model.py` and `train.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import charcnnrnn, damsm, tacgan
from t2i.models.acgan import Verdict
from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import adversarial
from t2i.train.matcher import FrozenMatcher
from t2i.train.optimisers import adam
from t2i.train.prerequisites import Needed
from t2i.train.reader import FrozenReader
from t2i.train.recipe import Player, Source, Update
from t2i.train.settings import LoopSettings, on_pictures_of
from t2i.train.systems import preset_of

Encoder = Literal["charcnnrnn", "damsm"]


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    """Captions, or with condition=vector the vectors of captions that a file holds."""
    encoder_preset: str
    """Preset of the encoder, trained before and frozen."""
    encoder: Encoder = "charcnnrnn"
    """What reads the captions; `damsm` reads words, and needs characters=none."""
    condition_size: int = 100
    noise_size: int = 100
    generator_width: int = 64
    critic_width: int = 64
    learning_rate: float = 2e-4
    average: float | None = None
    """Decay of the generator's running average; None is the paper."""

    def network(
        self, reader: charcnnrnn.Settings | damsm.Settings | tacgan.Vectors, classes: int
    ) -> tacgan.Settings:
        """Sizes of the networks beside what makes sentences."""
        return tacgan.Settings(
            reader=reader,
            classes=classes,
            condition_size=self.condition_size,
            noise_size=self.noise_size,
            generator_width=self.generator_width,
            critic_width=self.critic_width,
            image_px=self.data.px[-1],
        )


_BIRDS = Settings(
    loop=LoopSettings(steps=3800, batch_size=32, sample_every=500, checkpoint_every=250),
    data=data.Settings(
        kind="birds",
        px=(64,),
        words=32,
        characters=charcnnrnn.LENGTH,
        facing="right",
        labels=True,
    ),
    encoder_preset="birds",
    condition_size=64,
    noise_size=32,
    generator_width=24,
    critic_width=24,
    learning_rate=4e-4,
    average=0.998,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=300, batch_size=16, sample_every=150, checkpoint_every=150),
        data=replace(_BIRDS.data, px=(32,), count=192),
        encoder_preset="toy",
        condition_size=32,
        generator_width=8,
        critic_width=16,
        learning_rate=1e-3,
        average=0.95,
    ),
    "birds": _BIRDS,
    # 400 epochs of nine tenths of Oxford-102, 128 pictures a step; Skip-Thought vectors.
    "flowers": Settings(
        loop=LoopSettings(22_800, batch_size=128, sample_every=1000, checkpoint_every=1000),
        data=data.Settings(
            kind="folder",
            px=(128,),
            characters=charcnnrnn.LENGTH,
            condition="vector",
            labels=True,
        ),
        encoder_preset="flowers",
    ),
}
NEEDS: tuple[str, ...] = ("charcnnrnn", "damsm")


def needed_settings(settings: Settings, name: Encoder) -> Any:
    """One encoder, which learns from the same pictures; none where a file holds vectors.

    Raises:
        UsageError: captions are not read as the encoder reads them.
    """
    if settings.data.condition == "vector" or name != settings.encoder:
        return None
    by_letters = settings.data.characters is not None
    if by_letters != (name == "charcnnrnn"):
        right = "none" if by_letters else charcnnrnn.LENGTH
        raise UsageError(
            f"{name} reads {'words' if by_letters else 'letters'}, and the data give it "
            f"{'letters' if by_letters else 'words'}",
            hint=f"--set characters={right}",
        )
    return on_pictures_of(settings, preset_of(name, settings.encoder_preset))


class TacGan:
    """A generator, and a critic that reads and classifies."""

    def __init__(
        self, settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
    ) -> None:
        self.settings = settings
        self.text: nn.Module | None = None
        reader: charcnnrnn.Settings | damsm.Settings | tacgan.Vectors
        if "charcnnrnn" in needs:
            spelling = FrozenReader(needs["charcnnrnn"], device)
            self.text, reader = spelling.text, spelling.sizes
        elif "damsm" in needs:
            matcher = FrozenMatcher(needs["damsm"], device)
            self.text, reader = matcher.text, matcher.sizes
        else:
            reader = tacgan.Vectors(source.vector_size)
        self.network = settings.network(reader, len(source.classes))
        self.generator = tacgan.Generator(self.network).to(device)
        self.critic = tacgan.Critic(self.network).to(device)
        for network in (self.generator, self.critic):
            tacgan.initialise(network)

        rate = settings.learning_rate
        self.players = {
            "critic": Player(self.critic, adam(self.critic, rate)),
            "generator": Player(self.generator, adam(self.generator, rate), settings.average),
        }

    def step(self, batch: Batch) -> Iterator[Update]:
        real, sentence, label = batch.images[-1], self.sentence(batch), batch.labels
        noise, other = self.noise(sentence), adversarial.foreign(label)
        fake = self.generator(noise, sentence)

        right, wrong = self.critic(real, sentence), self.critic(real[other], sentence)
        refused = self.critic(fake.detach(), sentence)
        yield Update(
            "critic",
            {
                "accept": adversarial.accept(right.real),
                "class_of_real": self.misclassified(right, label),
                "refuse_wrong": adversarial.refuse(wrong.real),
                "class_of_wrong": self.misclassified(wrong, label[other]),
                "refuse_fake": adversarial.refuse(refused.real),
                "class_of_fake": self.misclassified(refused, label),
            },
        )

        yield self.please(fake, sentence, label)
        # The official script moves the generator twice, with the same noise and captions.
        yield self.please(self.generator(noise, sentence), sentence, label)

    def please(self, fake: Tensor, sentence: Tensor, label: Tensor) -> Update:
        judged = self.critic(fake, sentence)
        terms = {
            "fool": adversarial.accept(judged.real),
            "class": self.misclassified(judged, label),
        }
        return Update("generator", terms)

    def misclassified(self, verdict: Verdict, label: Tensor) -> Tensor:
        """Binary cross-entropy of each class by itself, averaged: the code has no softmax."""
        wanted = F.one_hot(label, self.network.classes).to(verdict.classes)
        return F.binary_cross_entropy_with_logits(verdict.classes, wanted)

    def sentence(self, batch: Batch) -> Tensor:
        """(B, E), by the encoder or from the file."""
        if self.text is None:
            assert batch.vectors is not None, "condition=vector brings them"
            return batch.vectors
        said = self.text(batch.tokens)
        return said.sentence if isinstance(said, damsm.EncodedText) else said

    def noise(self, sentence: Tensor) -> Tensor:
        """Uniform in (-1, 1)."""
        return 2 * torch.rand(len(sentence), self.settings.noise_size, device=sentence.device) - 1

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        sentence = self.sentence(batch)
        drawn: Tensor = averaged["generator"](self.noise(sentence), sentence)
        return drawn

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        text = {} if self.text is None else {"text": self.text}
        return {**text, "generator": averaged["generator"]}


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> TacGan:
    return TacGan(settings, source, needs, device)
