"""AttnGAN's bundle: captions are read by one graph and drawn by another."""

import torch
from torch import Tensor, nn

from t2i.export.plan import (
    FACING,
    TOKENS,
    Captions,
    Host,
    Plan,
    Tensors,
    captions,
    draws,
    picture,
    tokens,
)
from t2i.export.rewrite import leave_apart, rewrite
from t2i.export.trained import Trained
from t2i.models import attngan
from t2i.models.blocks.facing import Facing, turn
from t2i.runtime import bundle, runs


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Captions to words; words and noise to pictures."""
    sizes: attngan.Settings = trained.sizes
    reading = Reading(trained.networks["text"], trained.recipe.facing)
    drawing = Drawing(trained.networks["generator"], trained.recipe.facing)
    noise, detail, *read = _inputs(sizes, trained.recipe.facing)

    def words_and_noise(batch: int, kind: Captions) -> Tensors:
        with torch.no_grad():
            said = reading(captions(trained, batch, kind))
        return {
            "noise": draws(batch, sizes.noise_size, stream=1),
            "detail": draws(batch, sizes.condition_size, stream=2),
            **dict(zip((each.name for each in read), said, strict=True)),
        }

    inputs, outputs = (noise, detail, *read), _outputs(sizes)
    return (
        Plan("text", reading, (TOKENS,), tuple(read), tokens(trained)),
        Plan("generator", drawing, inputs, outputs, words_and_noise, _faster),
    )


def host(trained: Trained) -> Host:
    """Noise as in the paper; pictures are as large as the last stage draws them."""
    sizes: attngan.Settings = trained.sizes
    noise = bundle.Noise("noise", (sizes.noise_size,))
    detail = bundle.Noise("detail", (sizes.condition_size,))
    return Host(image_px=sizes.stages_px[-1], noise=(noise, detail))


class Reading(nn.Module):
    """Sentence, words and mask; and which way the caption wants the bird to face."""

    def __init__(self, encoder: nn.Module, facing: runs.Facing | None) -> None:
        super().__init__()
        self.encoder = encoder
        self.facing = Facing(facing.left, facing.right) if facing else None

    def forward(self, tokens: Tensor) -> tuple[Tensor, ...]:
        text = self.encoder(tokens)
        return (*text, self.facing(tokens)) if self.facing else (*text,)


class Drawing(nn.Module):
    """All pictures, largest first, and attentions, mirrored where they are to face left."""

    def __init__(self, generator: nn.Module, facing: runs.Facing | None) -> None:
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


def _faster(drawing: nn.Module) -> nn.Module:
    """Nothing but its head reads the last map, so only the picture need be interleaved."""
    drawing = rewrite(drawing)
    assert isinstance(drawing, Drawing)
    generator = drawing.generator
    assert isinstance(generator, attngan.Generator)
    grow = generator.refine[-1].grow if len(generator.refine) else generator.first.grow[-1]
    assert isinstance(grow, nn.Module)
    generator.heads[-1] = leave_apart(grow, generator.heads[-1])
    return drawing


def _inputs(sizes: attngan.Settings, facing: runs.Facing | None) -> list[bundle.Tensor]:
    """What enters the generator as noise, and as text."""
    tensors = [
        bundle.Tensor("noise", "float32", ("B", sizes.noise_size)),
        bundle.Tensor("detail", "float32", ("B", sizes.condition_size)),
        bundle.Tensor("sentence", "float32", ("B", sizes.text_size)),
        bundle.Tensor("words", "float32", ("B", sizes.text_size, "T")),
        bundle.Tensor("mask", "bool", ("B", "T")),
    ]
    return [*tensors, FACING] if facing else tensors


def _outputs(sizes: attngan.Settings) -> tuple[bundle.Tensor, ...]:
    """The last picture is `image`, the others tell their size."""
    largest, *smaller = reversed(sizes.drawn_px)
    attentions = [
        bundle.Tensor(f"attention_{number}", "float32", ("B", "T", px, px), (0.0, 1.0), "BTHW")
        for number, px in enumerate(sizes.stages_px[:-1], start=1)
    ]
    return (picture(largest), *(picture(px, f"image_{px}") for px in smaller), *attentions)
