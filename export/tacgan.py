"""TAC-GAN's bundle: captions are read by one graph and drawn by another; vectors are only drawn."""

from dataclasses import replace

from torch import Tensor, nn

from t2i.export.gancls import Drawing
from t2i.export.plan import Captions, Host, Plan, Tensors, draws, picture
from t2i.export.sentences import condition, said
from t2i.export.trained import Trained
from t2i.models import damsm, tacgan
from t2i.runtime import bundle


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Captions to sentences, where they are read; sentences and noise to pictures."""
    sizes: tacgan.Settings = trained.sizes
    told = said(spoken(trained), sizes.text_size)

    def sentences_and_noise(batch: int, kind: Captions) -> Tensors:
        noise = draws(batch, sizes.noise_size, stream=1).clamp(-1, 1)
        return {"noise": noise, **told.examples(batch, kind)}

    generator = Plan(
        "generator",
        Drawing(trained.networks["generator"], trained.recipe.facing),
        inputs=(bundle.Tensor("noise", "float32", ("B", sizes.noise_size)), *told.tensors),
        outputs=(picture(sizes.image_px),),
        examples=sentences_and_noise,
    )
    return told.plans(generator)


def host(trained: Trained) -> Host:
    """Uniform noise, as in the paper."""
    sizes: tacgan.Settings = trained.sizes
    return Host(
        image_px=sizes.image_px,
        noise=(bundle.Noise("noise", (sizes.noise_size,), "uniform"),),
        condition=condition(trained),
    )


def spoken(trained: Trained) -> Trained:
    """The same with a text encoder that gives the sentence alone."""
    encoder = trained.networks.get("text")
    if isinstance(encoder, damsm.TextEncoder):
        return replace(trained, networks={**trained.networks, "text": Sentence(encoder)})
    return trained


class Sentence(nn.Module):
    """Of all that DAMSM reads in a caption, the sentence."""

    def __init__(self, encoder: damsm.TextEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, tokens: Tensor) -> Tensor:
        sentence, _, _ = self.encoder(tokens)
        return sentence
