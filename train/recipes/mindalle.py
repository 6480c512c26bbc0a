"""min-dalle in small: captions are read, and foretell the tokens of their pictures.

The published weights are for drawing; this shows how such networks learn. Their VQGAN's encoder was
not published with them, so a dVAE spells the pictures, half as large, and a VQGAN's decoder
learns to draw what it spelled, as large as they are.

Source:
    DALL·E Mini, Dayma et al. 2021; borisdayma/dalle-mini trains the transformer alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import dvae as coders
from t2i.models import mindalle, vqgan
from t2i.runtime.errors import UsageError
from t2i.runtime.records import decode
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.players import below
from t2i.train.prerequisites import Needed
from t2i.train.recipe import Player, Source, Update
from t2i.train.recipes import dvae
from t2i.train.recipes.dalle import refuse_words, silenced, spelled
from t2i.train.settings import LoopSettings, on_pictures_of


@dataclass(frozen=True)
class Settings:
    loop: LoopSettings
    data: data.Settings
    dvae: str
    """Preset of the dVAE whose tokens spell the pictures, frozen."""
    layers: int
    """Of the encoder, and of the decoder."""
    heads: int
    width: int
    """Channels of a token."""
    gate_width: int
    """Channels of the gated layers in between."""
    code_size: int
    """Numbers that tell what a token looks like."""
    detoker_width: int
    """Channels of the largest maps."""
    detoker_groups: int
    """In how many groups of channels maps are normalised."""
    silent: float
    """Share of captions that are left empty, so that pictures can be guided away from those of no
    caption."""
    learning_rate: float
    """Of the transformer, after the warm-up."""
    warmup_steps: int
    detoker_learning_rate: float
    average: float | None
    """Decay of the running average of all networks."""

    def network(self, source: Source, coder: coders.Settings) -> mindalle.Settings:
        """Sizes of the networks beside a trained dVAE."""
        return mindalle.Settings(
            vocabulary=source.vocabulary,
            end=source.vocabulary - 1,
            length=source.length,
            layers=self.layers,
            heads=self.heads,
            width=self.width,
            gate_width=self.gate_width,
            image_vocabulary=coder.codes,
            begin=coder.codes,
            detoker=vqgan.Settings(
                side=coder.side,
                codes=coder.codes,
                code_size=self.code_size,
                width=self.detoker_width,
                groups=self.detoker_groups,
            ),
        )


PRESETS: dict[str, Settings] = {
    "toy": Settings(
        loop=LoopSettings(steps=200, batch_size=16, sample_every=100, checkpoint_every=100),
        data=data.Settings(kind="birds", px=(32, 64), words=32, tokens=32, pairs=768, count=512),
        dvae="toy",
        layers=2,
        heads=2,
        width=64,
        gate_width=128,
        code_size=16,
        detoker_width=8,
        detoker_groups=4,
        silent=0.1,
        learning_rate=3e-3,
        warmup_steps=20,
        detoker_learning_rate=2e-3,
        average=0.95,
    ),
}
NEEDS: tuple[str, ...] = ("dvae",)


def needed_settings(settings: Settings, name: Literal["dvae"]) -> dvae.Settings:
    """The dVAE learns from the same pictures."""
    return on_pictures_of(settings, dvae.PRESETS[settings.dvae])


class MinDalle:
    """Two players: what tells tokens, and what draws them. The dVAE stays as it is."""

    def __init__(
        self, settings: Settings, source: Source, coder: Needed, device: torch.device
    ) -> None:
        self.settings = settings
        sizes = decode(coders.Settings, coder.recipe.network)
        self.network = settings.network(source, sizes)
        wanted = (sizes.image_px, self.network.detoker.image_px)
        if settings.data.px != wanted:
            told = ",".join(map(str, wanted))
            raise UsageError(
                f"the dVAE spells pictures of {wanted[0]} px, of which those of {wanted[1]} px are "
                f"drawn; these have {' and '.join(map(str, settings.data.px))}",
                hint=f"pass --set px={told}, or another dVAE by --with dvae=RUN",
            )
        refuse_words(settings.data)
        spell = coders.Encoder(sizes)
        spell.load_state_dict(below("encoder.", coder.state))
        self.spell = spell.to(device).eval().requires_grad_(requires_grad=False)
        networks = mindalle.networks(self.network)
        self.transformer = nn.ModuleDict({name: networks[name] for name in ("encoder", "decoder")})
        self.detoker = networks["detoker"].to(device)
        self.transformer.to(device)
        adam = torch.optim.Adam(self.transformer.parameters(), lr=settings.learning_rate)
        drawing = torch.optim.Adam(self.detoker.parameters(), lr=settings.detoker_learning_rate)
        self.players = {
            "transformer": Player(self.transformer, adam, settings.average, self.rate),
            "detoker": Player(self.detoker, drawing, settings.average),
        }

    def step(self, batch: Batch) -> Iterator[Update]:
        small, images = batch.images
        codes = self.codes(small)
        tokens = silenced(batch.tokens, self.settings.silent, self.network.vocabulary)
        logits = told(self.transformer, tokens, codes)
        yield Update(
            "transformer", {"image": F.cross_entropy(logits.transpose(1, 2).float(), codes)}
        )

        side = self.network.detoker.side
        drawn = self.detoker(codes.unflatten(1, (side, side)))
        yield Update("detoker", {"pixels": F.l1_loss(drawn.float(), (images + 1) / 2)})

    def codes(self, images: Tensor) -> Tensor:
        return spelled(self.spell, images)

    def sample(self, batch: Batch, averaged: Mapping[str, nn.Module]) -> Tensor:
        """Tokens drawn one after the other, as they are foretold."""
        sizes, detoker = self.network.detoker, averaged["detoker"]
        assert isinstance(detoker, vqgan.Detoker)
        codes = torch.zeros(
            len(batch.tokens), sizes.side**2, dtype=torch.int64, device=batch.tokens.device
        )
        for place in range(sizes.side**2):
            logits = told(averaged["transformer"], batch.tokens, codes)[:, place, : sizes.codes]
            codes[:, place] = logits.float().softmax(dim=1).multinomial(1)[:, 0]
        return detoker.draw(codes.unflatten(1, (sizes.side, sizes.side)))

    def streams(self, batch: Batch) -> dict[str, Tensor]:
        return {"tokens": batch.tokens, "codes": self.codes(batch.images[0])}

    def exported(self, averaged: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        transformer = averaged["transformer"]
        assert isinstance(transformer, nn.ModuleDict)
        return {**transformer, "detoker": averaged["detoker"]}

    def rate(self, step: int) -> float:
        """Factor of the transformer's learning rate at a step."""
        return min(1.0, (step + 1) / self.settings.warmup_steps)


def told(transformer: nn.Module, tokens: Tensor, codes: Tensor) -> Tensor:
    """Logits of the tokens (B, side²) of pictures, each by its caption and those before it."""
    assert isinstance(transformer, nn.ModuleDict)
    encoder, decoder = transformer["encoder"], transformer["decoder"]
    assert isinstance(encoder, mindalle.Encoder)
    assert isinstance(decoder, mindalle.Decoder)
    mask = encoder.mask(tokens)
    return decoder(codes, decoder.caption(encoder(tokens, mask), mask))


def build(
    settings: Settings, source: Source, needs: Mapping[str, Needed], device: torch.device
) -> MinDalle:
    return MinDalle(settings, source, needs["dvae"], device)
