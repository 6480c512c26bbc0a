"""TAC-GAN: AC-GAN draws a sentence, and its critic reads that sentence too.

Source: Dash et al. 2017 (arXiv 1703.06412). Official code: dashayushman/TAC-GAN (`model.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import charcnnrnn, damsm
from t2i.models.acgan import Verdict
from t2i.runtime.errors import UsageError

DOUBLINGS = 4
"""How often the generator's first map is doubled, and pictures are halved by the critic."""


@dataclass(frozen=True)
class Vectors:
    """Sentences that were made elsewhere, such as Skip-Thought vectors."""

    text_size: int = 4800
    """E: numbers of a vector."""


@dataclass(frozen=True)
class Settings:
    """Sizes of all networks; the widths are the paper's for Oxford-102 at 128 px."""

    reader: charcnnrnn.Settings | damsm.Settings | Vectors
    """What makes sentences of captions, and its sizes."""
    classes: int
    """Classes that the critic tells apart (Oxford-102: 102)."""
    condition_size: int = 100
    """Channels into which a sentence is squeezed, on either side (script's default: 256)."""
    noise_size: int = 100
    """Z: channels of the noise."""
    generator_width: int = 64
    """Channels of the generator's largest hidden map; each smaller one has twice as many."""
    critic_width: int = 64
    """Channels of the critic's largest map; each smaller one has twice as many."""
    image_px: int = 128
    """Side of the pictures: a multiple of 16."""

    def __post_init__(self) -> None:
        if self.image_px < 2**DOUBLINGS or self.image_px % 2**DOUBLINGS:
            raise UsageError(
                f"TAC-GAN cannot draw {self.image_px} px",
                hint=f"take a multiple of {2**DOUBLINGS}, as 32, 64 or 128",
            )
        if self.classes < 2:
            raise UsageError(
                f"{self.classes} classes leave the critic of TAC-GAN nothing to tell apart",
                hint="give it pictures of two classes or more",
            )

    @property
    def text_size(self) -> int:
        """E: channels of a sentence."""
        return self.reader.text_size

    @property
    def vocabulary(self) -> int | None:
        """Token ids of the captions, where they are read."""
        return None if isinstance(self.reader, Vectors) else self.reader.vocabulary

    @property
    def start_px(self) -> int:
        """Side of the generator's first map, and of the critic's last."""
        return self.image_px // 2**DOUBLINGS


class Norm(nn.BatchNorm2d):
    """A batch norm that shifts, but has no gain.

    Source: `slim.batch_norm` as the official code calls it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=0.001)
        self.register_parameter("weight", None)


class Doubling(nn.ConvTranspose2d):
    """(B, inputs, H, W) -> (B, outputs, 2H, 2W), one pixel cut on one side, two on the other.

    Source: TensorFlow's padding "SAME" of a transposed convolution of 5 x 5 and stride 2.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, stride=2, padding=1)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        return super().forward(input, output_size)[:, :, :-1, :-1]


class Halving(nn.Conv2d):
    """(B, inputs, H, W) -> (B, outputs, H/2, W/2), padded by one pixel and by two.

    Source: TensorFlow's padding "SAME" of a convolution of 5 x 5 and stride 2.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, stride=2)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(F.pad(input, (1, 2, 1, 2)))


def squeeze(settings: Settings) -> nn.Sequential:
    """The condition (B, C) of a sentence (B, E)."""
    return nn.Sequential(nn.Linear(settings.text_size, settings.condition_size), nn.LeakyReLU(0.2))


class Generator(nn.Module):
    """Draw sentences.

    Shapes:
        noise (B, Z), uniform in (-1, 1); sentence (B, E) -> (B, 3, px, px) in [-1, 1]

    Source: official name `generator`, whose pictures are in [0, 1].
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        widths = [settings.generator_width * 2**i for i in reversed(range(DOUBLINGS))]
        self.start = (widths[0], settings.start_px, settings.start_px)
        self.condition = squeeze(settings)
        self.expand = nn.Linear(
            settings.noise_size + settings.condition_size, widths[0] * settings.start_px**2
        )
        self.grow = nn.Sequential(
            *(Norm(widths[0]), nn.ReLU()),
            *(
                layer
                for wide, narrow in pairwise(widths)
                for layer in (Doubling(wide, narrow), Norm(narrow), nn.ReLU())
            ),
            *(Doubling(widths[-1], 3), nn.Tanh()),
        )

    def forward(self, noise: Tensor, sentence: Tensor) -> Tensor:
        seed = self.expand(torch.cat([noise, self.condition(sentence)], dim=1))
        return self.grow(seed.unflatten(1, self.start))


