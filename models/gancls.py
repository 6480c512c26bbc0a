"""GAN-CLS: a sentence and noise become a picture at once; the critic sees both side by side.

Source: Reed et al., ICML 2016 (arXiv 1605.05396). Official code: reedscot/icml2016; layers and
names are those of its port aelnouby/Text-to-Image-Synthesis (`models/gan_cls.py`), but for one
generator, which is that of the authors' Lua code.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from t2i.models import charcnnrnn
from t2i.models.blocks.doubling import doublings


@dataclass(frozen=True)
class Settings(charcnnrnn.TextSettings):
    """Sizes of all networks, the text encoder's among them; the widths are the port's."""

    condition_size: int = 128
    """Channels into which a sentence is squeezed, on either side."""
    noise_size: int = 100
    """Z: channels of the noise."""
    generator_width: int = 64
    """Channels of the generator's largest hidden map; each smaller one has twice as many."""
    bottlenecks: int = 0
    """0 = the generator is the port's. Else it is the authors', which has so many residual
    bottlenecks at 4 and at 8 px: 1, or 2 where their code is told to be `large`."""
    critic_width: int = 64
    """Channels of the critic's largest map; each smaller one has twice as many."""
    image_px: int = 64
    """Side of the pictures: 4 times a power of two, 8 at least."""
    joined: bool = True
    """The critic lets picture and sentence meet in a layer of their own, as in the paper. The port
    has none: its logit is a sum of what either gives by itself, and never tells whether they match.
    """
    style_width: int = 0
    """Channels of the style encoder's largest map; each smaller one has twice as many. 0 = there is
    none, as beside the official weights."""

    @property
    def doublings(self) -> int:
        """How often 4 is doubled to reach the picture's side."""
        return doublings(self.image_px)


def squeeze(settings: Settings) -> nn.Sequential:
    """The condition (B, C) of a sentence (B, E).

    Source: official names `projection` and `Concat_embed.projection`.
    """
    C = settings.condition_size
    return nn.Sequential(nn.Linear(settings.text_size, C), nn.BatchNorm1d(C), nn.LeakyReLU(0.2))


