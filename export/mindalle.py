"""min-dalle's bundle: a caption is read once, tokens follow one by one, and make a picture at last.

Its network that spells pictures in tokens was not published: there is no graph of it.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from t2i.export import dvae
from t2i.export.dalle import ended, stepping
from t2i.export.plan import TOKENS, Captions, Host, Plan, Tensors
from t2i.export.trained import Trained
from t2i.models import mindalle, vqgan
from t2i.models.blocks.normformer import Rows
from t2i.runtime import bundle


def plans(trained: Trained) -> tuple[Plan, ...]:
    """Three graphs."""
    sizes: mindalle.Settings = trained.sizes
    encoder, decoder, detoker = (
        trained.networks[name] for name in ("encoder", "decoder", "detoker")
    )
    assert isinstance(encoder, mindalle.Encoder)
    assert isinstance(decoder, mindalle.Decoder)
    assert isinstance(detoker, vqgan.Detoker)
    prefill = _prefill(trained, encoder, decoder)
    cache = (sizes.detoker.side**2, sizes.layers, "B", sizes.width)
    step = stepping(prefill, GoingOn(decoder), cache, sizes.detoker.codes)
    return prefill, step, dvae.drawing(detoker, sizes.detoker)


def _prefill(trained: Trained, encoder: mindalle.Encoder, decoder: mindalle.Decoder) -> Plan:
    sizes = decoder.settings
    read = ("B", sizes.layers, sizes.heads, sizes.length, sizes.width // sizes.heads)
    begun = ("B", sizes.layers, sizes.width)

    def tokens(batch: int, kind: Captions) -> Tensors:
        return {"tokens": ended(trained, batch, kind, sizes.end)}

    return Plan(
        "prefill",
        Reading(encoder, decoder),
        inputs=(TOKENS,),
        outputs=(
            bundle.Tensor("logits", "float32", ("B", sizes.detoker.codes)),
            bundle.Tensor("text_keys", "float32", read),
            bundle.Tensor("text_values", "float32", read),
            bundle.Tensor("text_mask", "float32", ("B", sizes.length), (0.0, 1.0)),
            bundle.Tensor("begin_keys", "float32", begun),
            bundle.Tensor("begin_values", "float32", begun),
        ),
        examples=tokens,
    )


def host(trained: Trained) -> Host:
    """A uniform draw decides each token; pixels are cut to whole levels as official code does."""
    detoker = trained.sizes.detoker
    noise = bundle.Noise("noise", (detoker.side**2,), "uniform")
    return Host(image_px=detoker.image_px, noise=(noise,), pixels="truncate")


class Reading(nn.Module):
    """Captions to the logits of the first token, and to what later ones see."""

    def __init__(self, encoder: mindalle.Encoder, decoder: mindalle.Decoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, tokens: Tensor) -> tuple[Tensor, ...]:
        sizes = self.decoder.settings
        mask = self.encoder.mask(tokens)
        caption = self.decoder.caption(self.encoder(tokens, mask), mask)
        logits, begun = self.decoder.begin(caption)
        room = sizes.length - tokens.shape[1]
        key, value = (F.pad(each, (0, 0, 0, room)) for each in (caption.key, caption.value))
        return logits[:, : sizes.detoker.codes], key, value, F.pad(mask, (0, room)), *begun


class GoingOn(nn.Module):
    """A token to the logits of the next one, and to what later ones see of it.

    Only tokens that stand for something are told: official code looks at no others.
    """

    def __init__(self, decoder: mindalle.Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self,
        token: Tensor,
        place: Tensor,
        text_keys: Tensor,
        text_values: Tensor,
        text_mask: Tensor,
        begin_keys: Tensor,
        begin_values: Tensor,
        keys: Tensor,
        values: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        caption = mindalle.Caption(text_keys, text_values, text_mask)
        begun, picture = Rows(begin_keys, begin_values), Rows(keys, values)
        logits, kept = self.decoder.go_on(token, place, caption, begun, picture)
        return logits[:, : self.decoder.settings.detoker.codes], kept.key, kept.value
