"""MirrorGAN: AttnGAN's stages look at the whole sentence too, and a captioner must recognise it.

Source: Qiao et al., CVPR 2019 (arXiv 1903.05854). Official code: qiaott/MirrorGAN. STEM is DAMSM's
text encoder, GLAM the generator below, STREAM a captioner with a file of its own.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from t2i.models import attngan
from t2i.models import stream as describers
from t2i.models.blocks.attention import WordAttention
from t2i.models.blocks.convolution import Residual, up


@dataclass(frozen=True)
class Settings(attngan.Settings):
    """Sizes of all networks; the defaults are the official code's for CUB."""

    stream: describers.Settings | None = None
    """Sizes of the captioner that goes with the generator; None = trained without one."""


class SentenceAttention(nn.Module):
    """Weigh the channels of a condition anew at each place of a hidden map.

    Shapes:
        hidden (B, C, H, W), condition (B, K) -> (B, C, H, W)

    Source:
        MirrorGAN, Qiao et al. 2019, equation 5, as the official code computes it: the shares sum
        to 1 over the channels of a place, not over places. Its part of `GLAttentionGeneral`.
    """

    def __init__(self, hidden_size: int, condition_size: int) -> None:
        super().__init__()
        self.project = nn.Linear(condition_size, hidden_size)
        self.compare = nn.Conv2d(hidden_size, hidden_size, 1, bias=False)

    def forward(self, hidden: Tensor, condition: Tensor) -> Tensor:
        sentence = self.project(condition)[:, :, None, None]
        return sentence * self.compare(hidden * sentence).softmax(dim=1)


class RefiningStage(nn.Module):
    """Look at the words and the sentence, and draw the hidden map at twice its size.

    `mask` (bool, True = a word) broadcasts to (B, H·W, T), as in `WordAttention`.

    Source: official name `NEXT_STAGE_G`; all stages look at the same draw of the condition.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        width = settings.generator_width
        self.attend = WordAttention(width, settings.text_size)
        self.sentence = SentenceAttention(width, settings.condition_size)
        self.squeeze = nn.Conv2d(3 * width, 2 * width, 1, bias=False)
        self.residuals = nn.Sequential(*(Residual(2 * width) for _ in range(settings.residuals)))
        self.grow = up(2 * width, width)

    def forward(
        self, hidden: Tensor, condition: Tensor, words: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        context, attention = self.attend(hidden, words, mask)
        sentence = self.sentence(hidden, condition)
        seen = self.squeeze(torch.cat([hidden, context, sentence], dim=1))
        return self.grow(self.residuals(seen)), attention


class Generator(attngan.Generator):
    """GLAM: draw captions, word by word and as a whole. Shapes as in AttnGAN's.

    Source: official names `G_NET`, and `G_DCGAN` for `single_head`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.refine = nn.ModuleList(RefiningStage(settings) for _ in self.refine)

    def forward(
        self, noise: Tensor, detail: Tensor, sentence: Tensor, words: Tensor, mask: Tensor
    ) -> attngan.Drawn:
        condition, mean, log_variance = self.condition(sentence, detail)
        hidden = [self.first(condition, noise)]
        attentions = []
        for refine in self.refine:
            larger, attention = refine(hidden[-1], condition, words, mask.unsqueeze(1))
            hidden.append(larger)
            attentions.append(attention)
        shown = hidden[-len(self.heads) :]
        images = tuple(head(each) for head, each in zip(self.heads, shown, strict=True))
        return attngan.Drawn(images, tuple(attentions), mean, log_variance)


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix; STREAM's are those of its own file."""
    found = {**attngan.networks(settings), "generator": Generator(settings)}
    return found | describers.networks(settings.stream) if settings.stream else found


critics = attngan.critics

RENAMES = {
    "text": attngan.RENAMES["text"],
    "generator": {
        **attngan.RENAMES["generator"],
        **{f"h_net{i + 2}.att.conv_sentence_vis": f"refine.{i}.sentence.compare" for i in range(2)},
        **{f"h_net{i + 2}.att.linear": f"refine.{i}.sentence.project" for i in range(2)},
        **{f"h_net{i + 2}.conv": f"refine.{i}.squeeze" for i in range(2)},
    },
    "critic": attngan.RENAMES["critic"],
    **describers.RENAMES,
}
"""Names in the official STEM, generator, discriminators and STREAM -> ours."""
