"""AttnGAN's bundle: captions are read by one graph and drawn by another."""

import torch
from torch import Tensor, nn

from t2i.export import plan
from t2i.export.trained import Trained
from t2i.models import attngan
from t2i.models.blocks.facing import Facing, turn
from t2i.models.damsm import TextEncoder
from t2i.runtime import bundle, runs


def system(trained: Trained) -> plan.System:
    """Text to words, words and noise to pictures."""
    sizes: attngan.Settings = trained.sizes
    facing = trained.recipe.facing
    return plan.System(
        plans=(_text(trained, sizes, facing), _generator(trained, sizes, facing)),
        noise=(
            bundle.Noise("noise", (sizes.noise_size,)),
            bundle.Noise("detail", (sizes.condition_size,)),
        ),
        image_px=sizes.stages_px[-1],
    )


class Reading(nn.Module):
    """Sentence, words and mask; and which way the caption wants the bird to face."""

    def __init__(self, encoder: TextEncoder, facing: runs.Facing | None) -> None:
        super().__init__()
        self.encoder = encoder
        self.facing = Facing(facing.left, facing.right) if facing else None

    def forward(self, tokens: Tensor) -> tuple[Tensor, ...]:
        text = self.encoder(tokens)
        return (*text, self.facing(tokens)) if self.facing else (*text,)


class Drawing(nn.Module):
    """All pictures and attentions, largest picture first, mirrored where they are to face left."""

    def __init__(self, generator: attngan.Generator, facing: runs.Facing | None) -> None:
        super().__init__()
        self.generator = generator
        self.facing = facing

    def forward(
        self,
        noise: Tensor,
        detail: Tensor,
        sentence: Tensor,
        words: Tensor,
        mask: Tensor,
        facing: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        drawn = self.generator(noise, detail, sentence, words, mask)
        maps = (*reversed(drawn.images), *drawn.attentions)
        if self.facing is None or facing is None:
            return maps
        return tuple(turn(each, facing, noise, self.facing.noise) for each in maps)


def _read(sizes: attngan.Settings, facing: runs.Facing | None) -> tuple[bundle.Tensor, ...]:
    """What the text graph says and the generator hears."""
    tensors = (
        bundle.Tensor("sentence", "float32", ("B", sizes.text_size)),
        bundle.Tensor("words", "float32", ("B", sizes.text_size, "T")),
        bundle.Tensor("mask", "bool", ("B", "T")),
    )
    said = bundle.Tensor("facing", "float32", ("B",), (-1.0, 1.0))
    return (*tensors, said) if facing else tensors


def _text(trained: Trained, sizes: attngan.Settings, facing: runs.Facing | None) -> plan.Plan:
    encoder = trained.networks["text"]
    assert isinstance(encoder, TextEncoder)
    length = trained.recipe.text.length

    def examples(batch: int, kind: plan.Captions) -> plan.Arrays:
        return {"tokens": plan.tokens(batch, kind, length, sizes.vocabulary)}

    return plan.Plan(
        "text",
        Reading(encoder, facing),
        inputs=(bundle.Tensor("tokens", "int64", ("B", "T")),),
        outputs=_read(sizes, facing),
        examples=examples,
    )


def _generator(trained: Trained, sizes: attngan.Settings, facing: runs.Facing | None) -> plan.Plan:
    generator = trained.networks["generator"]
    assert isinstance(generator, attngan.Generator)
    text = _text(trained, sizes, facing)

    def examples(batch: int, kind: plan.Captions) -> plan.Arrays:
        with torch.no_grad():
            said = text.module(text.examples(batch, kind)["tokens"])
        return {
            "noise": plan.draws(batch, sizes.noise_size, stream=1),
            "detail": plan.draws(batch, sizes.condition_size, stream=2),
            **dict(zip((each.name for each in text.outputs), said, strict=True)),
        }

    names = ["image", *(f"image_{px}" for px in reversed(sizes.drawn_px[:-1]))]
    images = tuple(
        bundle.Tensor(name, "float32", ("B", 3, px, px), (-1.0, 1.0), "BCHW")
        for name, px in zip(names, reversed(sizes.drawn_px), strict=True)
    )
    attentions = tuple(
        bundle.Tensor(f"attention_{number}", "float32", ("B", "T", px, px), (0.0, 1.0), "BTHW")
        for number, px in enumerate(sizes.stages_px[:-1], start=1)
    )
    return plan.Plan(
        "generator",
        Drawing(generator, facing),
        inputs=(
            bundle.Tensor("noise", "float32", ("B", sizes.noise_size)),
            bundle.Tensor("detail", "float32", ("B", sizes.condition_size)),
            *_read(sizes, facing),
        ),
        outputs=(*images, *attentions),
        examples=examples,
    )
