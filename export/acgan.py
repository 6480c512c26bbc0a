"""AC-GAN's bundle: the name of a class is its one token, a graph of no weights reads it."""

from torch import Tensor, nn

from t2i.export.plan import Captions, Host, Plan, Tensors, captions, draws, picture, tokens
from t2i.export.trained import Trained
from t2i.models import acgan
from t2i.runtime import bundle


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Names to classes; classes and noise to pictures."""
    sizes: acgan.Settings = trained.sizes
    reading = Reading(acgan.ClassReader(sizes.classes))
    drawing = Drawing(trained.networks["generator"])
    name = bundle.Tensor("tokens", "int64", ("B", 1))
    noise = bundle.Tensor("noise", "float32", ("B", sizes.noise_size))
    # Called as in every bundle: hosts hand on what the text graph gives by its name.
    sentence = bundle.Tensor("sentence", "float32", ("B", sizes.classes), (0.0, 1.0))

    def classes_and_noise(batch: int, kind: Captions) -> Tensors:
        (wanted,) = reading(captions(trained, batch, kind))
        return {"noise": draws(batch, sizes.noise_size, stream=1), "sentence": wanted}

    return (
        Plan("text", reading, (name,), (sentence,), tokens(trained)),
        Plan(
            "generator", drawing, (noise, sentence), (picture(sizes.image_px),), classes_and_noise
        ),
    )


def host(trained: Trained) -> Host:
    """Noise as in the paper; a class in place of a caption."""
    sizes: acgan.Settings = trained.sizes
    noise = (bundle.Noise("noise", (sizes.noise_size,)),)
    return Host(image_px=sizes.image_px, noise=noise, condition="class")


class Reading(nn.Module):
    """The one-hot class that a token names, where other bundles give a sentence."""

    def __init__(self, reader: acgan.ClassReader) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, tokens: Tensor) -> tuple[Tensor]:
        return (self.reader(tokens),)


class Drawing(nn.Module):
    """The one picture of a class."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, noise: Tensor, sentence: Tensor) -> tuple[Tensor]:
        return (self.generator(noise, sentence),)
