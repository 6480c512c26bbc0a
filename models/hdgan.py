"""HDGAN: one stream of growing maps, with a picture and a critic at several sizes on its way.

Source: Zhang, Xie and Yang, CVPR 2018 (arXiv 1802.09178). Official code: ypxie/HDGan
(`HDGan/models/hd_networks.py`).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import charcnnrnn
from t2i.runtime.errors import UsageError

BODY_PX = 8
"""Side of the map at which every critic stops halving."""


@dataclass(frozen=True)
class Settings(charcnnrnn.TextSettings):
    """Sizes of all networks, the text encoder's among them; the defaults are the paper's."""

    condition_size: int = 128
    """Channels of the condition that is sampled around a sentence, and of a critic's sentence."""
    noise_size: int = 100
    """Z: channels of the noise."""
    generator_width: int = 64
    """Channels of the stream's largest map; below one of 256 px, that of 4 px has 16 times as many.
    """
    residuals: int = 1
    """Residual blocks at each size of the stream."""
    drawn_px: tuple[int, ...] = (64, 128, 256)
    """Sides of the pictures, smallest first: powers of two, 16 at least."""
    enlarged: bool = False
    """The last picture, twice as large as the one before, is drawn by layers on top of a stream
    that is trained already (512 px)."""
    critic_width: int = 512
    """Channels of a critic's map of 8 px; each larger one has half as many."""
    code_size: int = 512
    """Channels of the code on which a critic's verdicts rest."""
    pieces_px: int = 256
    """Side from which on a critic judges a picture piece by piece, and not only as a whole."""
    local: bool = True
    """Critics judge pictures without their sentence too."""

    @property
    def detail_size(self) -> int:
        """Channels of the draw around a sentence."""
        return self.condition_size

    @property
    def stream_px(self) -> int:
        """Side of the stream's largest map."""
        return self.drawn_px[-2] if self.enlarged else self.drawn_px[-1]

    @property
    def judged_px(self) -> tuple[int, ...]:
        """Sides of the pictures that critics look at: those that can still change."""
        return self.drawn_px[-1:] if self.enlarged else self.drawn_px

    def check(self) -> None:
        """Raises UsageError: these sides cannot be drawn."""
        for px in self.drawn_px:
            if px < 2 * BODY_PX or px & (px - 1):
                raise UsageError(
                    f"HDGAN cannot draw {px} px", hint="take powers of two: 16, 32, 64, …"
                )
        if self.enlarged and self.drawn_px[-1:] != tuple(2 * px for px in self.drawn_px[-2:-1]):
            raise UsageError(
                f"px = {self.drawn_px}: the last is not twice the one before",
                hint="enlarge by 2, as in px=64,128,256,512, or set enlarged=false",
            )


class Drawn(NamedTuple):
    """What a generator gives.

    Shapes:
        images: (B, 3, px, px) in [-1, 1] a size, smallest first; mean, log_sigma: (B, C).
    """

    images: tuple[Tensor, ...]
    mean: Tensor
    log_sigma: Tensor


