"""DALL-E's bundle: a caption is read once, tokens follow one by one, and make a picture at last."""

import torch
from torch import Tensor, nn

from t2i.export import dvae
from t2i.export.plan import TOKENS, Captions, Host, Plan, Tensors, captions, draws
from t2i.export.trained import Trained
from t2i.models import dalle
from t2i.models.encoders.transformer import HEAD_SIZE
from t2i.runtime import bundle


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Four graphs: the two of the transformer, and the two of its dVAE."""
    sizes: dalle.Settings = trained.sizes
    transformer = trained.networks["transformer"]
    assert isinstance(transformer, dalle.Transformer)
    prefill = _prefill(trained, transformer)
    cache = (sizes.dvae.side**2, sizes.layers, "B", sizes.width)
    step = stepping(prefill, GoingOn(transformer), cache, sizes.dvae.codes)
    return prefill, step, *dvae.coding(trained, sizes.dvae)


def _prefill(trained: Trained, transformer: dalle.Transformer) -> Plan:
    sizes = transformer.settings
    heads = sizes.width // HEAD_SIZE
    read = ("B", sizes.layers, heads, sizes.length + 1, HEAD_SIZE)

    def tokens(batch: int, kind: Captions) -> Tensors:
        """Each ends with the last id, and begins with the one before it."""
        ids = ended(trained, batch, kind, sizes.vocabulary - 1)
        ids[:, 0] = sizes.vocabulary - 2
        return {"tokens": ids}

    return Plan(
        "prefill",
        Reading(transformer),
        inputs=(TOKENS,),
        outputs=(
            bundle.Tensor("logits", "float32", ("B", sizes.dvae.codes)),
            bundle.Tensor("text_keys", "float32", read),
            bundle.Tensor("text_values", "float32", read),
        ),
        examples=tokens,
    )


def ended(trained: Trained, batch: int, kind: Captions, end: int) -> Tensor:
    """Captions as examples have them, each with this token for its last."""
    ids = captions(trained, batch, kind)
    last = (ids > 0).sum(dim=1, keepdim=True) - 1
    return ids.scatter(1, last, end)


def stepping(
    prefill: Plan, module: nn.Module, cache: tuple[int, int, str, int], codes: int
) -> Plan:
    """The graph that goes on with a picture, token by token.

    Args:
        module: takes a token, its place, what `prefill` gives but for logits, keys and values.
        cache: shape of the keys, and of the values: tokens of a picture, layers, B, channels.
        codes: how many tokens there are.
    """
    count, layers, _, width = cache
    logits, *caption = prefill.outputs

    def rows(batch: int, stream: int) -> Tensor:
        """Of quarters, which lie well packed in a proof."""
        drawn = (4 * draws(batch, count * layers * width, stream)).round() / 4
        return drawn.reshape(batch, count, layers, width).movedim(0, 2).contiguous()

    def halfway(batch: int, kind: Captions) -> Tensors:
        """At the beginning, in the middle, and near the end of a picture."""
        _, *read = prefill.module(*prefill.examples(batch, kind).values())
        dice = torch.Generator().manual_seed(batch)
        return {
            "token": torch.randint(0, codes, (batch,), generator=dice),
            "place": torch.tensor([{1: 0, 2: count // 2}.get(batch, count - 2)]),
            **dict(zip((each.name for each in caption), read, strict=True)),
            "keys": rows(batch, stream=5),
            "values": rows(batch, stream=6),
        }

    row = (layers, "B", width)
    return Plan(
        "step",
        module,
        inputs=(
            bundle.Tensor("token", "int64", ("B",), (0.0, codes - 1.0)),
            bundle.Tensor("place", "int64", (1,), (0.0, count - 1.0)),
            *caption,
            bundle.Tensor("keys", "float32", cache),
            bundle.Tensor("values", "float32", cache),
        ),
        outputs=(
            logits,
            bundle.Tensor("key", "float32", row),
            bundle.Tensor("value", "float32", row),
        ),
        examples=halfway,
    )


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
