"""dVAE's bundle: one graph tells how well each token would stand for each part of a picture,
another draws the picture of tokens."""

import torch
from torch import Tensor, nn

from t2i.export.plan import Captions, Host, Plan, Tensors, picture, pictures
from t2i.export.trained import Trained
from t2i.models import dvae, vqgan
from t2i.runtime import bundle


def plans(trained: Trained) -> tuple[Plan, ...]:
    """There and back."""
    return coding(trained, trained.sizes)


def host(trained: Trained) -> Host:
    """No words, no noise."""
    sizes: dvae.Settings = trained.sizes
    return Host(image_px=sizes.image_px, condition="none")


def coding(trained: Trained, sizes: dvae.Settings) -> tuple[Plan, Plan]:
    """The two graphs of a dVAE, in every bundle that has one."""
    px, side = sizes.image_px, sizes.side
    encoder, decoder = trained.networks["encoder"], trained.networks["decoder"]
    assert isinstance(encoder, dvae.Encoder)
    assert isinstance(decoder, dvae.Decoder)
    codes = Plan(
        "codes",
        Reading(encoder),
        inputs=(picture(px),),
        outputs=(bundle.Tensor("logits", "float32", ("B", sizes.codes, side, side)),),
        examples=pictures((px, px)),
    )
    return codes, drawing(decoder, sizes)


def drawing(decoder: dvae.Decoder | vqgan.Detoker, sizes: dvae.Settings | vqgan.Settings) -> Plan:
    """The graph from tokens to their picture."""
    count = sizes.side**2

    def tokens(batch: int, kind: Captions) -> Tensors:
        dice = torch.Generator().manual_seed(batch)
        return {"tokens": torch.randint(0, sizes.codes, (batch, count), generator=dice)}

    return Plan(
        "pixels",
        Drawing(decoder, sizes.side),
        inputs=(bundle.Tensor("tokens", "int64", ("B", count), (0.0, sizes.codes - 1.0)),),
        outputs=(picture(sizes.image_px),),
        examples=tokens,
    )


class Reading(nn.Module):
    """A picture in [-1, 1] to the logits of its tokens, of which the largest is taken."""

    def __init__(self, encoder: dvae.Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor) -> tuple[Tensor]:
        return (self.encoder(dvae.mapped(image)),)


class Drawing(nn.Module):
    """Tokens, row by row, to their picture."""

    def __init__(self, decoder: dvae.Decoder | vqgan.Detoker, side: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.side = side

    def forward(self, tokens: Tensor) -> tuple[Tensor]:
        return (self.decoder.draw(tokens.unflatten(1, (self.side, self.side))),)
