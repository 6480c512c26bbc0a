"""SD-GAN: captions enter the normalisation of all layers that grow, by sentence and by word.

Source: Yin et al., CVPR 2019 (arXiv 1904.01480). There is no official code: what the paper leaves
open is settled in the card. What is not of this paper is AttnGAN's, as there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from t2i.models import attngan
from t2i.models.blocks.attention import WordAttention
from t2i.models.blocks.convolution import Residual, conv3x3
from t2i.models.blocks.doubling import doublings
from t2i.models.damsm import EncodedText

Cues = Literal["none", "sentence", "words", "both"]
"""What of a caption conditions a norm."""


@dataclass(frozen=True)
class Settings(attngan.Settings):
    """Sizes of all networks; the defaults are the paper's for CUB."""

    first_cues: Cues = "sentence"
    """What conditions the norms of the first stage, which has nothing yet to find words for."""
    cues: Cues = "both"
    """What conditions the norms of the later stages."""
    cue_size: int = 256
    """Channels of the hidden layer between a sentence and what it conditions."""
    feature_size: int = 256
    """N: channels of the feature by which a critic compares two pictures; 0 = it compares none."""


class SentenceCue(nn.Module):
    """A scale and a shift for each channel, of the sentence.

    Shapes:
        hidden (B, C, H, W), text of E channels -> scale, shift (B, C, 1, 1)

    Source: section 3.2, sentence-level cues: two perceptrons of one hidden layer.
    """

    def __init__(self, channels: int, settings: Settings) -> None:
        super().__init__()

        def perceptron() -> nn.Sequential:
            return nn.Sequential(
                nn.Linear(settings.text_size, settings.cue_size),
                nn.ReLU(),
                nn.Linear(settings.cue_size, channels),
            )

        self.scale, self.shift = perceptron(), perceptron()

    def forward(self, hidden: Tensor, text: EncodedText) -> tuple[Tensor, Tensor]:
        scale, shift = self.scale(text.sentence), self.shift(text.sentence)
        return scale[:, :, None, None], shift[:, :, None, None]


class WordCue(nn.Module):
    """A scale and a shift for each channel and place, of the words that the place attends to.

    Shapes:
        hidden (B, C, H, W) as it enters the norm, text of E channels -> scale, shift (B, C, H, W)

    Source: section 3.2, word-level cues: visual-semantic embedding, two 1 × 1 convolutions.
    """

    def __init__(self, channels: int, settings: Settings) -> None:
        super().__init__()
        self.attend = WordAttention(channels, settings.text_size)
        self.scale, self.shift = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)

    def forward(self, hidden: Tensor, text: EncodedText) -> tuple[Tensor, Tensor]:
        embedded, _ = self.attend(hidden, text.words, text.mask.unsqueeze(1))
        return self.scale(embedded), self.shift(embedded)


CUES: dict[Cues, tuple[type[SentenceCue] | type[WordCue], ...]] = {
    "none": (),
    "sentence": (SentenceCue,),
    "words": (WordCue,),
    "both": (SentenceCue, WordCue),
}


class ConditionedNorm(nn.Module):
    """SCBN: normalise a batch (B, C, H, W), then scale and shift it as the caption says.

    Without a cue it is a batch norm; with several, what they say is summed.

    Source: section 3.2, (γ + γ_c) (x - μ) / σ + (β + β_c).
    """

    def __init__(self, channels: int, cues: Cues, settings: Settings) -> None:
        super().__init__()
        self.statistics = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Parameter(torch.ones(channels))
        self.offset = nn.Parameter(torch.zeros(channels))
        self.cues = nn.ModuleList(cue(channels, settings) for cue in CUES[cues])

    def forward(self, hidden: Tensor, text: EncodedText) -> Tensor:
        gain, offset = self.gain[:, None, None], self.offset[:, None, None]
        for cue in self.cues:
            scale, shift = cue(hidden, text)
            gain, offset = gain + scale, offset + shift
        return gain * self.statistics(hidden) + offset

    def begin(self) -> None:
        """Start as a batch norm that AttnGAN's `initialise` has begun: cues say nothing yet."""
        nn.init.normal_(self.gain, 1.0, 0.02)
        nn.init.zeros_(self.offset)
        for cue in self.cues:
            for said in (cue.scale, cue.shift):
                last = said[-1] if isinstance(said, nn.Sequential) else said
                assert isinstance(last, nn.Linear | nn.Conv2d)
                assert last.bias is not None
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)


class ConditionedUp(nn.Module):
    """Twice the height and width: (B, inputs, H, W) -> (B, outputs, 2H, 2W).

    AttnGAN's `up`, with a conditioned norm. Source: figure 3, SCBN ends each upsampling layer.
    """

    def __init__(self, inputs: int, outputs: int, cues: Cues, settings: Settings) -> None:
        super().__init__()
        self.enlarge = nn.Upsample(scale_factor=2, mode="nearest")
        self.conv = conv3x3(inputs, 2 * outputs)
        self.norm = ConditionedNorm(2 * outputs, cues, settings)
        self.gate = nn.GLU(dim=1)

    def forward(self, hidden: Tensor, text: EncodedText) -> Tensor:
        return self.gate(self.norm(self.conv(self.enlarge(hidden)), text))


