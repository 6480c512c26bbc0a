"""char-CNN-RNN's bundle: captions and pictures become vectors that can be compared."""

import torch
from torch import nn

from t2i.export.damsm import HEIGHT, WIDTH
from t2i.export.plan import Captions, Host, Plan, Tensors, captions, draws
from t2i.export.trained import Trained
from t2i.models import charcnnrnn
from t2i.models.blocks.facing import Facing
from t2i.runtime import bundle, runs


def plans(trained: Trained) -> tuple[Plan, ...]:
    """One graph a side."""
    sizes: charcnnrnn.Settings = trained.sizes

    def pictures(batch: int, kind: Captions) -> Tensors:
        flat = draws(batch, 3 * HEIGHT * WIDTH, stream=3)
        return {"image": torch.tanh(flat).reshape(batch, 3, HEIGHT, WIDTH)}

    image = Plan(
        "image",
        Output(trained.networks["image"]),
        inputs=(bundle.Tensor("image", "float32", ("B", 3, "H", "W"), (-1.0, 1.0), "BCHW"),),
        outputs=(bundle.Tensor("code", "float32", ("B", sizes.text_size)),),
        examples=pictures,
    )
    return reading(trained, None), image


def host(trained: Trained) -> Host:
    """No noise; pictures are best given at the size at which they are seen."""
    sizes: charcnnrnn.Settings = trained.sizes
    return Host(image_px=sizes.image_px)


def reading(trained: Trained, facing: runs.Facing | None) -> Plan:
    """The text graph of every system that reads with this encoder."""
    sizes: charcnnrnn.TextSettings = trained.sizes

    def tokens(batch: int, kind: Captions) -> Tensors:
        return {"tokens": captions(trained, batch, kind)}

    outputs = [bundle.Tensor("sentence", "float32", ("B", sizes.text_size))]
    if facing:
        outputs.append(bundle.Tensor("facing", "float32", ("B",), (-1.0, 1.0)))
    return Plan(
        "text",
        Reading(trained.networks["text"], facing),
        inputs=(bundle.Tensor("tokens", "int64", ("B", "T")),),
        outputs=tuple(outputs),
        examples=tokens,
    )


class Reading(nn.Module):
    """The sentence; and which way the caption wants the bird to face, where that is asked."""

    def __init__(self, encoder: nn.Module, facing: runs.Facing | None) -> None:
        super().__init__()
        self.encoder = encoder
        self.facing = Facing(facing.left, facing.right) if facing else None

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, ...]:
        sentence = self.encoder(tokens)
        return (sentence, self.facing(tokens)) if self.facing else (sentence,)


class Output(nn.Module):
    """A network of one output, as graphs have them: one of several."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.network(image),)
