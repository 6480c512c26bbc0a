"""ControlGAN: words weigh places and channels, and a critic tells which words a picture shows.

Source: Li et al., NeurIPS 2019 (arXiv 1909.07083). Official code: mrlibw/ControlGAN.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import attngan
from t2i.models.blocks.attention import Attended, WordAttention
from t2i.models.blocks.convolution import Residual, up

REGIONS, WORDS = 4.0, 5.0
"""γ1 and γ2: how much a word's attention concentrates on its best regions, and how much the best
words outweigh the others."""


@dataclass(frozen=True)
class Settings(attngan.Settings):
    """Sizes of all networks; the defaults are the paper's for CUB."""

    channel_attention: bool = True
    """Later stages let words weigh the channels too; without, they are AttnGAN's."""


class ChannelAttention(nn.Module):
    """Give each channel a mixture of the caption's words, spelt out place by place.

    A word is projected to as many numbers as the map has places, so that its weights fit maps of
    one size alone.

    Shapes:
        context (B, C, H, W), words (B, E, T), mask bool that broadcasts to (B, C, T), True = a
        word -> context (B, C, H, W), attention (B, T, C), whose shares sum to 1 over T.

    Source:
        ControlGAN, section 3.2, as the official code has it: what is attended from is the outcome
        of the spatial attention, not the hidden map. Official name: `ChannelAttention`, which has
        no mask; see the card.
    """

    def __init__(self, places: int, text_size: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(text_size, places, 1, bias=False)

    def forward(self, context: Tensor, words: Tensor, mask: Tensor) -> Attended:
        projected = self.project(words.unsqueeze(3)).squeeze(3)  # (B, H·W, T)
        logits = context.flatten(2) @ projected  # (B, C, T)
        shares = logits.masked_fill(~mask, float("-inf")).softmax(dim=2).transpose(1, 2)
        weighed = (projected @ shares).transpose(1, 2).unflatten(2, context.shape[2:])
        return Attended(weighed, shares)


class RefiningStage(nn.Module):
    """Look at the words from each place and each channel, and draw the map at twice its size.

    `mask` (bool, True = a word) is (B, 1, T): a caption's, for all places and channels.

    Source: official name `NEXT_STAGE_G`, whose condition is passed in but unused.
    """

    def __init__(self, settings: Settings, px: int) -> None:
        super().__init__()
        width = settings.generator_width
        self.attend = WordAttention(width, settings.text_size)
        self.channels = ChannelAttention(px * px, settings.text_size)
        self.residuals = nn.Sequential(*(Residual(3 * width) for _ in range(settings.residuals)))
        self.grow = up(3 * width, width)

    def forward(self, hidden: Tensor, words: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        context, attention = self.attend(hidden, words, mask)
        weighed, _ = self.channels(context, words, mask)
        seen = torch.cat([hidden, context, weighed], dim=1)
        return self.grow(self.residuals(seen)), attention


class Generator(attngan.Generator):
    """Draw captions. Shapes as in AttnGAN's; `attentions` are those of places.

    Source: official names `G_NET`, and `G_DCGAN` for `single_head`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if settings.channel_attention:
            sides = settings.stages_px[:-1]
            self.refine = nn.ModuleList(RefiningStage(settings, px) for px in sides)


class WordCritic(nn.Module):
    """Does a picture show the words of a caption? Logits, no sigmoids.

    Shapes:
        maps (B, M, R, R) of an image encoder's trunk, words (B, E, T), mask (B, T) bool, True = a
        word -> (B,)

    Source:
        ControlGAN, section 3.3, where `align` is the perception layer F''. The official code has
        the head of DAMSM in its place, which is frozen.
    """

    def __init__(self, map_size: int, text_size: int) -> None:
        super().__init__()
        self.align = nn.Conv2d(map_size, text_size, 1, bias=False)

    def forward(self, maps: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        return correlation(self.align(maps), words, mask)


def correlation(regions: Tensor, words: Tensor, mask: Tensor) -> Tensor:
    """How well each word agrees with the regions it attends to: one logit a pair.

    Word and region meet in two softmaxes: over words for each region, then over regions for each
    word. Paper and official code then scale what a word found by the word's importance; a cosine
    follows, in which a scale cancels, so it is left out.

    Shapes:
        regions (B, E, R, R), words (B, E, T), mask (B, T) bool, True = a word -> (B,)

    Source:
        ControlGAN, equation 4, as the official code computes it: `word_level_correlation` before
        its sigmoid. The paper sums sigmoids of cosines, which is no probability.
    """
    flat = regions.flatten(2)
    scores = flat.transpose(1, 2) @ words  # (B, R·R, T)
    shares = scores.masked_fill(~mask[:, None], float("-inf")).softmax(dim=2)
    context = flat @ (REGIONS * shares).softmax(dim=1)  # (B, E, T)
    cosine = F.cosine_similarity(context.float(), words.float(), dim=1)
    return (WORDS * cosine).masked_fill(~mask, float("-inf")).logsumexp(dim=1)


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix; the text encoder comes from DAMSM."""
    return {**attngan.networks(settings), "generator": Generator(settings)}


critics = attngan.critics

_UNUSED = (
    *(f"h_net{i}.att.conv_context{j}" for i in (2, 3) for j in (2, 3)),
    "h_net2.channel_att.conv_context3",
    "h_net3.channel_att.conv_context2",
)

RENAMES = {
    "text": attngan.RENAMES["text"],
    "generator": {
        **attngan.RENAMES["generator"],
        "h_net2.channel_att.conv_context2": "refine.0.channels.project",
        "h_net3.channel_att.conv_context3": "refine.1.channels.project",
        # Each attention of each stage has the projections for both sizes; one of four is used.
        **dict.fromkeys(_UNUSED, ""),
    },
    "critic": attngan.RENAMES["critic"],
}
"""Names in the official text encoder, generator and discriminators -> ours."""