class Critic(nn.Module):
    """Is this a real picture that goes with the sentence, and which class is it of?

    Shapes:
        images (B, 3, px, px) in [-1, 1], sentence (B, E) -> logits (B,) and (B, classes)

    Source: official name `discriminator`, which sees pictures in [0, 1], and so does this one.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        widths = [settings.critic_width * 2**i for i in range(DOUBLINGS)]
        self.look = nn.Sequential(
            *(Halving(3, widths[0]), nn.LeakyReLU(0.2)),
            *(
                layer
                for narrow, wide in pairwise(widths)
                for layer in (Halving(narrow, wide), Norm(wide), nn.LeakyReLU(0.2))
            ),
        )
        end, flat = widths[-1], widths[-1] * settings.start_px**2
        self.condition = squeeze(settings)
        self.join = nn.Sequential(
            nn.Conv2d(end + settings.condition_size, end, 1), Norm(end), nn.LeakyReLU(0.2)
        )
        self.real = nn.Linear(flat, 1)
        self.classes = nn.Linear(flat, settings.classes)

    def forward(self, images: Tensor, sentence: Tensor) -> Verdict:
        seen = self.look((images + 1) / 2)
        beside = self.condition(sentence)[:, :, None, None].expand(-1, -1, *seen.shape[2:])
        both = self.join(torch.cat([seen, beside], dim=1)).flatten(1)
        return Verdict(self.real(both).squeeze(1), self.classes(both))


def text_encoder(
    reader: charcnnrnn.Settings | damsm.Settings,
) -> charcnnrnn.TextEncoder | damsm.TextEncoder:
    """The network of these sizes."""
    if isinstance(reader, damsm.Settings):
        return damsm.TextEncoder(reader)
    return charcnnrnn.TextEncoder(reader)


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix; nothing reads vectors made elsewhere."""
    generator: dict[str, nn.Module] = {"generator": Generator(settings)}
    if isinstance(settings.reader, Vectors):
        return generator
    return {"text": text_encoder(settings.reader), **generator}


def initialise(network: nn.Module) -> None:
    """Start a generator or a critic as the official code does: Xavier's weights, biases 0."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            assert module.bias is not None
            nn.init.zeros_(module.bias)


LINEAR = {"Matrix": "weight", "bias": "bias"}
CONVOLUTION = {"w": "weight", "biases": "bias"}
NORM = {"beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def _named(leaves: Mapping[str, str], layers: Mapping[str, str]) -> dict[str, str]:
    """A row for each variable of these layers."""
    return {
        f"{official}.{variable}": f"{ours}.{name}"
        for official, ours in layers.items()
        for variable, name in leaves.items()
    }


_GENERATOR_NORMS = {f"g_bn{i}": f"grow.{3 * i}" for i in range(4)}
_CRITIC_NORMS = {**{f"d_bn{i}": f"look.{3 * i}" for i in range(1, 4)}, "d_bn4": "join.1"}

RENAMES = {
    "text": charcnnrnn.RENAMES["text"] | damsm.RENAMES["text"],
    "generator": {
        **_named(LINEAR, {"g_embedding": "condition.0", "g_h0_lin": "expand"}),
        **_named(CONVOLUTION, {f"g_h{i}": f"grow.{3 * i - 1}" for i in range(1, 5)}),
        **_named(NORM, _GENERATOR_NORMS),
        **_GENERATOR_NORMS,
    },
    "critic": {
        **_named(CONVOLUTION, {f"d_h{i}_conv": f"look.{3 * i - 1}" for i in range(1, 4)}),
        **_named(CONVOLUTION, {"d_h0_conv": "look.0", "d_h3_conv_new": "join.0"}),
        **_named(
            LINEAR, {"d_embedding": "condition.0", "d_h4_lin_rw": "real", "d_h4_lin_ac": "classes"}
        ),
        **_named(NORM, _CRITIC_NORMS),
        **_CRITIC_NORMS,
    },
}
"""Names of TensorFlow's variables, their slashes as dots -> ours. There the axes stand in another
order: those of a convolution H, W, inputs, outputs (a transposed one: H, W, outputs, inputs), those
of a linear layer inputs, outputs; and a map is flattened as H, W, C."""
