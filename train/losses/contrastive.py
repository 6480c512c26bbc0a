"""Contrast within a batch: each picture finds its own caption among all, and so the other way."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from t2i.train.losses import matching


def losses(logits: Tensor) -> dict[str, Tensor]:
    """Half of the cross-entropy either way.

    Args:
        logits: (N, N), pictures × captions; pair i belongs together.

    Source:
        CLIP, Radford et al. 2021, figure 3.
    """
    of_picture, of_caption = matching.both_ways(logits, None)
    return {"caption_of_picture": of_picture / 2, "picture_of_caption": of_caption / 2}


def gathered(features: Tensor) -> Tensor:
    """The rows of all processes, those of the first one first; just these where there is but one.

    The gradient flows back to the process that a row came from, summed over what all processes
    made of it. Where each computes the loss of the whole batch and gradients of weights are
    averaged, these become those of one process with the whole batch.

    Shapes:
        (B, E), B the same everywhere -> (processes · B, E)
    """
    if not (dist.is_available() and dist.is_initialized()):
        return features
    rows: Tensor = _Gathered.apply(features)
    return rows


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        parts = [torch.empty_like(features) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, features.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        summed = gradients[0].contiguous().clone()
        dist.all_reduce(summed)
        return summed.chunk(dist.get_world_size())[dist.get_rank()]