class Condition(nn.Module):
    """Sample a condition from a Gaussian whose mean and log deviation the sentence predicts.

    Differs from `ConditioningAugmentation` in a leaky rectifier in place of the gate, and in the
    deviation, whose logarithm is predicted, not that of the variance.

    Shapes:
        sentence (B, E), detail (B, C) standard normal -> condition, mean, log_sigma: (B, C) each

    Source: official name `condEmbedding`.
    """

    def __init__(self, sentence_size: int, condition_size: int) -> None:
        super().__init__()
        self.project = nn.Linear(sentence_size, 2 * condition_size)

    def forward(self, sentence: Tensor, detail: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_sigma = F.leaky_relu(self.project(sentence), 0.2).chunk(2, dim=1)
        return mean + detail * torch.exp(log_sigma), mean, log_sigma


def mirrored(inputs: int, outputs: int, *, activation: bool = True) -> nn.Sequential:
    """A 3 x 3 convolution that keeps height and width, beyond whose border the map is mirrored.

    Source: official name `pad_conv_norm`.
    """
    return nn.Sequential(
        nn.ReflectionPad2d(1),
        nn.Conv2d(inputs, outputs, 3, bias=False),
        nn.BatchNorm2d(outputs),
        *([nn.ReLU()] if activation else []),
    )


class Residual(nn.Module):
    """Add a correction to (B, C, H, W); nothing follows the sum. Official name `ResnetBlock`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            mirrored(channels, channels), mirrored(channels, channels, activation=False)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.block(hidden)


def head(channels: int) -> nn.Sequential:
    """A map (B, C, H, W) as a picture. Official name `branch_out`."""
    return nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(channels, 3, 3, bias=False), nn.Tanh())


class Generator(nn.Module):
    """Draw sentences at all sizes at once.

    Channels are halved at the two largest sizes of the stream, and at every other one before.

    Shapes:
        noise (B, Z), detail (B, C), both standard normal; sentence (B, E) -> `Drawn`

    Source: official names `Generator`, and `GeneratorSuperL1Loss` for `enlarged`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        settings.check()
        self.drawn_px = settings.drawn_px
        self.sides = [4 * 2**i for i in range((settings.stream_px // 4).bit_length())]
        narrows = [px > 4 and _narrows(settings.stream_px // px) for px in self.sides]
        channels = settings.generator_width * 2 ** sum(narrows)
        self.condition = Condition(settings.text_size, settings.condition_size)
        self.unfold = nn.Sequential(
            nn.Linear(settings.condition_size + settings.noise_size, channels * 4 * 4),
            nn.BatchNorm1d(channels * 4 * 4),
        )
        self.grow, self.heads = nn.ModuleList(), nn.ModuleDict()
        for px, narrow in zip(self.sides, narrows, strict=True):
            layers: list[nn.Module] = []
            if px > 4:
                layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
            if narrow:
                layers.append(mirrored(channels, channels // 2))
                channels //= 2
            layers += [Residual(channels) for _ in range(settings.residuals)]
            self.grow.append(nn.Sequential(*layers))
            if px in self.drawn_px:
                self.heads[str(px)] = head(channels)
        self.enlarge = None
        if settings.enlarged:
            self.enlarge = nn.Sequential(
                *(Residual(channels), Residual(channels)),
                nn.Upsample(scale_factor=2, mode="nearest"),
                mirrored(channels, channels // 2),
            )
            self.heads[str(self.drawn_px[-1])] = head(channels // 2)

    def stream(self) -> list[nn.Module]:
        """All but what enlarges."""
        heads = [self.heads[str(px)] for px in self.drawn_px if px in self.sides]
        return [self.condition, self.unfold, self.grow, *heads]

    def forward(self, noise: Tensor, detail: Tensor, sentence: Tensor) -> Drawn:
        condition, mean, log_sigma = self.condition(sentence, detail)
        hidden = self.unfold(torch.cat([condition, noise], dim=1)).unflatten(1, (-1, 4, 4))
        images = []
        for px, grow in zip(self.sides, self.grow, strict=True):
            hidden = grow(hidden)
            if px in self.drawn_px:
                images.append(self.heads[str(px)](hidden))
        if self.enlarge is not None:
            images.append(self.heads[str(self.drawn_px[-1])](self.enlarge(hidden)))
        return Drawn(tuple(images), mean, log_sigma)


def _narrows(below: int) -> bool:
    """Whether channels are halved where the side is the stream's largest divided by this."""
    return below == 1 or below.bit_length() % 2 == 0


class Critic(nn.Module):
    """Judge pictures of one size, beside a sentence and by themselves; scores, no sigmoids.

    Source: the parts of the official `Discriminator` that belong to one size.
    """

    def __init__(self, settings: Settings, px: int) -> None:
        super().__init__()
        settings.check()
        self.px = px
        halvings, code = (px // BODY_PX).bit_length() - 1, settings.code_size
        in_pieces = px >= settings.pieces_px
        widths = [3, *(settings.critic_width // 2**i for i in reversed(range(halvings)))]
        if in_pieces:
            widths[-1] = code
        layers = [
            _seen(widths[i], widths[i + 1], 3, stride=2, padding=1, norm=i > 0)
            for i in range(halvings)
        ]
        if not in_pieces:
            layers.append(_seen(widths[-1], code, 5))
        self.look = nn.Sequential(*layers)
        self.gather = _seen(code, code, 5) if in_pieces else nn.Identity()
        self.read = nn.Sequential(
            nn.Linear(settings.text_size, settings.condition_size), nn.LeakyReLU(0.2)
        )
        self.join = _seen(code + settings.condition_size, code, 1)
        self.verdict = nn.Conv2d(code, 1, 4)
        self.piece = nn.Conv2d(code, 1, 4) if settings.local else None

    @property
    def has_local(self) -> bool:
        """Whether it also judges pictures by themselves."""
        return self.piece is not None

    def features(self, images: Tensor) -> Tensor:
        """Pictures (B, 3, px, px) in [-1, 1] -> their code (B, C, 4, 4), or 8 x 8 in pieces."""
        return self.look(images)

    def pair(self, features: Tensor, sentence: Tensor) -> Tensor:
        """Does the picture go with the sentence (B, E)? Scores (B,)."""
        code = self.gather(features)
        beside = self.read(sentence)[:, :, None, None].expand(-1, -1, 4, 4)
        return self.verdict(self.join(torch.cat([code, beside], dim=1))).flatten()

    def local(self, features: Tensor) -> Tensor:
        """Is it a real picture? Scores (B, 1, 1, 1), or (B, 1, 5, 5) in pieces."""
        assert self.piece is not None, "built to judge beside a sentence only"
        return self.piece(features)


def _seen(
    inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0, *, norm: bool = True
) -> nn.Sequential:
    """Source: official name `conv_norm`; the first layer of a critic has no norm."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
        *([nn.BatchNorm2d(outputs)] if norm else []),
        nn.LeakyReLU(0.2),
    )


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix; the text encoder is a char-CNN-RNN's."""
    return {"text": charcnnrnn.TextEncoder(settings), "generator": Generator(settings)}


def critics(settings: Settings) -> nn.ModuleDict:
    """A critic for each picture that is judged, by its side."""
    return nn.ModuleDict({str(px): Critic(settings, px) for px in settings.judged_px})


def _stream_names(before: str) -> dict[str, str]:
    """Official names of the generator of 256 px, alone or within that of 512 px."""
    sides = [4 * 2**i for i in range(7)]
    names = {"condEmbedding.linear": "condition.project", "vec_to_tensor.out": "unfold"}
    names |= {f"scale_{px}": f"grow.{i}" for i, px in enumerate(sides)}
    names |= {
        f"scale_{px}.{place}.res_block": f"grow.{i}.{place}.block"
        for i, px in enumerate(sides)
        for place in range(3)
    }
    names |= {f"tensor_to_img_{px}": f"heads.{px}" for px in (64, 128, 256)}
    return {f"{before}{official}": ours for official, ours in names.items()}


def _critic_names(px: int) -> dict[str, str]:
    return {
        f"img_encoder_{px}.node": f"{px}.look",
        f"pair_disc_{px}.node.0": f"{px}.join",
        f"pair_disc_{px}.node.1": f"{px}.verdict",
        f"local_img_disc_{px}": f"{px}.piece",
        f"context_emb_pipe_{px}": f"{px}.read",
    }


RENAMES = {
    "text": charcnnrnn.RENAMES["text"],
    "generator": {
        **_stream_names(""),
        **_stream_names("generator_256."),
        "scale_512": "enlarge",
        **{f"scale_512.{place}.res_block": f"enlarge.{place}.block" for place in range(2)},
        "tensor_to_img_512": "heads.512",
    },
    "critic": {
        **_critic_names(64),
        **_critic_names(128),
        **_critic_names(256),
        "pre_encode": "256.gather",
    },
}
"""Names in the official text encoder, generators and discriminator -> ours."""
