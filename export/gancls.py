"""GAN-CLS's bundle: captions are read by one graph, drawn by another, and a third tells styles."""

import torch
from torch import Tensor, nn

from t2i.export.plan import Captions, Host, Output, Plan, Tensors, draws, picture
from t2i.export.sentences import condition, said
from t2i.export.trained import Trained
from t2i.models import gancls
from t2i.models.blocks.facing import turn
from t2i.runtime import bundle, runs


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Captions to sentences, sentences and noise to pictures; and pictures back to their noise."""
    sizes: gancls.Settings = trained.sizes
    told = said(trained, sizes.text_size)
    noise = bundle.Tensor("noise", "float32", ("B", sizes.noise_size))
    image = picture(sizes.image_px)

    def sentences_and_noise(batch: int, kind: Captions) -> Tensors:
        noise = draws(batch, sizes.noise_size, stream=1)
        return {"noise": noise, **told.examples(batch, kind)}

    generator = Plan(
        "generator",
        Drawing(trained.networks["generator"], trained.recipe.facing),
        inputs=(noise, *told.tensors),
        outputs=(image,),
        examples=sentences_and_noise,
    )
    if not sizes.style_width:
        return told.plans(generator)

    def drawn(batch: int, kind: Captions) -> Tensors:
        read = sentences_and_noise(batch, kind)
        with torch.no_grad():
            return {"image": generator.module(*(read[each.name] for each in generator.inputs))[0]}

    style = Output(trained.networks["style"])
    return told.plans(generator, Plan("invert", style, (image,), (noise,), drawn))


def host(trained: Trained) -> Host:
    """Noise as in the paper."""
    sizes: gancls.Settings = trained.sizes
    noise = bundle.Noise("noise", (sizes.noise_size,))
    return Host(sizes.image_px, (noise,), condition(trained))


class Drawing(nn.Module):
    """The picture, mirrored where it is to face left."""

    def __init__(self, generator: nn.Module, facing: runs.Facing | None) -> None:
        super().__init__()
        self.generator = generator
        self.facing = facing

    def forward(
        self, noise: Tensor, sentence: Tensor, facing: Tensor | None = None
    ) -> tuple[Tensor]:
        image = self.generator(noise, sentence)
        if self.facing is None or facing is None:
            return (image,)
        return (turn(image, facing, noise, self.facing.noise),)
