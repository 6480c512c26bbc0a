"""HDGAN's bundle: captions are read by one graph and drawn, at all sizes, by another."""

from dataclasses import replace

from torch import Tensor, nn

from t2i.export.plan import Captions, Host, Plan, Tensors, draws
from t2i.export.sentences import condition, said
from t2i.export.trained import Trained
from t2i.models import hdgan
from t2i.models.blocks.facing import turn
from t2i.runtime import bundle, runs


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Captions to sentences, where they are read; sentences and noise to pictures."""
    sizes: hdgan.Settings = trained.sizes
    facing = trained.recipe.facing
    told = said(trained, sizes.text_size)

    def sentences_and_noise(batch: int, kind: Captions) -> Tensors:
        return {
            "noise": draws(batch, sizes.noise_size, stream=1),
            "detail": draws(batch, sizes.condition_size, stream=2),
            **told.examples(batch, kind),
        }

    generator = Plan(
        "generator",
        Drawing(trained.networks["generator"], facing),
        inputs=(
            bundle.Tensor("noise", "float32", ("B", sizes.noise_size)),
            bundle.Tensor("detail", "float32", ("B", sizes.condition_size)),
            *told.tensors,
        ),
        outputs=_pictures(sizes.drawn_px),
        examples=sentences_and_noise,
    )
    return told.plans(generator)


def host(trained: Trained) -> Host:
    """Noise as in the paper; pictures as large as the largest."""
    sizes: hdgan.Settings = trained.sizes
    noise = bundle.Noise("noise", (sizes.noise_size,))
    detail = bundle.Noise("detail", (sizes.condition_size,))
    return Host(sizes.drawn_px[-1], (noise, detail), condition(trained))


class Drawing(nn.Module):
    """All pictures, largest first, mirrored where they are to face left."""

    def __init__(self, generator: nn.Module, facing: runs.Facing | None) -> None:
        super().__init__()
        self.generator = generator
        self.facing = facing

    def forward(
        self, noise: Tensor, detail: Tensor, sentence: Tensor, facing: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        images = tuple(reversed(self.generator(noise, detail, sentence).images))
        if self.facing is None or facing is None:
            return images
        return tuple(turn(each, facing, noise, self.facing.noise) for each in images)


def _pictures(drawn_px: tuple[int, ...]) -> tuple[bundle.Tensor, ...]:
    """The largest is `image`, the others tell their size."""
    largest, *smaller = (
        bundle.Tensor(f"image_{px}", "float32", ("B", 3, px, px), (-1.0, 1.0), "BCHW")
        for px in reversed(drawn_px)
    )
    return replace(largest, name="image"), *smaller
