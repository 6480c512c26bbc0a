"""DALL-E: a transformer that goes on with a caption in tokens of its picture.

Source: Ramesh et al., ICML 2021 (arXiv 2102.12092), section 2.2 and appendix B. The transformer
itself was never published, neither code nor weights.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import dvae as coders
from t2i.models.encoders.transformer import HEAD_SIZE, attend, heads

Kind = Literal["row", "column", "convolution"]
REACH = 5
"""How far a convolutional layer sees to each side: half of its 11 x 11 neighbourhood."""


@dataclass(frozen=True)
class Settings:
    """Sizes of the networks; the defaults are the paper's."""

    vocabulary: int
    """Token ids of captions; the last two begin and end one."""
    length: int = 256
    """Places of a caption, its beginning included."""
    layers: int = 64
    width: int = 3968
    """Channels of a token, in heads of 64."""
    dvae: coders.Settings = field(default_factory=coders.Settings)
    """What the picture's tokens are."""


def kinds(layers: int) -> tuple[Kind, ...]:
    """What each layer sees of the picture: one column layer among four, the last convolutional.

    Source: appendix B.1: layer i of 1 … n − 1 is a column layer if (i − 2) mod 4 = 0.
    """
    most: list[Kind] = ["row" if place % 4 != 1 else "column" for place in range(layers - 1)]
    return (*most, "convolution")


def offsets(kind: Kind, side: int) -> list[int]:
    """How far back, row by row, the tokens lie that a picture's token sees; 0 is itself.

    Row layers see as far as the token above, across the end of a row; column layers what is above;
    convolutional ones what came before in the neighbourhood, wrapped round the ends of rows.

    Source: figure 11.
    """
    seen: dict[Kind, set[int]] = {
        "row": set(range(side + 1)),
        "column": {side * up for up in range(side)},
        "convolution": {
            side * up - right for up in range(REACH + 1) for right in range(-REACH, REACH + 1)
        },
    }
    return sorted(each for each in seen[kind] if 0 <= each < side**2)


def mask(kind: Kind, length: int, side: int) -> Tensor:
    """Who sees whom: (S, S), true where row sees column.

    The places are those of the caption, one that begins the picture, and the picture's tokens but
    the last: S = length + side². All see what came before them in the caption.
    """
    places = torch.arange(length + side**2)
    back = places[:, None] - places
    in_picture = (places[:, None] > length) & (places > length)
    return (back >= 0) & (~in_picture | torch.isin(back, torch.tensor(offsets(kind, side))))


class Rows(NamedTuple):
    """Keys and values, as a cache holds them."""

    key: Tensor
    value: Tensor


