"""CI-GAN's bundle: captions are read as latents, met half-way by those of noise, and drawn.

Pictures are told as latents, too, which move step by step towards a caption's.
"""

from torch import Tensor, nn

from t2i.export import editing, stylegan2
from t2i.export.plan import Captions, Host, Plan, Tensors, draws, picture
from t2i.export.sentences import said
from t2i.export.trained import Trained
from t2i.models import cigan
from t2i.models.blocks.facing import turn
from t2i.models.stylegan2 import Generator
from t2i.runtime import bundle, runs


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Captions to latents; pictures to latents, and these towards captions; all to pictures."""
    sizes: cigan.Settings = trained.sizes
    told = said(trained, sizes.style_size)

    def sentences_and_draws(batch: int, kind: Captions) -> Tensors:
        return {
            "noise": draws(batch, sizes.style_size, stream=1),
            "grain": draws(batch, sizes.grain_size, stream=2),
            **told.examples(batch, kind),
        }

    noise = bundle.Tensor("noise", "float32", ("B", sizes.style_size))
    generator = Plan(
        "generator",
        Drawing(stylegan2.generator_of(trained), sizes.pull, trained.recipe.facing),
        inputs=(noise, stylegan2.grain(sizes), *told.tensors),
        outputs=(picture(sizes.image_px),),
        examples=sentences_and_draws,
        rewrite=stylegan2.ungrouped,
    )
    # The generator comes last: in a check, what it draws must not become the picture that is told.
    edits = editing.both_plans(trained, lambda *kind: told.examples(*kind)["sentence"])
    return told.plans(*edits, generator)


def host(trained: Trained) -> Host:
    """The noise of StyleGAN2; a caption beside it."""
    sizes: cigan.Settings = trained.sizes
    return Host(image_px=sizes.image_px, noise=stylegan2.noises(sizes))


class Drawing(nn.Module):
    """The picture of a caption and of noise, mirrored where it is to face left."""

    def __init__(self, generator: Generator, pull: float, facing: runs.Facing | None) -> None:
        super().__init__()
        self.generator = generator
        self.pull, self.facing = pull, facing

    def forward(
        self, noise: Tensor, grain: Tensor, sentence: Tensor, facing: Tensor | None = None
    ) -> tuple[Tensor]:
        latent = cigan.between(sentence, self.generator.mapping(noise), self.pull)
        image = self.generator(self.generator.spread(latent), grain).clamp(-1, 1)
        if self.facing is None or facing is None:
            return (image,)
        return (turn(image, facing, noise, self.facing.noise),)
