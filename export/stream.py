"""STREAM's bundle: one graph looks at a picture, another says it word by word."""

import torch
from torch import Tensor, nn

from t2i.export.plan import (
    PICTURE,
    Captions,
    Host,
    Output,
    Plan,
    Tensors,
    captions,
    draws,
    pictures,
)
from t2i.export.trained import Trained
from t2i.models import stream
from t2i.runtime import bundle


def plans(trained: Trained) -> tuple[Plan, ...]:
    """A picture to what is read of it; that, and the last word, to the next one."""
    return describing(trained, trained.sizes)


def host(trained: Trained) -> Host:
    """No noise; pictures are best given at the size at which they are seen."""
    sizes: stream.Settings = trained.sizes
    return Host(image_px=sizes.image_px)


def describing(trained: Trained, sizes: stream.Settings) -> tuple[Plan, ...]:
    """The two graphs of every bundle that can describe."""
    reading, shown = Output(trained.networks["image"]), pictures()

    def beginnings(batch: int, kind: Captions) -> Tensors:
        """The first picture has no word yet."""
        with torch.no_grad():
            (picture,) = reading(shown(batch, kind)["image"])
        word = captions(trained, batch, kind)[:, 0] * (torch.arange(batch) > 0)
        state = torch.tanh(draws(batch, 2 * sizes.state_size, stream=4)) * (word > 0)[:, None]
        return {"picture": picture, "word": word, "state": state.unflatten(1, (2, -1))}

    seen = bundle.Tensor("picture", "float32", ("B", sizes.embedding))
    state = ("B", 2, sizes.state_size)
    image = Plan(
        "image",
        reading,
        inputs=(PICTURE,),
        outputs=(seen,),
        examples=shown,
    )
    caption = Plan(
        "caption",
        Saying(trained.networks["caption"]),
        inputs=(
            seen,
            bundle.Tensor("word", "int64", ("B",)),
            bundle.Tensor("state", "float32", state),
        ),
        outputs=(
            bundle.Tensor("next", "float32", ("B", sizes.vocabulary), (0.0, 1.0)),
            bundle.Tensor("state_after", "float32", state),
        ),
        examples=beginnings,
    )
    return image, caption


class Saying(nn.Module):
    """How probable each word is to be the next, and the state after the last one."""

    def __init__(self, captioner: nn.Module) -> None:
        super().__init__()
        assert isinstance(captioner, stream.Captioner)
        self.captioner = captioner

    def forward(self, picture: Tensor, word: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        logits, after = self.captioner.step(picture, word, state)
        return logits.softmax(dim=1), after
