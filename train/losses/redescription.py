"""Whether a picture can be told back in the words of its caption."""

import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, tokens: Tensor, *, ends: bool) -> Tensor:
    """Cross-entropy of the words of captions, each after the words before it; a mean over all
    words of the batch, so long captions count more.

    Args:
        logits: (B, T + 1, V); those at place t are of the word that follows t words.
        tokens: (B, T); 0 after the end of a caption.
        ends: after its last word, a caption is to end: the word 0.

    Source:
        MirrorGAN, Qiao et al. 2019, section 3.3; official name `caption_loss`, of packed captions.
    """
    wanted = F.pad(tokens, (0, 1))
    said = tokens != 0
    said = F.pad(said, (1, 0), value=True) if ends else F.pad(said, (0, 1), value=False)
    return F.cross_entropy(logits[said], wanted[said])
