"""DAMSM: how well pictures and captions match, word by word and as a whole.

Every function compares M pictures with N captions, all pairs at once.

Source:
    AttnGAN, Xu et al. 2018, section 3.2. Where paper and official code differ, the code is
    followed: γ1 = 4, and the sum over words in equation 10 is not raised to 1/γ2.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

TINY = 1e-8  # floor of the product of norms in a cosine


@dataclass(frozen=True)
class Sharpness:
    """The three temperatures of the matching score."""

    regions: float = 4.0
    """γ1: how much a word's attention concentrates on its best regions."""
    words: float = 5.0
    """γ2: how much the best words outweigh the others."""
    pairs: float = 10.0
    """γ3: how much the best pairs outweigh the others."""


@dataclass(frozen=True)
class Views:
    """One batch as both encoders see it: pictures M, captions N."""

    regions: Tensor
    """(M, E, R, R): local features of the pictures."""
    code: Tensor
    """(M, E): each picture as a whole."""
    words: Tensor
    """(N, E, T)"""
    sentence: Tensor
    """(N, E): each caption as a whole."""
    mask: Tensor
    """(N, T) bool, True where a word stands."""


def attend(words: Tensor, regions: Tensor, mask: Tensor, sharpness: float) -> tuple[Tensor, Tensor]:
    """For each word the mean of the regions it attends to, over all pairs.

    The scores pass two softmaxes: over words for each region, then over regions for each word.

    Shapes:
        words (N, E, T), regions (M, E, R, R), mask (N, T)
        -> context (M, N, E, T), attention (M, N, T, R, R)

    Source:
        Equations 7 to 9; official name `func_attention`.
    """
    flat = regions.flatten(2)
    scores = torch.einsum("mer,net->mnrt", flat, words)
    scores = scores.masked_fill(~mask[None, :, None], float("-inf")).softmax(dim=3)
    attention = (sharpness * scores).softmax(dim=2)
    context = torch.einsum("mer,mnrt->mnet", flat, attention)
    return context, attention.transpose(2, 3).unflatten(3, regions.shape[2:])


def word_scores(views: Views, sharpness: Sharpness) -> Tensor:
    """Log-sum-exp of the cosines between each word and its context: (M, N).

    Source:
        Equation 10, times γ3.
    """
    context, _ = attend(views.words, views.regions, views.mask, sharpness.regions)
    dot = torch.einsum("mnet,net->mnt", context, views.words)
    norms = context.norm(dim=2) * views.words.norm(dim=1)
    cosine = dot / norms.clamp(min=TINY)
    weighted = (sharpness.words * cosine).masked_fill(~views.mask, float("-inf"))
    return sharpness.pairs * weighted.logsumexp(dim=2)


def sentence_scores(views: Views, sharpness: Sharpness) -> Tensor:
    """Cosine between each picture's code and each sentence, times γ3: (M, N)."""
    norms = views.code.norm(dim=1)[:, None] * views.sentence.norm(dim=1)
    return sharpness.pairs * (views.code @ views.sentence.T) / norms.clamp(min=TINY)


def both_ways(scores: Tensor, classes: Tensor | None) -> tuple[Tensor, Tensor]:
    """Cross-entropy of finding the own caption among all, and the own picture among all.

    Args:
        scores: (B, B), pictures × captions; pair i belongs together.
        classes: (B,) class numbers, or None. Other pairs of one class are left out: a caption may
            fit another picture of its class as well.

    Source:
        Equations 11 to 13; official names `words_loss`, `sent_loss`.
    """
    own = torch.arange(len(scores), device=scores.device)
    if classes is not None:
        alike = (classes[:, None] == classes) & (own[:, None] != own)
        scores = scores.masked_fill(alike, float("-inf"))
    return F.cross_entropy(scores, own), F.cross_entropy(scores.T, own)


def losses(views: Views, classes: Tensor | None, sharpness: Sharpness) -> dict[str, Tensor]:
    """The four terms of the DAMSM loss by name."""
    by_word = both_ways(word_scores(views, sharpness), classes)
    by_sentence = both_ways(sentence_scores(views, sharpness), classes)
    return {
        "words_of_picture": by_word[0],
        "picture_of_words": by_word[1],
        "sentence_of_picture": by_sentence[0],
        "picture_of_sentence": by_sentence[1],
    }
