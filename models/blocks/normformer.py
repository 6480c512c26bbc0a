"""Blocks of a transformer whose attention lies between two norms, and whose tokens gate themselves.

Source: NormFormer, Shleifer et al. 2021; GLU, Shazeer 2020; as kuprel/min-dalle has them in
`min_dalle/models/dalle_bart_encoder.py`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from t2i.runtime.errors import UsageError


class Rows(NamedTuple):
    """Keys and values."""

    key: Tensor
    value: Tensor


class Part(NamedTuple):
    """Some of what attention may look at."""

    key: Tensor
    """(B, heads, T, C / heads)."""
    value: Tensor
    """The same shape."""
    bias: Tensor | float
    """Added to how well a key fits, −∞ for what is not there; broadcasts to (B, heads, Q, T)."""


class Attention(nn.Module):
    """Each token mixes what the tokens say that it may look at.

    Source: official name `AttentionBase`.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise UsageError(
                f"{width} channels cannot be shared by {heads} heads",
                hint=f"take a multiple of {heads} for the width",
            )
        self.heads = heads
        self.query, self.key, self.value, self.merge = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )

    def rows(self, hidden: Tensor) -> Rows:
        """What can be seen of tokens (B, T, C): (B, heads, T, C / heads) each."""
        return Rows(self.apart(self.key(hidden)), self.apart(self.value(hidden)))

    def forward(self, hidden: Tensor, parts: Sequence[Part]) -> Tensor:
        """Tokens (B, Q, C) that look at all parts, in one softmax -> (B, Q, C)."""
        query = self.apart(self.query(hidden))
        query = query / query.shape[-1] ** 0.5
        scores = [query @ part.key.transpose(2, 3) + part.bias for part in parts]
        lengths = [part.key.shape[2] for part in parts]
        shares = torch.cat(scores, dim=3).softmax(dim=3).split(lengths, dim=3)
        mixed = [share @ part.value for share, part in zip(shares, parts, strict=True)]
        return self.merge(torch.stack(mixed).sum(dim=0).transpose(1, 2).flatten(2))

    def apart(self, hidden: Tensor) -> Tensor:
        """Heads by themselves: (B, T, C) -> (B, heads, T, C / heads)."""
        return hidden.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Gated(nn.Module):
    """What each token makes of itself alone, half of which gates the other half.

    Shapes:
        hidden (B, T, C) -> (B, T, C)

    Source: official name `GLU`.
    """

    def __init__(self, width: int, inside: int) -> None:
        super().__init__()
        self.first_norm = nn.LayerNorm(width)
        self.gate = nn.Linear(width, inside, bias=False)
        self.grow = nn.Linear(width, inside, bias=False)
        self.last_norm = nn.LayerNorm(inside)
        self.merge = nn.Linear(inside, width, bias=False)
        self.gelu = nn.GELU()

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = self.first_norm(hidden)
        return self.merge(self.last_norm(self.gelu(self.gate(hidden)) * self.grow(hidden)))


class Looking(nn.Module):
    """Attention between two norms, which each token adds to itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.first_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.last_norm = nn.LayerNorm(width)

    def at_text(self, hidden: Tensor, text: Part) -> Tensor:
        """Tokens (B, Q, C) that look at a caption."""
        return self._added(hidden, self.first_norm(hidden), [text])

    def at_each_other(
        self, hidden: Tensor, bias: Tensor | float, before: Sequence[Part] = ()
    ) -> tuple[Tensor, Rows]:
        """Tokens (B, Q, C) that look at each other, and at those before them; and what later ones
        see of them."""
        normal = self.first_norm(hidden)
        own = self.attention.rows(normal)
        return self._added(hidden, normal, [*before, Part(*own, bias)]), own

    def _added(self, hidden: Tensor, normal: Tensor, parts: Sequence[Part]) -> Tensor:
        return hidden + self.last_norm(self.attention(normal, parts))
