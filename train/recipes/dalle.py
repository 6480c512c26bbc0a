"""DALL-E: a transformer learns to go on with captions in the tokens of their pictures.

Source:
    Ramesh et al. 2021, "Zero-Shot Text-to-Image Generation", section 2.2 and appendix B. There is
    no official code of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import dalle
from t2i.models import dvae as coders
from t2i.runtime.errors import UsageError
from t2i.runtime.records import decode
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.recipes import dvae
from t2i.train.settings import LoopSettings, on_pictures_of


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    dvae: str
    """Preset of the dVAE whose tokens spell the pictures, frozen."""
    layers: int = 64
    width: int = 3968
    """Channels of a token, in heads of 64."""
    text_share: float = 1 / 8
    """Weight of the caption's cross-entropy; the picture's has the rest."""
    silent: float = 0.0
    """Share of captions that are left empty, so that pictures can be guided away from those of no
    caption; 0 is the paper."""
    learning_rate: float = 4.5e-4
    """After the warm-up."""
    warmup_steps: int = 5000
    halve_at: tuple[int, ...] = ()
    """Steps at which it is halved. In the paper five times, wherever the loss stood still."""
    beta: float = 0.96
    """Of Adam's second moments."""
    weight_decay: float = 0.045
    """Not of gains, biases and embeddings."""
    clip: float = 4.0
    """Bound on the norm of the gradient."""
    average: float | None = 0.99 ** (1 / 25)
    """Decay of the running average at each step: 0.99 in 25 of them."""

    def network(self, source: Source, coder: coders.Settings) -> dalle.Settings:
        """Sizes of the networks beside a trained dVAE."""
        return dalle.Settings(
            vocabulary=source.vocabulary,
            length=source.length,
            layers=self.layers,
            width=self.width,
            dvae=coder,
        )


_BIRDS = Settings(
    loop=LoopSettings(steps=4000, batch_size=32, sample_every=500, checkpoint_every=250),
    data=data.Settings(kind="birds", px=(64,), words=32, tokens=32, pairs=768),
    dvae="birds",
    layers=6,
    width=128,
    silent=0.1,
    learning_rate=1.5e-3,
    warmup_steps=100,
    halve_at=(1600, 2200, 2700, 3000, 3300),
    clip=1.0,
    average=0.99,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=240, batch_size=16, sample_every=120, checkpoint_every=120),
        data=replace(_BIRDS.data, px=(32,), count=512),
        dvae="toy",
        layers=3,
        width=64,
        learning_rate=4e-3,
        warmup_steps=20,
        halve_at=(160, 200),
        average=0.95,
    ),
    "birds": _BIRDS,
    "paper": Settings(
        loop=LoopSettings(430_000, batch_size=1024, sample_every=0, checkpoint_every=5000),
        data=data.Settings(kind="folder", px=(256,), tokens=256, pairs=16_384),
        dvae="paper",
    ),
}
NEEDS: tuple[str, ...] = ("dvae",)


def needed_settings(settings: Settings, name: Literal["dvae"]) -> dvae.Settings:
    """The dVAE learns from the same pictures."""
    return on_pictures_of(settings, dvae.PRESETS[settings.dvae])


class Dalle:
    """One player, the transformer; the dVAE stays as it is."""

    def __init__(
        self, settings: Settings, source: Source, coder: Needed, device: torch.device
    ) -> None:
        self.settings = settings
        sizes = decode(coders.Settings, coder.recipe.network)
        if sizes.image_px != settings.data.px[-1]:
            raise UsageError(
                f"the dVAE spells pictures of {sizes.image_px} px, these have "
                f"{settings.data.px[-1]}",
                hint=f"pass --set px={sizes.image_px}, or another dVAE by --with dvae=RUN",
            )
        refuse_words(settings.data)
        self.network = settings.network(source, sizes)
        self.coder = nn.ModuleDict(coders.networks(sizes))
        self.coder.load_state_dict(coder.state)
        self.coder.to(device).eval().requires_grad_(requires_grad=False)
        self.transformer = dalle.Transformer(self.network).to(device)
        adam = torch.optim.AdamW(
            decayed(self.transformer, settings.weight_decay),
            lr=settings.learning_rate,
            betas=(0.9, settings.beta),
        )
        self.players = {
            "transformer": Player(
                self.transformer, adam, settings.average, self.rate, clip=settings.clip
            )
        }

    def step(self, batch: Batch) -> Iterator[Update]:
        codes = self.codes(batch.images[-1])
        tokens = silenced(batch.tokens, self.settings.silent, self.network.vocabulary)
        text, image = self.transformer(tokens, codes)
        spoken = self.transformer.spoken(tokens)[:, 1:]

        share = self.settings.text_share
        yield Update(
            "transformer",
            {
                "text": share * F.cross_entropy(text.transpose(1, 2).float(), spoken),
                "image": (1 - share) * F.cross_entropy(image.transpose(1, 2).float(), codes),
            },
        )

    def codes(self, images: Tensor) -> Tensor:
        return spelled(self.coder["encoder"], images)

    def rate(self, step: int) -> float:
        """Factor of the learning rate at a step."""
        halved = sum(step >= each for each in self.settings.halve_at)
        return float(min(1.0, (step + 1) / self.settings.warmup_steps) * 0.5**halved)

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        """Tokens drawn one after the other, as they are foretold."""
        transformer, decoder = averaged["transformer"], self.coder["decoder"]
        assert isinstance(transformer, dalle.Transformer)
        assert isinstance(decoder, coders.Decoder)
        side = self.network.dvae.side
        codes = torch.zeros(len(batch.tokens), side**2, dtype=torch.int64, device=self.device)
        for place in range(side**2):
            _, logits = transformer(batch.tokens, codes)
            codes[:, place] = logits[:, place].float().softmax(dim=1).multinomial(1)[:, 0]
        return decoder.draw(codes.unflatten(1, (side, side)))

    def streams(self, batch: Batch) -> dict[str, Tensor]:
        return {"tokens": batch.tokens, "codes": self.codes(batch.images[-1])}

    @property
    def device(self) -> torch.device:
        return self.transformer.begin.device

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        return {"transformer": averaged["transformer"], **self.coder}


def refuse_words(settings: data.Settings) -> None:
    """Raises UsageError: captions are not read as byte pairs."""
    if settings.tokens is None:
        raise UsageError(
            "captions are read as byte pairs, and these data give words",
            hint=f"pass --set tokens={_BIRDS.data.tokens} or more",
        )


@torch.no_grad()
def spelled(encoder: nn.Module, images: Tensor) -> Tensor:
    """The tokens of pictures (B, side²), row by row: the likeliest, without a draw."""
    logits: Tensor = encoder(coders.mapped(images))
    return logits.argmax(dim=1).flatten(1)


def silenced(tokens: Tensor, share: float, vocabulary: int) -> Tensor:
    """Captions (B, T), some of which end where they begin."""
    silent = torch.rand(len(tokens), device=tokens.device) < share
    ended = tokens.clone()
    ended[silent, 1] = vocabulary - 1
    return ended


def decayed(transformer: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Parameters for AdamW: only weights of linear layers decay."""
    linear = {each.weight for each in transformer.modules() if isinstance(each, nn.Linear)}
    others = [each for each in transformer.parameters() if each not in linear]
    return [
        {
            "params": [each for each in transformer.parameters() if each in linear],
            "weight_decay": weight_decay,
        },
        {"params": others, "weight_decay": 0.0},
    ]


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> Dalle:
    return Dalle(settings, source, needs["dvae"], device)
