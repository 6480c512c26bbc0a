"""AttnGAN: three stages that draw ever larger, the later ones looking back at the words.

Source: Xu et al., CVPR 2018 (arXiv 1711.10485). Official code: taoxugit/AttnGAN.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from t2i.models import damsm
from t2i.models.blocks.attention import WordAttention
from t2i.models.blocks.conditioning import ConditioningAugmentation
from t2i.models.blocks.convolution import Residual, conv3x3, down, leaky3x3, up
from t2i.models.blocks.doubling import doublings
from t2i.models.blocks.recurrent import Cell


@dataclass(frozen=True)
class Settings:
    """Sizes of all networks; the defaults are the paper's for CUB."""

    vocabulary: int
    """Token ids, that of the padding (0) and of the unknown word included."""
    embedding: int = 300
    """Channels of a word's own embedding in the text encoder."""
    text_size: int = 256
    """E: channels of a word and of a sentence."""
    cell: Cell = "lstm"
    """Kind of recurrent layer in the text encoder."""
    condition_size: int = 100
    """Channels of the condition that is sampled around a sentence."""
    noise_size: int = 100
    """Z: channels of the noise."""
    generator_width: int = 32
    """Channels of every stage's hidden map (GF_DIM; COCO 48)."""
    critic_width: int = 64
    """Channels of a critic's first layer (DF_DIM; COCO 96)."""
    residuals: int = 2
    """Residual blocks in each refining stage (R_NUM; COCO 3, AttnDCGAN 0)."""
    first_px: int = 64
    """Side of the first stage's picture: 4 times a power of two."""
    stages: int = 3
    """Stages; each doubles the side."""
    single_head: bool = False
    """The variant AttnDCGAN: only the last stage draws, and one critic judges it by caption."""

    @property
    def stages_px(self) -> tuple[int, ...]:
        """Side of every stage, smallest first."""
        return tuple(self.first_px * 2**stage for stage in range(self.stages))

    @property
    def drawn_px(self) -> tuple[int, ...]:
        """Side of every picture that is drawn, smallest first."""
        return self.stages_px[-1:] if self.single_head else self.stages_px


class Drawn(NamedTuple):
    """What a generator gives, smallest first.

    Shapes:
        images: (B, 3, px, px) in [-1, 1] a head; attentions: (B, T, h, w) a refining stage, of
        the size it starts from; mean, log_variance: (B, C) of the condition.
    """

    images: tuple[Tensor, ...]
    attentions: tuple[Tensor, ...]
    mean: Tensor
    log_variance: Tensor


class FirstStage(nn.Module):
    """Unfold condition (B, C) and noise (B, Z) into a hidden map (B, width, px, px).

    Source: official name `INIT_STAGE_G`.
    """

    def __init__(self, input_size: int, width: int, px: int) -> None:
        super().__init__()
        channels = [width * 2**i for i in range(doublings(px), -1, -1)]
        self.expand = nn.Sequential(
            nn.Linear(input_size, 2 * channels[0] * 4 * 4, bias=False),
            nn.BatchNorm1d(2 * channels[0] * 4 * 4),
            nn.GLU(dim=1),
        )
        self.grow = nn.Sequential(*(up(a, b) for a, b in pairwise(channels)))

    def forward(self, condition: Tensor, noise: Tensor) -> Tensor:
        seed = self.expand(torch.cat([condition, noise], dim=1))
        return self.grow(seed.unflatten(1, (-1, 4, 4)))


