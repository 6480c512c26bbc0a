"""From every place in a picture to the words of its caption."""

from typing import NamedTuple

from torch import Tensor, nn


class Attended(NamedTuple):
    """Where the words went: the mixture each place took, and the shares it is made of."""

    context: Tensor
    attention: Tensor


class WordAttention(nn.Module):
    """Give each place of a hidden map a mixture of the caption's words.

    Shapes:
        hidden (B, C, H, W), words (B, E, T), mask bool that broadcasts to (B, H·W, T), True = a
        word -> context (B, C, H, W), attention (B, T, H, W), whose shares sum to 1 over T.

    Source:
        AttnGAN, Xu et al. 2018, section 3.1. Official name: `GlobalAttentionGeneral`, whose
        batches pair places with the masks of other captions; see the card.
    """

    def __init__(self, hidden_size: int, text_size: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(text_size, hidden_size, 1, bias=False)

    def forward(self, hidden: Tensor, words: Tensor, mask: Tensor) -> Attended:
        projected = self.project(words.unsqueeze(3)).squeeze(3)  # (B, C, T)
        logits = hidden.flatten(2).transpose(1, 2) @ projected  # (B, H·W, T)
        shares = logits.masked_fill(~mask, float("-inf")).softmax(dim=2).transpose(1, 2)
        height, width = hidden.shape[2:]
        return Attended(
            context=(projected @ shares).unflatten(2, (height, width)),
            attention=shares.unflatten(2, (height, width)),
        )
