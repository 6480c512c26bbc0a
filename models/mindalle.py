"""min-dalle: a text encoder, and a decoder that tells the picture of what was read in tokens.

Source: DALL·E Mini, Dayma et al. 2021, whose weights people can get, as kuprel/min-dalle has it in
`min_dalle/models`. The order of encoder and decoder is that of BART, Lewis et al. 2020.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from t2i.models import vqgan
from t2i.models.blocks.normformer import Gated, Looking, Part, Rows

MOST_LAYERS = 24
"""Of the encoder, and of the decoder, in all published sizes."""


@dataclass(frozen=True)
class Settings:
    """Sizes of the networks; the defaults are those of the published "mini"."""

    vocabulary: int = 50_264
    """Token ids of captions."""
    end: int = 2
    """The one that ends a caption: what follows it is not read."""
    length: int = 64
    """Places of a caption."""
    layers: int = 12
    """Of the encoder, and of the decoder."""
    heads: int = 16
    width: int = 1024
    """Channels of a token."""
    gate_width: int = 2730
    """Channels of the gated layers in between."""
    image_vocabulary: int = 16_384
    """Token ids of pictures, some of which may stand for nothing; there is one more."""
    begin: int = 16_383
    """The token that begins a picture."""
    detoker: vqgan.Settings = field(default_factory=vqgan.Settings)
    """What the picture's tokens look like."""


MINI = Settings()
MEGA = Settings(
    vocabulary=50_272,
    layers=24,
    heads=32,
    width=2048,
    gate_width=4096,
    image_vocabulary=16_415,
)


class Layer(nn.Module):
    """A layer of the encoder. Source: official name `EncoderLayer`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.look = Looking(settings.width, settings.heads)
        self.gated = Gated(settings.width, settings.gate_width)

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        hidden, _ = self.look.at_each_other(hidden, bias)
        return hidden + self.gated(hidden)


class TellingLayer(nn.Module):
    """A layer of the decoder. Source: official name `DecoderLayer`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.look = Looking(settings.width, settings.heads)
        self.read = Looking(settings.width, settings.heads)
        self.gated = Gated(settings.width, settings.gate_width)

    def forward(
        self, hidden: Tensor, bias: Tensor | float, text: Part, before: Sequence[Part]
    ) -> tuple[Tensor, Rows]:
        """Tokens (B, Q, C), and what later ones see of them."""
        hidden, own = self.look.at_each_other(hidden, bias, before)
        hidden = self.read.at_text(hidden, text)
        return hidden + self.gated(hidden), own


