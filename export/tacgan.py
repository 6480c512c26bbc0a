"""TAC-GAN's bundle: captions are read by one graph and drawn by another; vectors are only drawn."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from t2i.export.charcnnrnn import reading
from t2i.export.gancls import Drawing
from t2i.export.plan import Captions, Host, Plan, Tensors, captions, draws
from t2i.export.trained import Trained
from t2i.models import damsm, tacgan
from t2i.runtime import bundle


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Captions to sentences, where they are read; sentences and noise to pictures."""
    sizes: tacgan.Settings = trained.sizes
    facing, px = trained.recipe.facing, sizes.image_px
    text = None if isinstance(sizes.reader, tacgan.Vectors) else reading(spoken(trained), facing)
    sentence = bundle.Tensor("sentence", "float32", ("B", sizes.text_size))
    said = text.outputs if text else (sentence,)

    def sentences_and_noise(batch: int, kind: Captions) -> Tensors:
        noise = {"noise": draws(batch, sizes.noise_size, stream=1).clamp(-1, 1)}
        if text is None:
            return noise | {"sentence": draws(batch, sizes.text_size, stream=2)}
        with torch.no_grad():
            read = text.module(captions(trained, batch, kind))
        return noise | dict(zip((each.name for each in said), read, strict=True))

    generator = Plan(
        "generator",
        Drawing(trained.networks["generator"], facing),
        inputs=(bundle.Tensor("noise", "float32", ("B", sizes.noise_size)), *said),
        outputs=(bundle.Tensor("image", "float32", ("B", 3, px, px), (-1.0, 1.0), "BCHW"),),
        examples=sentences_and_noise,
    )
    return (text, generator) if text else (generator,)


def host(trained: Trained) -> Host:
    """Uniform noise, as in the paper."""
    sizes: tacgan.Settings = trained.sizes
    return Host(
        image_px=sizes.image_px,
        noise=(bundle.Noise("noise", (sizes.noise_size,), "uniform"),),
        condition="vector" if isinstance(sizes.reader, tacgan.Vectors) else "caption",
    )


def spoken(trained: Trained) -> Trained:
    """The same with a text encoder that gives the sentence alone."""
    encoder = trained.networks["text"]
    if isinstance(encoder, damsm.TextEncoder):
        encoder = Sentence(encoder)
    return replace(trained, networks={**trained.networks, "text": encoder})


class Sentence(nn.Module):
    """Of all that DAMSM reads in a caption, the sentence."""

    def __init__(self, encoder: damsm.TextEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, tokens: Tensor) -> Tensor:
        sentence, _, _ = self.encoder(tokens)
        return sentence