class FirstStage(nn.Module):
    """Unfold condition (B, C) and noise (B, Z) into a hidden map (B, width, px, px).

    AttnGAN's, whose layers look at the caption as they grow.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        count = doublings(settings.first_px)
        channels = [settings.generator_width * 2**i for i in range(count, -1, -1)]
        size = 2 * channels[0] * 4 * 4
        self.expand = nn.Sequential(
            nn.Linear(settings.condition_size + settings.noise_size, size, bias=False),
            nn.BatchNorm1d(size),
            nn.GLU(dim=1),
        )
        self.grow = nn.ModuleList(
            ConditionedUp(a, b, settings.first_cues, settings) for a, b in pairwise(channels)
        )

    def forward(self, condition: Tensor, noise: Tensor, text: EncodedText) -> Tensor:
        hidden = self.expand(torch.cat([condition, noise], dim=1)).unflatten(1, (-1, 4, 4))
        for grow in self.grow:
            hidden = grow(hidden, text)
        return hidden


class RefiningStage(nn.Module):
    """Look at the words and draw the hidden map (B, width, H, W) at twice its size.

    AttnGAN's, whose last layer looks at the caption again as it grows.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        width = settings.generator_width
        self.attend = WordAttention(width, settings.text_size)
        self.residuals = nn.Sequential(*(Residual(2 * width) for _ in range(settings.residuals)))
        self.grow = ConditionedUp(2 * width, width, settings.cues, settings)

    def forward(self, hidden: Tensor, text: EncodedText) -> tuple[Tensor, Tensor]:
        context, attention = self.attend(hidden, text.words, text.mask.unsqueeze(1))
        seen = self.residuals(torch.cat([hidden, context], dim=1))
        return self.grow(seen, text), attention


class Generator(attngan.Generator):
    """Draw captions. Shapes as in AttnGAN's."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.add_module("first", FirstStage(settings))  # takes the text, too
        self.refine = nn.ModuleList(RefiningStage(settings) for _ in self.refine)

    def forward(
        self, noise: Tensor, detail: Tensor, sentence: Tensor, words: Tensor, mask: Tensor
    ) -> attngan.Drawn:
        text = EncodedText(sentence, words, mask)
        condition, mean, log_variance = self.condition(sentence, detail)
        hidden = [self.get_submodule("first")(condition, noise, text)]
        attentions = []
        for refine in self.refine:
            larger, attention = refine(hidden[-1], text)
            hidden.append(larger)
            attentions.append(attention)
        shown = hidden[-len(self.heads) :]
        images = tuple(head(each) for head, each in zip(self.heads, shown, strict=True))
        return attngan.Drawn(images, tuple(attentions), mean, log_variance)


class Critic(attngan.Critic):
    """AttnGAN's, which compares pictures too."""

    def __init__(self, settings: Settings, px: int) -> None:
        unconditional = not settings.single_head
        super().__init__(settings.critic_width, px, settings.text_size, unconditional)
        self.feature = nn.Linear(8 * settings.critic_width, settings.feature_size)

    def compared(self, features: Tensor) -> Tensor:
        """v, by which pictures with these features are compared: (B, N)."""
        return self.feature(features.mean(dim=(2, 3)))


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix; the text encoder comes from DAMSM."""
    return {**attngan.networks(settings), "generator": Generator(settings)}


def critics(settings: Settings) -> Sequence[attngan.Critic]:
    """A critic for each picture the generator draws, smallest first."""
    if not settings.feature_size:
        return attngan.critics(settings)
    return [Critic(settings, px) for px in settings.drawn_px]


def initialise(network: nn.Module) -> None:
    """Start a generator or critics as AttnGAN does, with cues that say nothing yet."""
    attngan.initialise(network)
    for module in network.modules():
        if isinstance(module, ConditionedNorm):
            module.begin()


def _grown(official: str, ours: str) -> dict[str, str]:
    """AttnGAN's `upBlock`."""
    return {
        f"{official}.1": f"{ours}.conv",
        f"{official}.2": f"{ours}.norm.statistics",
        f"{official}.2.weight": f"{ours}.norm.gain",
        f"{official}.2.bias": f"{ours}.norm.offset",
    }


RENAMES = {
    "text": attngan.RENAMES["text"],
    "generator": {
        **attngan.RENAMES["generator"],
        **{
            name: ours
            for i in range(4)
            for name, ours in _grown(f"h_net1.upsample{i + 1}", f"first.grow.{i}").items()
        },
        **{
            name: ours
            for i in range(2)
            for name, ours in _grown(f"h_net{i + 2}.upsample", f"refine.{i}.grow").items()
        },
        "first": "first",
        "refine": "refine",
    },
    "critic": {**attngan.RENAMES["critic"], "feature": "feature"},
}
"""AttnGAN's official names -> ours, where a layer is AttnGAN's. There is no code of SD-GAN: its own
layers have our names."""