class RefiningStage(nn.Module):
    """Look at the words and draw the hidden map (B, width, H, W) at twice its size.

    `mask` (bool, True = a word) broadcasts to (B, H·W, T), as in `WordAttention`.

    Source: official name `NEXT_STAGE_G`, whose condition is passed in but unused.
    """

    def __init__(self, width: int, text_size: int, residuals: int) -> None:
        super().__init__()
        self.attend = WordAttention(width, text_size)
        self.residuals = nn.Sequential(*(Residual(2 * width) for _ in range(residuals)))
        self.grow = up(2 * width, width)

    def forward(self, hidden: Tensor, words: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        context, attention = self.attend(hidden, words, mask)
        return self.grow(self.residuals(torch.cat([hidden, context], dim=1))), attention


class Generator(nn.Module):
    """Draw captions.

    Shapes:
        noise (B, Z), detail (B, C), both standard normal; sentence (B, E), words (B, E, T),
        mask (B, T) bool, True = a word -> `Drawn`

    Source: official names `G_NET`, and `G_DCGAN` for `single_head`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        width, refining = settings.generator_width, settings.stages - 1
        self.condition = ConditioningAugmentation(settings.text_size, settings.condition_size)
        self.first = FirstStage(
            settings.condition_size + settings.noise_size, width, settings.first_px
        )
        self.refine = nn.ModuleList(
            RefiningStage(width, settings.text_size, settings.residuals) for _ in range(refining)
        )
        self.heads = nn.ModuleList(
            nn.Sequential(conv3x3(width, 3), nn.Tanh()) for _ in settings.drawn_px
        )

    def forward(
        self, noise: Tensor, detail: Tensor, sentence: Tensor, words: Tensor, mask: Tensor
    ) -> Drawn:
        condition, mean, log_variance = self.condition(sentence, detail)
        hidden = [self.first(condition, noise)]
        attentions = []
        for refine in self.refine:
            larger, attention = refine(hidden[-1], words, mask.unsqueeze(1))
            hidden.append(larger)
            attentions.append(attention)
        shown = hidden[-len(self.heads) :]
        images = tuple(head(each) for head, each in zip(self.heads, shown, strict=True))
        return Drawn(images, tuple(attentions), mean, log_variance)


class Head(nn.Module):
    """One logit (B,) from features (B, C, 4, 4). Source: official name `UNCOND_DNET`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.logit = nn.Conv2d(channels, 1, 4, stride=4)

    def forward(self, features: Tensor) -> Tensor:
        return self.logit(features).flatten()


class CaptionHead(nn.Module):
    """One logit (B,) from features (B, C, 4, 4) beside a sentence (B, E).

    Source: official name `COND_DNET`.
    """

    def __init__(self, channels: int, text_size: int) -> None:
        super().__init__()
        self.join = leaky3x3(channels + text_size, channels)
        self.head = Head(channels)

    def forward(self, features: Tensor, sentence: Tensor) -> Tensor:
        tiled = sentence[:, :, None, None].expand(-1, -1, 4, 4)
        return self.head(self.join(torch.cat([features, tiled], dim=1)))


class Critic(nn.Module):
    """Judge pictures of one size, by themselves and beside a caption; logits, no sigmoids.

    Every size ends at 8·width channels of 4 x 4: pictures above 64 px are taken further down
    and brought back to that width, those below start wider.

    Source: official names `D_NET64`, `D_NET128`, `D_NET256`.
    """

    def __init__(self, width: int, px: int, text_size: int, unconditional: bool = True) -> None:
        super().__init__()
        self.px = px
        halvings, end = doublings(px), 8 * width
        start = max(width, end >> (halvings - 1))
        sizes = [start * 2**i for i in range(halvings)]
        self.down = nn.Sequential(
            down(3, sizes[0], norm=False), *(down(a, b) for a, b in pairwise(sizes))
        )
        surplus = [size for size in reversed(sizes) if size > end]
        self.reduce = nn.Sequential(*(leaky3x3(size, size // 2) for size in surplus))
        self.beside = CaptionHead(end, text_size)
        self.alone = Head(end) if unconditional else None

    @property
    def has_unconditional(self) -> bool:
        """Whether it also judges a picture by itself."""
        return self.alone is not None

    def features(self, images: Tensor) -> Tensor:
        """Pictures (B, 3, px, px) in [-1, 1] -> (B, 8·width, 4, 4), what both verdicts rest on."""
        return self.reduce(self.down(images))

    def conditional(self, features: Tensor, sentence: Tensor) -> Tensor:
        """Does the picture go with the sentence (B, E)? Logits (B,)."""
        return self.beside(features, sentence)

    def unconditional(self, features: Tensor) -> Tensor:
        """Is it a real picture? Logits (B,)."""
        assert self.alone is not None, "built to judge beside a caption only"
        return self.alone(features)


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix; the text encoder comes from DAMSM."""
    text = damsm.Settings(
        vocabulary=settings.vocabulary,
        embedding=settings.embedding,
        text_size=settings.text_size,
        cell=settings.cell,
    )
    return {"text": damsm.TextEncoder(text), "generator": Generator(settings)}


def critics(settings: Settings) -> list[Critic]:
    """A critic for each picture the generator draws, smallest first."""
    return [
        Critic(settings.critic_width, px, settings.text_size, not settings.single_head)
        for px in settings.drawn_px
    ]


def initialise(network: nn.Module) -> None:
    """Start a generator or critics as the official code does (`weights_init`).

    Orthogonal weights, gains near one; the biases of the critics' logits stay torch's own.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            nn.init.orthogonal_(module.weight)
        elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) and module.affine:
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


RENAMES = {
    "text": damsm.RENAMES["text"],
    "generator": {
        "ca_net.fc": "condition.project.0",
        "h_net1.fc": "first.expand",
        **{f"h_net1.upsample{i + 1}": f"first.grow.{i}" for i in range(4)},
        **{f"h_net{i + 2}.att.conv_context": f"refine.{i}.attend.project" for i in range(2)},
        **{f"h_net{i + 2}.residual": f"refine.{i}.residuals" for i in range(2)},
        **{f"h_net{i + 2}.upsample": f"refine.{i}.grow" for i in range(2)},
        **{f"img_net{i + 1}.img": f"heads.{i}" for i in range(3)},
        "img_net.img": "heads.0",
    },
    "critic": {
        "img_code_s16.0": "down.0.0",
        "img_code_s16.2": "down.1.0",
        "img_code_s16.3": "down.1.1",
        "img_code_s16.5": "down.2.0",
        "img_code_s16.6": "down.2.1",
        "img_code_s16.8": "down.3.0",
        "img_code_s16.9": "down.3.1",
        "img_code_s32": "down.4",
        "img_code_s64": "down.5",
        "img_code_s32_1": "reduce.0",
        "img_code_s64_1": "reduce.0",
        "img_code_s64_2": "reduce.1",
        "UNCOND_DNET.outlogits.0": "alone.logit",
        "COND_DNET.jointConv": "beside.join",
        "COND_DNET.outlogits.0": "beside.head.logit",
    },
}
"""Names in the official text encoder, generators and discriminators -> ours."""
