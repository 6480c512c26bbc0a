"""Bundles of systems that read a sentence: captions become a vector, from which pictures are drawn.

`SYSTEM.py` says which pictures its generator gives.
"""

from typing import Protocol

import torch
from torch import Tensor, nn

from t2i.export.charcnnrnn import reading
from t2i.export.plan import Captions, Host, Plan, Tensors, captions, draws
from t2i.export.trained import Trained
from t2i.models.blocks.facing import turn
from t2i.runtime import bundle, runs


class Sizes(Protocol):
    """What the networks of such a system say of their draws."""

    @property
    def noise_size(self) -> int: ...
    @property
    def detail_size(self) -> int: ...


def read_and_draw(trained: Trained, pictures: tuple[bundle.Tensor, ...]) -> tuple[Plan, Plan]:
    """Captions to sentences, read by a char-CNN-RNN; sentences and draws to pictures.

    Args:
        pictures: what the generator gives as `images`, from the last to the first.
    """
    sizes: Sizes = trained.sizes
    text, facing = reading(trained, trained.recipe.facing), trained.recipe.facing

    def sentences_and_draws(batch: int, kind: Captions) -> Tensors:
        with torch.no_grad():
            said = text.module(captions(trained, batch, kind))
        return {
            "noise": draws(batch, sizes.noise_size, stream=1),
            "detail": draws(batch, sizes.detail_size, stream=2),
            **dict(zip((each.name for each in text.outputs), said, strict=True)),
        }

    generator = Plan(
        "generator",
        Drawing(trained.networks["generator"], facing),
        inputs=(
            *(bundle.Tensor(each.name, "float32", ("B", *each.shape)) for each in noise(sizes)),
            *text.outputs,
        ),
        outputs=pictures,
        examples=sentences_and_draws,
    )
    return text, generator


def host(trained: Trained, image_px: int) -> Host:
    """Noise as in the papers: z, and the draw of the conditioning augmentation."""
    return Host(image_px=image_px, noise=noise(trained.sizes))


def noise(sizes: Sizes) -> tuple[bundle.Noise, bundle.Noise]:
    return bundle.Noise("noise", (sizes.noise_size,)), bundle.Noise("detail", (sizes.detail_size,))


def picture(px: int, name: str = "image") -> bundle.Tensor:
    """A picture that a generator gives."""
    return bundle.Tensor(name, "float32", ("B", 3, px, px), (-1.0, 1.0), "BCHW")


class Drawing(nn.Module):
    """All pictures, the last first, mirrored where they are to face left."""

    def __init__(self, generator: nn.Module, facing: runs.Facing | None) -> None:
        super().__init__()
        self.generator = generator
        self.facing = facing

    def forward(
        self, noise: Tensor, detail: Tensor, sentence: Tensor, facing: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        pictures: tuple[Tensor, ...] = self.generator(noise, detail, sentence).images[::-1]
        if self.facing is None or facing is None:
            return pictures
        return tuple(turn(each, facing, noise, self.facing.noise) for each in pictures)