class Block(nn.Module):
    """Add what attention finds, then what each token makes of it alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def projected(self, hidden: Tensor) -> tuple[Tensor, ...]:
        """Query, key and value of each token, (…, C) each."""
        return self.project(self.attention_norm(hidden)).chunk(3, dim=-1)

    def added(self, hidden: Tensor, found: Tensor) -> Tensor:
        """What becomes of a token (…, C), once attention has found something for it."""
        hidden = hidden + self.merge(found)
        return hidden + self.mlp(self.mlp_norm(hidden))

    def forward(self, hidden: Tensor, seen: Tensor) -> Tensor:
        """Tokens (B, S, C) that see each other as the mask (S, S) says."""
        query, key, value = map(apart, self.projected(hidden))
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        return self.added(hidden, found.transpose(1, 2).flatten(2))


def apart(hidden: Tensor) -> Tensor:
    """Heads by themselves: (B, S, C) -> (B, heads, S, C / heads)."""
    return hidden.unflatten(-1, (-1, HEAD_SIZE)).transpose(-3, -2)


class Transformer(nn.Module):
    """Captions and their pictures in one stream, each token foretold by those before it.

    A caption begins with its first token; its end and all that follows are tokens of no meaning, a
    learnt one for each place. Then one token begins the picture, whose tokens follow row by row.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        heads(settings.width)
        self.settings = settings
        width, side = settings.width, settings.dvae.side
        texts = settings.vocabulary + settings.length
        self.text = nn.Embedding(texts, width)
        self.places = nn.Parameter(torch.empty(settings.length, width))
        self.begin = nn.Parameter(torch.empty(width))
        self.image = nn.Embedding(settings.dvae.codes, width)
        self.rows = nn.Parameter(torch.empty(side, 1, width))
        self.columns = nn.Parameter(torch.empty(side, width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(settings.layers))
        self.kinds = kinds(settings.layers)
        self.last_norm = nn.LayerNorm(width)
        self.tell_text = nn.Linear(width, texts)
        self.tell_image = nn.Linear(width, settings.dvae.codes)
        self._initialise()

    def spoken(self, tokens: Tensor) -> Tensor:
        """Captions (B, T) as they stand in the stream: (B, length), all places filled."""
        length, vocabulary = self.settings.length, self.settings.vocabulary
        tokens = F.pad(tokens, (0, length - tokens.shape[1]))
        ended = (tokens == vocabulary - 1).int().cumsum(dim=1) > 0
        return torch.where(ended, vocabulary + torch.arange(length, device=tokens.device), tokens)

    def forward(self, tokens: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the caption from its second place on, and of all of the picture.

        Shapes:
            tokens (B, T), codes (B, side²) -> (B, length − 1, texts), (B, side², codes)
        """
        length, side = self.settings.length, self.settings.dvae.side
        picture = self._placed(codes)[:, :-1]
        hidden = torch.cat([self._caption(tokens), picture], dim=1)
        masks = {
            kind: mask(kind, length, side).to(tokens.device) for kind in dict.fromkeys(self.kinds)
        }
        for kind, block in zip(self.kinds, self.blocks, strict=True):
            hidden = block(hidden, masks[kind])
        hidden = self.last_norm(hidden)
        return self.tell_text(hidden[:, : length - 1]), self.tell_image(hidden[:, length:])

    def read(self, tokens: Tensor) -> tuple[Tensor, Rows]:
        """Logits of the picture's first token, and what later ones see of captions (B, T).

        Shapes:
            -> (B, codes), key and value (B, layers, heads, length + 1, 64)
        """
        hidden = self._caption(tokens)
        kept = []
        for block in self.blocks:
            assert isinstance(block, Block)
            query, key, value = block.projected(hidden)
            kept.append((apart(key), apart(value)))
            hidden = block.added(hidden, attend(query, key, value, causal=True))
        keys, values = (torch.stack(each, dim=1) for each in zip(*kept, strict=True))
        return self.tell_image(self.last_norm(hidden[:, -1])), Rows(keys, values)

    def go_on(
        self, token: Tensor, place: Tensor, caption: Rows, picture: Rows
    ) -> tuple[Tensor, Rows]:
        """Logits of the token after this one, and what later ones see of it.

        Only what a layer can see is looked up in the picture; what stands there from this place on
        is never read.

        Shapes:
            token (B,) at place (1,) of the picture, caption as `read` gives it,
            picture (side², layers, B, C) -> (B, codes), (layers, B, C)
        """
        side, layers = self.settings.dvae.side, len(self.blocks)
        seen = {}
        for kind in dict.fromkeys(self.kinds):
            before = place - torch.tensor(offsets(kind, side)[1:], device=token.device)
            seen[kind] = before.clamp(min=0), torch.where(before < 0, -torch.inf, 0.0)
        where = (self.rows + self.columns).flatten(0, 1)
        hidden = self.image(token) + where.index_select(0, place)
        flat = Rows(*(each.flatten(0, 1) for each in picture))
        kept = []
        for layer, (kind, block) in enumerate(zip(self.kinds, self.blocks, strict=True)):
            assert isinstance(block, Block)
            query, key, value = block.projected(hidden)
            before, unseen = seen[kind]
            found = look_up(
                query,
                Rows(key, value),
                Rows(*(each[:, layer] for each in caption)),
                Rows(*(each.index_select(0, before * layers + layer) for each in flat)),
                unseen,
            )
            kept.append((key, value))
            hidden = block.added(hidden, found)
        keys, values = (torch.stack(each) for each in zip(*kept, strict=True))
        return self.tell_image(self.last_norm(hidden)), Rows(keys, values)

    def _caption(self, tokens: Tensor) -> Tensor:
        """Captions as the first layer takes them, and the token that begins the picture."""
        hidden = self.text(self.spoken(tokens)) + self.places
        return torch.cat([hidden, self.begin.expand(tokens.shape[0], 1, -1)], dim=1)

    def _placed(self, codes: Tensor) -> Tensor:
        return self.image(codes) + (self.rows + self.columns).flatten(0, 1)

    def _initialise(self) -> None:
        """As CLIP, of the same authors and year: the paper does not say."""
        width = self.settings.width
        last = (2 * width * len(self.blocks)) ** -0.5
        scales = {"merge": last, "mlp.0": (2 * width) ** -0.5, "mlp.2": last}
        for name, layer in self.named_modules():
            if isinstance(layer, nn.Linear):
                end = next((end for end in scales if name.endswith(end)), "")
                nn.init.normal_(layer.weight, std=scales.get(end, width**-0.5))
                nn.init.zeros_(layer.bias)
        for table in (self.text.weight, self.image.weight):
            nn.init.normal_(table, std=0.02)
        for places in (self.places, self.begin, self.rows, self.columns):
            nn.init.normal_(places, std=0.01)


def look_up(query: Tensor, own: Rows, caption: Rows, picture: Rows, unseen: Tensor) -> Tensor:
    """Attention of one token a caption: one softmax over caption, picture and itself.

    Shapes:
        query and own (B, C), caption (B, heads, length + 1, 64), picture (n, B, C), unseen (n,),
        0 or −∞ -> (B, C)
    """
    q, k, v = (each.unflatten(1, (-1, HEAD_SIZE)) for each in (query, *own))
    q = q * HEAD_SIZE**-0.5
    keys, values = (apart(each.transpose(0, 1)) for each in picture)
    scores = torch.cat(
        [
            caption.key @ q[..., None],
            keys @ q[..., None] + unseen[:, None],
            (k * q).sum(dim=2, keepdim=True)[..., None],
        ],
        dim=2,
    )
    read = caption.key.shape[2]
    shares = scores.softmax(dim=2).transpose(2, 3)
    found = shares[..., :read] @ caption.value + shares[..., read:-1] @ values
    return (found.squeeze(2) + shares[:, :, 0, -1:] * v).flatten(1)


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix."""
    return {"transformer": Transformer(settings), **coders.networks(settings.dvae)}


_NAMES = ("text", "places", "begin", "image", "rows", "columns", "blocks", "last_norm")
RENAMES = {
    "transformer": {name: name for name in (*_NAMES, "tell_text", "tell_image")},
    **coders.RENAMES,
}
"""Names in the official dVAE -> ours; the transformer was never published: its names are ours."""
