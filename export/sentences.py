"""Bundles of systems that draw a sentence: captions become a vector, from which pictures are drawn.

Where no network reads captions, their vectors are given: the bundle's condition is `vector`.
`SYSTEM.py` says which pictures its generator gives.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from t2i.export.charcnnrnn import reading
from t2i.export.plan import Captions, Examples, Host, Plan, Tensors, captions, draws
from t2i.export.trained import Trained
from t2i.models.blocks.facing import turn
from t2i.runtime import bundle, runs


class Sizes(Protocol):
    """What the networks of such a system say of sentences and of their draws."""

    @property
    def text_size(self) -> int: ...
    @property
    def noise_size(self) -> int: ...
    @property
    def detail_size(self) -> int: ...


@dataclass(frozen=True)
class Said:
    """What a generator is told of a caption."""

    text: Plan | None
    """The graph that reads it."""
    tensors: tuple[bundle.Tensor, ...]
    examples: Examples

    def plans(self, *others: Plan) -> tuple[Plan, ...]:
        """That graph, where there is one, and the others."""
        return (self.text, *others) if self.text else others


def said(trained: Trained, text_size: int) -> Said:
    """Sentences, and where captions are read, which way they want the bird to face."""
    if "text" not in trained.networks:
        sentence = bundle.Tensor("sentence", "float32", ("B", text_size))
        return Said(
            None,
            (sentence,),
            lambda batch, kind: {"sentence": draws(batch, text_size, stream=9)},
        )
    text = reading(trained, text_size, trained.recipe.facing)

    def read(batch: int, kind: Captions) -> Tensors:
        with torch.no_grad():
            outputs = text.module(captions(trained, batch, kind))
        return dict(zip((each.name for each in text.outputs), outputs, strict=True))

    return Said(text, text.outputs, read)


def condition(trained: Trained) -> Literal["caption", "vector"]:
    """What hosts give."""
    return "caption" if "text" in trained.networks else "vector"


def read_and_draw(trained: Trained, pictures: tuple[bundle.Tensor, ...]) -> tuple[Plan, ...]:
    """Captions to sentences, read by a char-CNN-RNN; sentences and draws to pictures.

    Args:
        pictures: what the generator gives as `images`, from the last to the first.
    """
    sizes: Sizes = trained.sizes
    told = said(trained, sizes.text_size)

    def sentences_and_draws(batch: int, kind: Captions) -> Tensors:
        return {
            "noise": draws(batch, sizes.noise_size, stream=1),
            "detail": draws(batch, sizes.detail_size, stream=2),
            **told.examples(batch, kind),
        }

    generator = Plan(
        "generator",
        Drawing(trained.networks["generator"], trained.recipe.facing),
        inputs=(
            *(bundle.Tensor(each.name, "float32", ("B", *each.shape)) for each in noise(sizes)),
            *told.tensors,
        ),
        outputs=pictures,
        examples=sentences_and_draws,
    )
    return told.plans(generator)


def host(trained: Trained, image_px: int) -> Host:
    """Noise as in the papers: z, and the draw of the conditioning augmentation."""
    return Host(image_px, noise(trained.sizes), condition(trained))


def noise(sizes: Sizes) -> tuple[bundle.Noise, bundle.Noise]:
    return bundle.Noise("noise", (sizes.noise_size,)), bundle.Noise("detail", (sizes.detail_size,))


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
