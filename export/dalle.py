"""DALL-E's bundle: a caption is read once, tokens follow one by one, and make a picture at last."""

import torch
from torch import Tensor, nn

from t2i.export import dvae
from t2i.export.plan import Captions, Host, Plan, Tensors, captions, draws
from t2i.export.trained import Trained
from t2i.models import dalle
from t2i.models.encoders.transformer import HEAD_SIZE
from t2i.runtime import bundle


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Four graphs: the two of the transformer, and the two of its dVAE."""
    sizes: dalle.Settings = trained.sizes
    transformer = trained.networks["transformer"]
    assert isinstance(transformer, dalle.Transformer)
    reading = Reading(transformer)
    count, layers, width = sizes.dvae.side**2, sizes.layers, sizes.width
    read = ("B", layers, width // HEAD_SIZE, sizes.length + 1, HEAD_SIZE)
    logits = bundle.Tensor("logits", "float32", ("B", sizes.dvae.codes))
    caption = tuple(bundle.Tensor(name, "float32", read) for name in ("text_keys", "text_values"))

    def tokens(batch: int, kind: Captions) -> Tensors:
        """Each begins with the first of the two last ids, and ends with the other."""
        ids = captions(trained, batch, kind)
        ended = (ids > 0).sum(dim=1, keepdim=True) - 1
        ids = ids.scatter(1, ended, sizes.vocabulary - 1)
        return {"tokens": nn.functional.pad(ids, (1, 0), value=sizes.vocabulary - 2)[:, :-1]}

    def halfway(batch: int, kind: Captions) -> Tensors:
        """At the beginning, in the middle, and near the end of a picture, with rows that lie well
        packed in a proof."""
        _, keys, values = reading(tokens(batch, kind)["tokens"])
        dice = torch.Generator().manual_seed(batch)
        place = {1: 0, 2: count // 2}.get(batch, count - 2)
        return {
            "token": torch.randint(0, sizes.dvae.codes, (batch,), generator=dice),
            "place": torch.tensor([place]),
            "text_keys": keys,
            "text_values": values,
            **{
                name: (4 * draws(batch, count * layers * width, stream))
                .round()
                .div(4)
                .reshape(batch, count, layers, width)
                .movedim(0, 2)
                .contiguous()
                for name, stream in (("keys", 5), ("values", 6))
            },
        }

    prefill = Plan(
        "prefill",
        reading,
        inputs=(bundle.Tensor("tokens", "int64", ("B", "T")),),
        outputs=(logits, *caption),
        examples=tokens,
    )
    step = Plan(
        "step",
        GoingOn(transformer),
        inputs=(
            bundle.Tensor("token", "int64", ("B",), (0.0, sizes.dvae.codes - 1.0)),
            bundle.Tensor("place", "int64", (1,), (0.0, count - 1.0)),
            *caption,
            *(
                bundle.Tensor(name, "float32", (count, layers, "B", width))
                for name in ("keys", "values")
            ),
        ),
        outputs=(
            logits,
            *(bundle.Tensor(name, "float32", (layers, "B", width)) for name in ("key", "value")),
        ),
        examples=halfway,
    )
    return prefill, step, *dvae.coding(trained, sizes.dvae)


def host(trained: Trained) -> Host:
    """A uniform draw decides each token."""
    coder = trained.sizes.dvae
    noise = bundle.Noise("noise", (coder.side**2,), "uniform")
    return Host(image_px=coder.image_px, noise=(noise,))


class Reading(nn.Module):
    """Captions to the logits of the first token, and to what later ones see of them."""

    def __init__(self, transformer: dalle.Transformer) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, kept = self.transformer.read(tokens)
        return logits, kept.key, kept.value


class GoingOn(nn.Module):
    """A token to the logits of the next one, and to what later ones see of it."""

    def __init__(self, transformer: dalle.Transformer) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(
        self,
        token: Tensor,
        place: Tensor,
        text_keys: Tensor,
        text_values: Tensor,
        keys: Tensor,
        values: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        caption, picture = dalle.Rows(text_keys, text_values), dalle.Rows(keys, values)
        logits, kept = self.transformer.go_on(token, place, caption, picture)
        return logits, kept.key, kept.value
