"""Structured joint embedding: what belongs together scores higher than the rest, by a margin."""

import torch
from torch import Tensor

MARGIN = 1.0


def structured(codes: Tensor, sentences: Tensor, classes: Tensor | None) -> dict[str, Tensor]:
    """How far other captions come within the margin of a picture's own, and the other way round.

    A score is the inner product. Both terms are means over all B² pairs, own ones included.

    Args:
        codes, sentences: (B, E), of pictures and captions; pair i belongs together.
        classes: (B,) class numbers, or None. Other pairs of one class count as nothing: a caption
            may fit another picture of its class as well.

    Source:
        char-CNN-RNN, Reed et al., CVPR 2016, section 3; official name `JointEmbeddingLoss`, whose
        batches hold no class twice.
    """
    scores = codes @ sentences.T
    own = scores.diagonal()
    if classes is None:
        classes = torch.arange(len(scores), device=scores.device)
    others = classes[:, None] != classes
    return {
        "caption_of_picture": ((MARGIN + scores - own[:, None]).clamp(min=0) * others).mean(),
        "picture_of_caption": ((MARGIN + scores - own).clamp(min=0) * others).mean(),
    }
