"""Regression's bundle: one graph reads the name of a class, one draws it."""

from torch import Tensor, nn

from t2i.export.plan import Captions, Host, Plan, Tensors, captions, draws, picture, tokens
from t2i.export.trained import Trained
from t2i.models import regression
from t2i.runtime import bundle


def plans(trained: Trained) -> tuple[Plan, ...]:
    sizes: regression.Settings = trained.sizes
    read, draw = Reading(regression.Reader(sizes)), Drawing(trained.networks["generator"])
    name = bundle.Tensor("tokens", "int64", ("B", 1))
    noise = bundle.Tensor("noise", "float32", ("B", sizes.noise_size))
    sentence = bundle.Tensor("sentence", "float32", ("B", sizes.vocabulary), (0.0, 1.0))

    def examples(batch: int, kind: Captions) -> Tensors:
        (wanted,) = read(captions(trained, batch, kind))
        return {"noise": draws(batch, sizes.noise_size, stream=1), "sentence": wanted}

    return (
        Plan("text", read, (name,), (sentence,), tokens(trained)),
        Plan("generator", draw, (noise, sentence), (picture(sizes.image_px),), examples),
    )


def host(trained: Trained) -> Host:
    sizes: regression.Settings = trained.sizes
    noise = (bundle.Noise("noise", (sizes.noise_size,)),)
    return Host(image_px=sizes.image_px, noise=noise, condition="class")


class Reading(nn.Module):
    def __init__(self, reader: regression.Reader) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, tokens: Tensor) -> tuple[Tensor]:
        return (self.reader(tokens),)


class Drawing(nn.Module):
    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, noise: Tensor, sentence: Tensor) -> tuple[Tensor]:
        return (self.generator(noise, sentence),)
