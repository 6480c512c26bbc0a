"""FusedGAN: one structure prior, and two branches that draw from it, one of them with a caption.

Source: Bodla, Hua and Chellappa, ECCV 2018 (arXiv 1801.05551). The authors published no code; what
the paper leaves open follows StackGAN, which it compares itself with (see the card).
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from t2i.models import charcnnrnn
from t2i.models.blocks.convolution import conv3x3, down, leaky3x3
from t2i.models.blocks.doubling import doublings
from t2i.models.blocks.rectified import Residual, rectified3x3, up
from t2i.models.stackgan1 import Drawn, halved

PRIOR_PX = 8
"""Side of the structure prior."""


@dataclass(frozen=True)
class Settings(charcnnrnn.TextSettings):
    """Sizes of all networks, the text encoder's among them."""

    condition_size: int = 128
    """C: channels of the condition that is sampled around a sentence."""
    noise_size: int = 128
    """Z: channels of the noise, from which the structure comes."""
    generator_width: int = 1024
    """Channels at 4 px, which each doubling halves."""
    residuals: int = 2
    """Residual blocks in which structure and condition become one."""
    critic_width: int = 64
    """Channels of either critic's largest map; each smaller one has twice as many."""
    image_px: int = 64
    """Side of the pictures: 8 times a power of two, 16 at least."""

    @property
    def detail_size(self) -> int:
        """Channels of the draw from which a condition is sampled."""
        return self.condition_size

    @property
    def widths(self) -> list[int]:
        """Channels of a branch, from the structure prior to the picture."""
        count = doublings(self.image_px, start=PRIOR_PX)
        return halved(self.generator_width, 1 + count)[1:]


class ConditioningAugmentation(nn.Module):
    """Sample a condition from a Gaussian whose mean and variance the sentence predicts.

    Neither is bounded, unlike in StackGAN, so that a sentence may leave little to the draw.

    Shapes:
        sentence (B, E), detail (B, C) -> condition (B, C), mean (B, C), log_variance (B, C)
    """

    def __init__(self, sentence_size: int, condition_size: int) -> None:
        super().__init__()
        self.project = nn.Linear(sentence_size, 2 * condition_size)

    def forward(self, sentence: Tensor, detail: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.project(sentence).chunk(2, dim=1)
        return mean + detail * torch.exp(0.5 * log_variance), mean, log_variance


class Branch(nn.Module):
    """Grow a map of structure (B, width / 2, 8, 8) into a picture (B, 3, px, px)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        widths = settings.widths
        self.grow = nn.Sequential(*(up(wide, narrow) for wide, narrow in pairwise(widths)))
        self.head = nn.Sequential(conv3x3(widths[-1], 3), nn.Tanh())

    def forward(self, structure: Tensor) -> Tensor:
        return self.head(self.grow(structure))


class Styling(nn.Module):
    """Give a structure the style of a sentence: (B, width / 2, 8, 8), and the same again."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        width = settings.widths[0]
        self.join = rectified3x3(width + settings.condition_size, width)
        self.residuals = nn.Sequential(*(Residual(width) for _ in range(settings.residuals)))

    def forward(self, structure: Tensor, condition: Tensor) -> Tensor:
        beside = condition[:, :, None, None].expand(-1, -1, *structure.shape[2:])
        return self.residuals(self.join(torch.cat([structure, beside], dim=1)))


class Generator(nn.Module):
    """Draw noise by itself, and the same structure with a sentence.

    Shapes:
        noise (B, Z), detail (B, C), both standard normal; sentence (B, E) -> `Drawn`: the picture
        without the sentence, then the one with it
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        start = 2 * settings.widths[0]
        self.expand = nn.Sequential(
            nn.Linear(settings.noise_size, start * 4 * 4, bias=False),
            nn.BatchNorm1d(start * 4 * 4),
            nn.ReLU(),
        )
        self.shape = up(start, settings.widths[0])
        self.unconditional = Branch(settings)
        self.condition = ConditioningAugmentation(settings.text_size, settings.condition_size)
        self.style = Styling(settings)
        self.conditional = Branch(settings)

    def structure(self, noise: Tensor) -> Tensor:
        """The structure prior M_s: (B, width / 2, 8, 8). No sentence has a say in it."""
        return self.shape(self.expand(noise).unflatten(1, (-1, 4, 4)))

    def alone(self, noise: Tensor) -> Tensor:
        """The picture of a structure."""
        return self.unconditional(self.structure(noise))

    def styled(self, structure: Tensor, detail: Tensor, sentence: Tensor) -> Drawn:
        """The picture of a structure in the style of a sentence."""
        condition, mean, log_variance = self.condition(sentence, detail)
        image = self.conditional(self.style(structure, condition))
        return Drawn((image,), mean, log_variance)

    def forward(self, noise: Tensor, detail: Tensor, sentence: Tensor) -> Drawn:
        structure = self.structure(noise)
        drawn = self.styled(structure, detail, sentence)
        return drawn._replace(images=(self.unconditional(structure), *drawn.images))


class Look(nn.Sequential):
    """Halve pictures (B, 3, px, px) down to features (B, `channels`, 4, 4)."""

    def __init__(self, settings: Settings) -> None:
        widths = [settings.critic_width * 2**i for i in range(doublings(settings.image_px))]
        super().__init__(
            down(3, widths[0], norm=False),
            *(down(narrow, wide) for narrow, wide in pairwise(widths)),
        )
        self.channels = widths[-1]


class PictureCritic(nn.Module):
    """Is it a real picture? One logit (B,), no sigmoid."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.look = Look(settings)
        self.verdict = nn.Conv2d(self.look.channels, 1, 4, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.verdict(self.look(images)).flatten()


class CaptionCritic(nn.Module):
    """Is it a real picture with its sentence? One logit (B,), no sigmoid.

    Shapes:
        images (B, 3, px, px) in [-1, 1], sentence (B, E) -> (B,)
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.look = Look(settings)
        channels, size = self.look.channels, settings.condition_size
        self.read = nn.Sequential(nn.Linear(settings.text_size, size), nn.LeakyReLU(0.2))
        self.join = leaky3x3(channels + size, channels)
        self.verdict = nn.Conv2d(channels, 1, 4, bias=False)

    def features(self, images: Tensor) -> Tensor:
        """What the verdict rests on beside the sentence."""
        return self.look(images)

    def judge(self, features: Tensor, sentence: Tensor) -> Tensor:
        """Logits (B,) of pictures whose features are known."""
        beside = self.read(sentence)[:, :, None, None].expand(-1, -1, 4, 4)
        return self.verdict(self.join(torch.cat([features, beside], dim=1))).flatten()

    def forward(self, images: Tensor, sentence: Tensor) -> Tensor:
        return self.judge(self.features(images), sentence)


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix; the text encoder is a char-CNN-RNN's."""
    return {"text": charcnnrnn.TextEncoder(settings), "generator": Generator(settings)}


_PARTS = ("expand", "shape", "unconditional", "condition", "style", "conditional")

RENAMES = {
    "text": charcnnrnn.RENAMES["text"],
    "generator": {name: name for name in _PARTS},
}
"""The authors published no code: our names are the official ones."""
