"""Bidirectional ranking: pictures and sentences rank what is theirs above the rest, by a margin."""

import torch
from torch import Tensor


def both_ways(codes: Tensor, sentences: Tensor, margin: float) -> dict[str, Tensor]:
    """How far other sentences come within the margin of a picture's own, and the other way round.

    A score is the inner product. Unlike `embedding.structured` these are sums over all pairs that
    do not belong together, not means, and classes play no part.

    Shapes:
        codes, sentences (B, D), of length 1; pair i belongs together -> () each

    Source:
        HDGAN, Zhang et al. 2018, visual-semantic similarity, after Kiros et al. 2014; official name
        `PairwiseRankingLoss`.
    """
    scores = codes @ sentences.T
    own = scores.diagonal()
    others = ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    return {
        "sentence_of_picture": ((margin + scores - own[:, None]).clamp(min=0) * others).sum(),
        "picture_of_sentence": ((margin + scores - own).clamp(min=0) * others).sum(),
    }
