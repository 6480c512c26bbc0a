"""dVAE: an encoder learns to spell pictures in tokens, a decoder to read them.

Source:
    DALL-E, Ramesh et al. 2021, "Zero-Shot Text-to-Image Generation", section 2.1 and appendix A.
    The official repository holds no training.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from t2i.models import dvae
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import divergence, logit_laplace
from t2i.train.prerequisites import Needed
from t2i.train.rates import cosine
from t2i.train.recipe import Player, Source, Update
from t2i.train.settings import LoopSettings


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    codes: int = 8192
    """How many tokens there are."""
    width: int = 256
    """Channels of the encoder's first group, and of the decoder's last."""
    first_width: int = 128
    """Channels into which the decoder projects tokens."""
    blocks: int = 2
    """Residual blocks of each group."""
    divergence: float = 6.6
    """β of the divergence from the uniform distribution, once it has risen."""
    divergence_steps: int = 5000
    """In which it rises from 0, along a cosine."""
    temperature: float = 1 / 16
    """τ of the relaxation at last; it begins at 1."""
    temperature_steps: int = 150_000
    """In which it falls, along a cosine."""
    learning_rate: float = 1e-4
    last_learning_rate: float = 1.25e-6
    learning_rate_steps: int = 1_200_000
    """In which it falls to the last, along a cosine."""
    weight_decay: float = 1e-4
    average: float = 0.999
    """Decay of the running average of both networks."""
    hurried: bool = False
    """Whether first weights suit a short training: corrections begin as loud as what they correct,
    and the first batch centres the logits, so that no token begins likelier than others. False is
    the paper."""

    def network(self) -> dvae.Settings:
        """Sizes of the networks."""
        return dvae.Settings(
            image_px=self.data.px[-1],
            codes=self.codes,
            width=self.width,
            first_width=self.first_width,
            blocks=self.blocks,
        )


_BIRDS = Settings(
    loop=LoopSettings(steps=1500, batch_size=16, sample_every=250, checkpoint_every=250),
    data=data.Settings(kind="birds", px=(64,), words=32),
    codes=256,
    width=32,
    first_width=64,
    divergence_steps=300,
    temperature_steps=1350,
    learning_rate=3e-3,
    last_learning_rate=3e-5,
    learning_rate_steps=1500,
    average=0.99,
    hurried=True,
)

PRESETS: dict[str, Settings] = {
    "toy": replace(
        _BIRDS,
        loop=LoopSettings(steps=240, batch_size=16, sample_every=120, checkpoint_every=120),
        data=replace(_BIRDS.data, px=(32,), count=512),
        codes=64,
        width=16,
        first_width=32,
        divergence_steps=60,
        temperature_steps=200,
        learning_rate_steps=240,
        average=0.95,
    ),
    "birds": _BIRDS,
    "paper": Settings(
        loop=LoopSettings(3_000_000, batch_size=512, sample_every=10_000, checkpoint_every=5000),
        data=data.Settings(kind="folder", px=(256,)),
    ),
}
NEEDS: tuple[str, ...] = ()


class Dvae:
    """One player: the encoder and the decoder."""

    def __init__(self, settings: Settings, device: torch.device) -> None:
        self.settings = settings
        self.network = settings.network()
        self.networks = nn.ModuleDict(dvae.networks(self.network)).to(device)
        if settings.hurried:
            encourage(self.networks)
        adam = torch.optim.AdamW(
            self.networks.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self.players = {"dvae": Player(self.networks, adam, settings.average, self.rate)}

    def step(self, batch: Batch) -> Iterator[Update]:
        pixels = dvae.mapped(batch.images[-1])
        if batch.step == 0 and self.settings.hurried:
            centre(self.networks["encoder"], pixels)
        logits = self.networks["encoder"](pixels)
        gumbel = -torch.empty_like(logits).exponential_().log()
        shares = dvae.relaxed(logits, gumbel, self.temperature(batch.step))
        surprise = logit_laplace.surprise(pixels, *self.networks["decoder"](shares))
        far = self.weight(batch.step) * divergence.to_uniform(logits)

        count = pixels.numel()
        yield Update(
            "dvae",
            {"likelihood": surprise.sum() / count, "divergence": far.sum() / count},
            told=codebook_use(logits.detach()),
        )

    def weight(self, step: int) -> float:
        """β at a step."""
        return cosine(step, self.settings.divergence_steps, 0.0, self.settings.divergence)

    def temperature(self, step: int) -> float:
        """τ at a step."""
        return cosine(step, self.settings.temperature_steps, 1.0, self.settings.temperature)

    def rate(self, step: int) -> float:
        """Factor of the learning rate at a step."""
        last = self.settings.last_learning_rate / self.settings.learning_rate
        return cosine(step, self.settings.learning_rate_steps, 1.0, last)

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        """Pictures that went through tokens."""
        encoder, decoder = _of(averaged)
        drawn: Tensor = decoder.draw(encoder(dvae.mapped(batch.images[-1])).argmax(dim=1))
        return drawn

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        encoder, decoder = _of(averaged)
        return {"encoder": encoder, "decoder": decoder}


def _of(averaged: Mapping[str, nn.Module]) -> tuple[dvae.Encoder, dvae.Decoder]:
    networks = averaged["dvae"]
    assert isinstance(networks, nn.ModuleDict)
    encoder, decoder = networks["encoder"], networks["decoder"]
    assert isinstance(encoder, dvae.Encoder)
    assert isinstance(decoder, dvae.Decoder)
    return encoder, decoder


@torch.no_grad()
def encourage(networks: nn.Module) -> None:
    """Let corrections begin without their gain: many steps go by before weights outgrow it, and
    until then no decoder paints anything within the square of a token."""
    for residual in networks.modules():
        if isinstance(residual, dvae.Residual):
            inside = [each for each in residual.correction if isinstance(each, dvae.Convolution)]
            for convolution in inside:
                convolution.weight *= residual.gain ** (-1 / len(inside))


@torch.no_grad()
def centre(encoder: nn.Module, pixels: Tensor) -> None:
    """Let each token's logit be 0 on average over these pictures.

    Source: Salimans and Kingma 2016, section 3, of which only the biases are set.
    """
    assert isinstance(encoder, dvae.Encoder)
    *_, last = encoder.last
    assert isinstance(last, dvae.Convolution)
    assert last.bias is not None
    last.bias -= encoder(pixels).mean(dim=(0, 2, 3))


def codebook_use(logits: Tensor) -> dict[str, Tensor]:
    """How many tokens spell a batch (B, codes, h, w), and as how many equally frequent ones these
    tell apart (their perplexity)."""
    often = logits.argmax(dim=1).flatten().bincount(minlength=logits.shape[1])
    shares = often / often.sum()
    return {
        "codes_used": (often > 0).sum(),
        "perplexity": torch.special.entr(shares).sum().exp(),
    }


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> Dvae:
    return Dvae(settings, device)
