"""StackGAN, stage I: a sentence becomes a cloud of conditions, and one of them a small picture.

Source: Zhang et al., ICCV 2017 (arXiv 1612.03242), sections 3.2 and 3.3. Official code:
hanzhanggit/StackGAN-Pytorch (`model.py`), whose sizes for COCO are the defaults.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from t2i.models import charcnnrnn
from t2i.models.attngan import Critic
from t2i.models.blocks.convolution import conv3x3
from t2i.models.blocks.doubling import doublings
from t2i.models.blocks.rectified import up
from t2i.runtime.errors import UsageError


@dataclass(frozen=True)
class Settings(charcnnrnn.TextSettings):
    """Sizes of all networks, the text encoder's among them."""

    condition_size: int = 128
    """C: channels of the condition that is sampled around a sentence."""
    noise_size: int = 100
    """Z: channels of the noise."""
    generator_width: int = 192
    """An eighth of the channels at 4 px, which each doubling halves (GF_DIM)."""
    critic_width: int = 96
    """Channels of the critic's first layer at 64 px and above (DF_DIM)."""
    first_px: int = 64
    """Side of the pictures of stage I: 4 times a power of two, 8 at least."""

    @property
    def detail_size(self) -> int:
        """Channels of the draw from which conditions are sampled."""
        return self.condition_size


class Drawn(NamedTuple):
    """What a stage gives.

    Shapes:
        images: (B, 3, px, px) in [-1, 1], those of earlier stages first; mean, log_variance:
            (B, C) of the stage's own condition.
    """

    images: tuple[Tensor, ...]
    mean: Tensor
    log_variance: Tensor


class ConditioningAugmentation(nn.Module):
    """Sample a condition from a Gaussian whose mean and variance the sentence predicts.

    A rectifier is the last layer, as in the official code: no mean is negative, and no variance is
    below 1. Its successors have a gate instead (`blocks/conditioning.py`).

    Shapes:
        sentence (B, E), detail (B, C) -> condition (B, C), mean (B, C), log_variance (B, C);
        `detail` is standard normal, or zero for the most likely condition.

    Source: section 3.2. Official name: `CA_NET`.
    """

    def __init__(self, sentence_size: int, condition_size: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(sentence_size, 2 * condition_size), nn.ReLU())

    def forward(self, sentence: Tensor, detail: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.project(sentence).chunk(2, dim=1)
        return mean + detail * torch.exp(0.5 * log_variance), mean, log_variance


class Generator(nn.Module):
    """Draw sentences.

    Shapes:
        noise (B, Z), detail (B, C), both standard normal; sentence (B, E) -> `Drawn`, one picture

    Source: official name `STAGE1_G`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        widths = halved(8 * settings.generator_width, doublings(settings.first_px))
        seed_size = settings.noise_size + settings.condition_size
        self.condition = ConditioningAugmentation(settings.text_size, settings.condition_size)
        self.expand = nn.Sequential(
            nn.Linear(seed_size, widths[0] * 4 * 4, bias=False),
            nn.BatchNorm1d(widths[0] * 4 * 4),
            nn.ReLU(),
        )
        self.grow = nn.Sequential(*(up(wide, narrow) for wide, narrow in pairwise(widths)))
        self.head = nn.Sequential(conv3x3(widths[-1], 3), nn.Tanh())

    def forward(self, noise: Tensor, detail: Tensor, sentence: Tensor) -> Drawn:
        condition, mean, log_variance = self.condition(sentence, detail)
        seed = self.expand(torch.cat([noise, condition], dim=1))
        image = self.head(self.grow(seed.unflatten(1, (-1, 4, 4))))
        return Drawn((image,), mean, log_variance)


def halved(width: int, times: int) -> list[int]:
    """Channels that are halved at each doubling of the side, the first ones included.

    Raises:
        UsageError: they cannot be halved so often.
    """
    if width % 2**times:
        raise UsageError(
            f"{width} channels cannot be halved {times} times",
            hint=f"choose the generator's width so that {2**times} divides them",
        )
    return [width >> i for i in range(times + 1)]


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix; the text encoder is a char-CNN-RNN's."""
    return {"text": charcnnrnn.TextEncoder(settings), "generator": Generator(settings)}


def critic(settings: Settings) -> Critic:
    """Judges pictures beside conditions only.

    Source: official name `STAGE1_D`; AttnGAN took these critics over, layer by layer.
    """
    width, px = settings.critic_width, settings.first_px
    return Critic(width, px, settings.condition_size, unconditional=False)


def initialise(network: nn.Module, deviation: float = 0.02) -> None:
    """Start a generator or a critic as the official code does (`weights_init`).

    Args:
        deviation: of the weights. Narrow layers need more than the official one to pass on as much:
            else sentences begin, and may remain, alike.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(module.weight, 0.0, deviation)
        elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


RENAMES = {
    "text": charcnnrnn.RENAMES["text"],
    "generator": {
        "ca_net.fc": "condition.project.0",
        "fc": "expand",
        **{f"upsample{i + 1}": f"grow.{i}" for i in range(4)},
        "img": "head",
    },
    "critic": {
        "encode_img.0": "down.0.0",
        **{f"encode_img.{3 * i - 1}": f"down.{i}.0" for i in range(1, 6)},
        **{f"encode_img.{3 * i}": f"down.{i}.1" for i in range(1, 6)},
        "encode_img.17": "reduce.0.0",
        "encode_img.18": "reduce.0.1",
        "encode_img.20": "reduce.1.0",
        "encode_img.21": "reduce.1.1",
        "get_cond_logits.outlogits.0": "beside.join.0",
        "get_cond_logits.outlogits.1": "beside.join.1",
        "get_cond_logits.outlogits.3": "beside.head.logit",
        "get_uncond_logits.outlogits.0": "alone.logit",
    },
}
"""Official names of the networks of stage I -> ours; those of the critic of stage II too."""