class Encoder(nn.Module):
    """Read captions.

    Shapes:
        tokens (B, T), mask (B, T), 1 for a token and 0 for what is none -> (B, T, C)

    Source: official name `DalleBartEncoder`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.tokens = nn.Embedding(settings.vocabulary, settings.width)
        self.places = nn.Embedding(settings.length, settings.width)
        self.first_norm = nn.LayerNorm(settings.width)
        self.layers = nn.ModuleList(Layer(settings) for _ in range(settings.layers))
        self.last_norm = nn.LayerNorm(settings.width)
        self.end = settings.end
        self.apply(_initialise)

    def mask(self, tokens: Tensor) -> Tensor:
        """Which tokens (B, T) are read: up to the first end, 1 or 0."""
        ended = (tokens == self.end).int()
        return (ended.cumsum(dim=1) - ended == 0).float()

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        hidden = self.first_norm(self.tokens(tokens) + self.places.weight[: tokens.shape[1]])
        bias = mask.log()[:, None, None]
        for layer in self.layers:
            hidden = layer(hidden, bias)
        return self.last_norm(hidden)


class Caption(NamedTuple):
    """What the decoder sees of captions."""

    key: Tensor
    """(B, layers, heads, T, C / heads)."""
    value: Tensor
    """The same shape."""
    mask: Tensor
    """(B, T): 1 for a token, 0 for what is none. Between them a token weighs less."""

    def parts(self) -> list[Part]:
        """For each layer what it looks at."""
        bias = self.mask.log()[:, None, None]
        rows = zip(self.key.unbind(dim=1), self.value.unbind(dim=1), strict=True)
        return [Part(key, value, bias) for key, value in rows]


class Decoder(nn.Module):
    """Tell the tokens of a picture, each from those before it and from the caption.

    One token begins the picture, whose tokens follow row by row; the last is never read.

    Source: official name `DalleBartDecoder`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.tokens = nn.Embedding(settings.image_vocabulary + 1, settings.width)
        self.places = nn.Embedding(settings.detoker.side**2, settings.width)
        self.first_norm = nn.LayerNorm(settings.width)
        self.layers = nn.ModuleList(TellingLayer(settings) for _ in range(settings.layers))
        self.last_norm = nn.LayerNorm(settings.width)
        self.tell = nn.Linear(settings.width, settings.image_vocabulary + 1, bias=False)
        self.apply(_initialise)

    def caption(self, hidden: Tensor, mask: Tensor) -> Caption:
        """What is seen of captions (B, T, C), as the encoder gives them."""
        rows = [layer.read.attention.rows(hidden) for layer in self._layers]
        keys, values = (torch.stack(each, dim=1) for each in zip(*rows, strict=True))
        return Caption(keys, values, mask)

    def forward(self, codes: Tensor, caption: Caption) -> Tensor:
        """Logits of all tokens of pictures.

        Shapes:
            codes (B, side²) -> (B, side², image vocabulary + 1)
        """
        begin = torch.full_like(codes[:, :1], self.settings.begin)
        places = torch.arange(codes.shape[1], device=codes.device)
        bias = torch.where(places[:, None] >= places, 0.0, -torch.inf)
        tokens = torch.cat([begin, codes[:, :-1]], dim=1)
        return self._told(tokens, places, bias, caption, [()] * len(self.layers))[0]

    def begin(self, caption: Caption) -> tuple[Tensor, Rows]:
        """Logits of the picture's first token, and what later ones see of its beginning.

        Shapes:
            -> (B, image vocabulary + 1), (B, layers, C)
        """
        token = torch.full_like(caption.mask[:, :1], self.settings.begin, dtype=torch.int64)
        place = torch.zeros(1, dtype=torch.int64, device=token.device)
        logits, kept = self._told(token, place, 0.0, caption, [()] * len(self.layers))
        return logits[:, 0], Rows(*(torch.stack(each, dim=1) for each in kept))

    def go_on(
        self, token: Tensor, place: Tensor, caption: Caption, begun: Rows, picture: Rows
    ) -> tuple[Tensor, Rows]:
        """Logits of the token after this one, and what later ones see of it.

        Shapes:
            token (B,) at place (1,) of the picture, begun (B, layers, C) as `begin` gives it,
            picture (side², layers, B, C), never read from this place on
            -> (B, image vocabulary + 1), (layers, B, C)
        """
        places = torch.arange(self.settings.detoker.side**2, device=token.device)
        unseen = torch.where(places < place, 0.0, -torch.inf)
        before = [
            (
                Part(*(self._apart(each[:, layer, None]) for each in begun), 0.0),
                Part(*(self._apart(each[:, layer].transpose(0, 1)) for each in picture), unseen),
            )
            for layer in range(len(self.layers))
        ]
        logits, kept = self._told(token[:, None], place + 1, 0.0, caption, before)
        return logits[:, 0], Rows(*(torch.stack(each) for each in kept))

    def _told(
        self,
        tokens: Tensor,
        places: Tensor,
        bias: Tensor | float,
        caption: Caption,
        before: Sequence[Sequence[Part]],
    ) -> tuple[Tensor, tuple[list[Tensor], list[Tensor]]]:
        """Logits after tokens (B, Q) at places (Q,), counted with the beginning; and the keys and
        values of each layer, heads side by side, of the first of them: (B, C)."""
        hidden = self.first_norm(self.tokens(tokens) + self.places(places))
        keys, values = [], []
        for layer, text, seen in zip(self._layers, caption.parts(), before, strict=True):
            hidden, own = layer(hidden, bias, text, seen)
            keys.append(own.key[:, :, 0].flatten(1))
            values.append(own.value[:, :, 0].flatten(1))
        return self.tell(self.last_norm(hidden)), (keys, values)

    def _apart(self, rows: Tensor) -> Tensor:
        """As attention has them: (B, T, C) -> (B, heads, T, C / heads)."""
        return self._layers[0].look.attention.apart(rows)

    @property
    def _layers(self) -> list[TellingLayer]:
        return [layer for layer in self.layers if isinstance(layer, TellingLayer)]


def _initialise(layer: nn.Module) -> None:
    """As BART. Source: dalle-mini's `init_std`."""
    if isinstance(layer, (nn.Linear, nn.Embedding)):
        nn.init.normal_(layer.weight, std=0.02)


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix."""
    return {
        "encoder": Encoder(settings),
        "decoder": Decoder(settings),
        "detoker": vqgan.Detoker(settings.detoker),
    }


_ENDS = {
    "embed_tokens": "tokens",
    "embed_positions": "places",
    "layernorm_embedding": "first_norm",
    "final_ln": "last_norm",
}
_GLU = {
    "ln0": "first_norm",
    "fc0": "gate",
    "fc1": "grow",
    "ln1": "last_norm",
    "fc2": "merge",
}
_ATTENTION = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "merge"}


def _looking(official: str, ours: str) -> dict[str, str]:
    return {
        f"pre_{official}_layer_norm": f"{ours}.first_norm",
        **{f"{official}.{name}": f"{ours}.attention.{own}" for name, own in _ATTENTION.items()},
        f"{official}_layer_norm": f"{ours}.last_norm",
    }


def _layers(inside: dict[str, str]) -> dict[str, str]:
    gated = {f"glu.{name}": f"gated.{own}" for name, own in _GLU.items()}
    return {
        f"layers.{layer}.{name}": f"layers.{layer}.{own}"
        for layer in range(MOST_LAYERS)
        for name, own in {**inside, **gated}.items()
    }


_SELF, _TEXT = _looking("self_attn", "look"), _looking("encoder_attn", "read")
RENAMES = {
    "encoder": {**_ENDS, **_layers(_SELF)},
    "decoder": {**_ENDS, "lm_head": "tell", **_layers({**_SELF, **_TEXT})},
    "detoker": vqgan.NAMES,
}
"""Names in `encoder.pt`, `decoder.pt` and `detoker.pt` -> ours."""