class Generator(nn.Module):
    """Draw sentences.

    Shapes:
        noise (B, Z), standard normal; sentence (B, E) -> (B, 3, px, px) in [-1, 1]

    Source: official name `generator`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        widths = [settings.generator_width * 2**i for i in reversed(range(settings.doublings))]
        unfold = nn.ConvTranspose2d(
            settings.condition_size + settings.noise_size, widths[0], 4, bias=False
        )
        self.condition = squeeze(settings)
        self.grow = nn.Sequential(
            *(unfold, nn.BatchNorm2d(widths[0]), nn.ReLU()),
            *(
                layer
                for wide, narrow in pairwise(widths)
                for layer in (_up(wide, narrow), nn.BatchNorm2d(narrow), nn.ReLU())
            ),
            *(_up(widths[-1], 3), nn.Tanh()),
        )

    def forward(self, noise: Tensor, sentence: Tensor) -> Tensor:
        seed = torch.cat([self.condition(sentence), noise], dim=1)
        return self.grow(seed[:, :, None, None])


class Bottleneck(nn.Module):
    """Add what a quarter of the channels find in a map: (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = width // 4
        self.branch = nn.Sequential(
            *(nn.Conv2d(width, inner, 1), nn.BatchNorm2d(inner), nn.ReLU()),
            *(nn.Conv2d(inner, inner, 3, padding=1), nn.BatchNorm2d(inner), nn.ReLU()),
            *(nn.Conv2d(inner, width, 3, padding=1), nn.BatchNorm2d(width)),
        )

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.branch(hidden)


class AuthorsGenerator(nn.Module):
    """Draw sentences as the authors' Lua code does.

    Unlike the port's, it sets noise before the sentence, squeezes that without a norm, and has
    bottlenecks at 4 and at 8 px. Convolutions have biases, which do not learn: the code sets them
    to zero before every step, so that a file holds what the very last one made of them.

    Shapes:
        noise (B, Z), standard normal; sentence (B, E) -> (B, 3, px, px) in [-1, 1]

    Source: official name `netG`, in `main_cls_int.lua` and `main_cls.lua`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        C = settings.condition_size
        widths = [settings.generator_width * 2**i for i in reversed(range(settings.doublings))]
        layers: list[nn.Module] = [nn.ConvTranspose2d(settings.noise_size + C, widths[0], 4)]
        for place, width in enumerate(widths):
            if place:
                layers.append(_grow(widths[place - 1], width))
            layers.append(nn.BatchNorm2d(width))
            if place < 2:
                layers += [Bottleneck(width) for _ in range(settings.bottlenecks)]
            layers.append(nn.ReLU())
        self.condition = nn.Sequential(nn.Linear(settings.text_size, C), nn.LeakyReLU(0.2))
        self.grow = nn.Sequential(*layers, _grow(widths[-1], 3), nn.Tanh())
        for layer in self.grow.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
                layer.bias.requires_grad = False

    def forward(self, noise: Tensor, sentence: Tensor) -> Tensor:
        seed = torch.cat([noise, self.condition(sentence)], dim=1)
        return self.grow(seed[:, :, None, None])


def generator(settings: Settings) -> Generator | AuthorsGenerator:
    """The port's generator, or the authors' where bottlenecks are asked for."""
    return AuthorsGenerator(settings) if settings.bottlenecks else Generator(settings)


class Critic(nn.Module):
    """Is this a real picture, and does it go with the sentence? One logit, no sigmoid.

    Shapes:
        images (B, 3, px, px) in [-1, 1], sentence (B, E) -> (B,)

    Source: official name `discriminator`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.look, end = _look(settings.critic_width, settings.doublings)
        self.condition = squeeze(settings)
        both = end + settings.condition_size
        meet = (nn.Conv2d(both, end, 1, bias=False), nn.BatchNorm2d(end), nn.LeakyReLU(0.2))
        self.join = nn.Sequential(*(meet if settings.joined else ()))
        self.verdict = nn.Conv2d(end if settings.joined else both, 1, 4, bias=False)

    def features(self, images: Tensor) -> Tensor:
        """What the verdict rests on beside the sentence: (B, 8·width, 4, 4) at 64 px."""
        return self.look(images)

    def judge(self, features: Tensor, sentence: Tensor) -> Tensor:
        """Logits (B,) of pictures whose features are known."""
        beside = self.condition(sentence)[:, :, None, None].expand(-1, -1, 4, 4)
        return self.verdict(self.join(torch.cat([features, beside], dim=1))).flatten()

    def forward(self, images: Tensor, sentence: Tensor) -> Tensor:
        return self.judge(self.features(images), sentence)


class StyleEncoder(nn.Module):
    """Tell the noise from which a picture was generated, whatever was said: its style.

    The paper does not tell its layers. They are the critic's, which undo the generator's one by
    one, and a last one that folds what is left into the noise.

    Shapes:
        images (B, 3, px, px) in [-1, 1] -> noise (B, Z)

    Source: section 4.4; S in its equation. Not in the official code.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.look, end = _look(settings.style_width, settings.doublings)
        self.fold = nn.Conv2d(end, settings.noise_size, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.fold(self.look(images)).flatten(1)


def _look(width: int, doublings: int) -> tuple[nn.Sequential, int]:
    """From a picture to a map of 4 × 4, and the channels of that; the first layer has no norm."""
    widths = [width * 2**i for i in range(doublings)]
    layers = nn.Sequential(
        *(_down(3, widths[0]), nn.LeakyReLU(0.2)),
        *(
            layer
            for narrow, wide in pairwise(widths)
            for layer in (_down(narrow, wide), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2))
        ),
    )
    return layers, widths[-1]


def _up(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """Twice the height and width."""
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)


def _grow(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """As `_up`, with a bias."""
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)


def _down(inputs: int, outputs: int) -> nn.Conv2d:
    """Half the height and width."""
    return nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False)


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix; the text encoder is a char-CNN-RNN's."""
    drawing = {"text": charcnnrnn.TextEncoder(settings), "generator": generator(settings)}
    return drawing | ({"style": StyleEncoder(settings)} if settings.style_width else {})


def initialise(network: nn.Module) -> None:
    """Start a generator, a critic or a style encoder as the official code does (`weights_init`)."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)


RENAMES = {
    "text": charcnnrnn.RENAMES["text"],
    "generator": {"projection": "condition", "fcG": "condition", "netG": "grow"},
    "critic": {
        "netD_1": "look",
        "projector.projection": "condition",
        "netD_2.0": "verdict",
    },
}
"""Names in the port's text encoder, generator and discriminator -> ours; `fcG` is the authors'."""
