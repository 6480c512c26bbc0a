"""Transformer blocks as CLIP has them, and the vision transformer that is made of them.

Source: CLIP, Radford et al. 2021, section 2.4; Dosovitskiy et al. 2021 for pictures cut in patches.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.runtime.errors import UsageError

HEAD_SIZE = 64
"""Channels of one attention head, at any width."""


def heads(width: int) -> int:
    """How many attention heads share so many channels.

    Raises:
        UsageError: they cannot be shared out.
    """
    count, rest = divmod(width, HEAD_SIZE)
    if rest or not count:
        raise UsageError(
            f"{width} channels make no heads of {HEAD_SIZE}",
            hint=f"take a multiple of {HEAD_SIZE} for the width",
        )
    return count


def attend(query: Tensor, key: Tensor, value: Tensor, *, causal: bool = False) -> Tensor:
    """Mix the values of each head, by how well their keys fit the query.

    Shapes:
        query (B, Q, C), key and value (B, T, C) -> (B, Q, C); `causal`: Q = T, and each token sees
        those before it and itself.
    """
    query, key, value = (
        each.unflatten(2, (-1, HEAD_SIZE)).transpose(1, 2) for each in (query, key, value)
    )
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=causal)
    return mixed.transpose(1, 2).flatten(2)


class QuickGelu(nn.Module):
    """x · sigmoid(1.702 x): near the Gaussian error linear unit, and neither of its usual forms."""

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden * torch.sigmoid(1.702 * hidden)


class SelfAttention(nn.Module):
    """Each token mixes what all tokens say, or those up to itself.

    Shapes:
        hidden (B, T, C) -> (B, T, C)

    Source: official name `attn`, torch's `MultiheadAttention`; the first weights are its.
    """

    def __init__(self, width: int, *, causal: bool) -> None:
        super().__init__()
        heads(width)
        self.causal = causal
        self.project = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.project.weight)
        for layer in (self.project, self.merge):
            nn.init.zeros_(layer.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.merge(attend(*self.project(hidden).chunk(3, dim=2), causal=self.causal))


class Block(nn.Module):
    """Add what attention finds, then what each token makes of it alone.

    Shapes:
        hidden (B, T, C) -> (B, T, C)

    Source: official name `ResidualAttentionBlock`.
    """

    def __init__(self, width: int, *, causal: bool) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, causal=causal)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), QuickGelu(), nn.Linear(4 * width, width)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = hidden + self.attention(self.attention_norm(hidden))
        return hidden + self.mlp(self.mlp_norm(hidden))


def blocks(width: int, layers: int, *, causal: bool) -> nn.Sequential:
    """Blocks one after another, as `block_names` calls their weights."""
    return nn.Sequential(*(Block(width, causal=causal) for _ in range(layers)))


class VisionTransformer(nn.Module):
    """See a picture as a sequence of patches, and sum it up in a token of its own.

    Shapes:
        images (B, 3, px, px), normalised -> (B, E)

    Source: official name `VisionTransformer`.
    """

    def __init__(self, px: int, patch_px: int, width: int, layers: int, size: int) -> None:
        super().__init__()
        if px % patch_px:
            raise UsageError(
                f"pictures of {px} px cannot be cut into patches of {patch_px}",
                hint="take a patch_px that divides image_px",
            )
        scale = width**-0.5
        places = (px // patch_px) ** 2
        self.stem = nn.Sequential(nn.Conv2d(3, width, patch_px, stride=patch_px, bias=False))
        self.summary = nn.Parameter(scale * torch.randn(width))
        self.positions = nn.Parameter(scale * torch.randn(1 + places, width))
        self.first_norm = nn.LayerNorm(width)
        self.blocks = blocks(width, layers, causal=False)
        self.last_norm = nn.LayerNorm(width)
        self.project = nn.Parameter(scale * torch.randn(width, size))

    def tokens(self, images: Tensor) -> Tensor:
        """The summary and the patches as the first block takes them: (B, 1 + places, C)."""
        patches = self.stem(images).flatten(2).transpose(1, 2)
        summary = self.summary.expand(patches.shape[0], 1, -1)
        return self.first_norm(torch.cat([summary, patches], dim=1) + self.positions)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.blocks(self.tokens(images))
        return self.last_norm(hidden[:, 0]) @ self.project


_BLOCK = {
    "ln_1": "attention_norm",
    "attn.in_proj_weight": "attention.project.weight",
    "attn.in_proj_bias": "attention.project.bias",
    "attn.out_proj": "attention.merge",
    "ln_2": "mlp_norm",
    "mlp.c_fc": "mlp.0",
    "mlp.c_proj": "mlp.2",
}


def block_names(official: str, ours: str, layers: int) -> dict[str, str]:
    """Official names in `transformer.resblocks` below one prefix -> ours below another."""
    return {
        f"{official}.{layer}.{name}": f"{ours}.{layer}.{own}"
        for layer in range(layers)
        for name, own in _BLOCK.items()
    }


NAMES = {
    "conv1": "stem.0",
    "class_embedding": "summary",
    "positional_embedding": "positions",
    "ln_pre": "first_norm",
    **block_names("transformer.resblocks", "blocks", layers=24),
    "ln_post": "last_norm",
    "proj": "project",
}
"""Names in the official vision transformer -> ours."""
