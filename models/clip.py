"""CLIP: captions and pictures in one space, where those that belong together point the same way.

Source: Radford et al., ICML 2021 (arXiv 2103.00020). Official code: openai/CLIP. Its loss is in
`train/losses/contrastive.py`.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models.encoders import modified_resnet, transformer
from t2i.models.encoders.modified_resnet import ModifiedResNet
from t2i.models.encoders.transformer import VisionTransformer, block_names, blocks

MEAN = (0.48145466, 0.4578275, 0.40821073)
SPREAD = (0.26862954, 0.26130258, 0.27577711)
"""Of the channels of the paper's pictures in [0, 1]: what networks see is normalised by them."""
FIRST_SCALE, LARGEST_SCALE = 1 / 0.07, 100.0
"""What cosines are multiplied by, at first and at most."""


@dataclass(frozen=True)
class Settings:
    """Sizes of both encoders; the defaults are ViT-B/32's."""

    vocabulary: int
    """Token ids; the last two begin and end a text."""
    length: int = 77
    """Most tokens of a text, beginning and end included."""
    embed_size: int = 512
    """E: channels of a caption and a picture in the shared space."""
    image_px: int = 224
    """Side of the pictures that are seen."""
    image_layers: int | tuple[int, int, int, int] = 12
    """Blocks of a vision transformer, or of each stage of a residual network."""
    image_width: int = 768
    """Channels of a vision transformer's tokens, or of a residual network's first stage."""
    patch_px: int = 32
    """Side of a vision transformer's patches; a residual network has none."""
    text_width: int = 512
    """Channels of a text's tokens."""
    text_layers: int = 12


class TextEncoder(nn.Module):
    """Read captions.

    The caption is summed up in its end, which is the largest id; what follows is never seen.

    Shapes:
        tokens (B, T) int64, T ≤ length -> (B, E)

    Source: official name `CLIP.encode_text`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        width = settings.text_width
        self.embedding = nn.Embedding(settings.vocabulary, width)
        self.positions = nn.Parameter(torch.empty(settings.length, width))
        self.blocks = blocks(width, settings.text_layers, causal=True)
        self.last_norm = nn.LayerNorm(width)
        self.project = nn.Parameter(torch.empty(width, settings.embed_size))
        self._initialise()

    def states(self, tokens: Tensor) -> Tensor:
        """What each token has come to mean: (B, T, C)."""
        hidden = self.embedding(tokens) + self.positions[: tokens.shape[1]]
        return self.last_norm(self.blocks(hidden))

    def forward(self, tokens: Tensor) -> Tensor:
        states = self.states(tokens)
        # As int32: of int64 some runtimes know no largest.
        end = tokens.int().argmax(dim=1)[:, None, None].expand(-1, 1, states.shape[2])
        return states.gather(1, end).squeeze(1) @ self.project

    def _initialise(self) -> None:
        """Source: official name `CLIP.initialize_parameters`."""
        nn.init.normal_(self.embedding.weight, 0.0, 0.02)
        nn.init.normal_(self.positions, 0.0, 0.01)
        width = self.project.shape[0]
        nn.init.normal_(self.project, 0.0, width**-0.5)
        last = (2 * width * len(self.blocks)) ** -0.5
        scales = {
            "attention.project.weight": width**-0.5,
            "attention.merge.weight": last,
            "mlp.0.weight": (2 * width) ** -0.5,
            "mlp.2.weight": last,
        }
        for name, weight in self.blocks.named_parameters():
            if scale := scales.get(name.partition(".")[2]):
                nn.init.normal_(weight, 0.0, scale)


class Clip(nn.Module):
    """Both encoders, and how sharply their cosines decide.

    Source: official name `CLIP`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.text = TextEncoder(settings)
        self.image = _image_encoder(settings)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        """Logits (B, N) of pictures (B, 3, px, px), normalised, and captions (N, T)."""
        return self.logits(self.image(images), self.text(tokens))

    def logits(self, pictures: Tensor, captions: Tensor) -> Tensor:
        """How well vectors (B, E) and (N, E) match: scaled cosines (B, N)."""
        cosines = F.normalize(pictures, dim=1) @ F.normalize(captions, dim=1).T
        return self.logit_scale.exp() * cosines


def _image_encoder(settings: Settings) -> VisionTransformer | ModifiedResNet:
    px, width, size = settings.image_px, settings.image_width, settings.embed_size
    if isinstance(settings.image_layers, int):
        return VisionTransformer(px, settings.patch_px, width, settings.image_layers, size)
    return ModifiedResNet(px, width, settings.image_layers, size)


def normalised(images: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) in [-1, 1] as the encoders take them."""
    return normalised_levels(127.5 * (images + 1))


def normalised_levels(levels: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) of 0 … 255 as the encoders take them."""
    mean, spread = (
        torch.tensor(each, device=levels.device)[:, None, None] for each in (MEAN, SPREAD)
    )
    return (levels / 255 - mean) / spread


class Preprocess(nn.Module):
    """Any picture as the encoders take it: its shorter side resized to px, then its middle.

    Resized as Pillow does it: bicubic over as many pixels as become one, first across, then down,
    and in 8 bits after either.

    Shapes:
        pixels (B, H, W, 3) uint8 -> (B, 3, px, px), normalised

    Source: official name `_transform`.
    """

    def __init__(self, px: int) -> None:
        super().__init__()
        self.px = px

    def forward(self, pixels: Tensor) -> Tensor:
        planes = pixels.permute(0, 3, 1, 2).double()
        height, width = planes.shape[2:]
        tall, broad = (self.px * side // min(height, width) for side in (height, width))
        across = _rounded(planes @ _shares(width, broad).to(planes.device).T)
        resized = _rounded(_shares(height, tall).to(planes.device) @ across)
        top, left = (middle(side - self.px) for side in (tall, broad))
        cut = resized[:, :, top : top + self.px, left : left + self.px]
        return normalised_levels(cut.float())


def middle(spare: int) -> int:
    """Half of the pixels to spare; of an odd number the even neighbour of its half."""
    return (spare + spare // 2 % 2) // 2


_ONE = 2.0**22  # as which Pillow counts a whole share, in integers


def _shares(old: int, new: int) -> Tensor:
    """How much of each old pixel goes into each new one, along one side: (new, old).

    Source: Keys 1981, with a = -1/2, stretched over as many pixels as become one.
    """
    scale = old / new
    centres = (torch.arange(new, dtype=torch.float64) + 0.5) * scale
    far = (torch.arange(old) + 0.5 - centres[:, None]).abs() / max(scale, 1.0)
    inner, outer = (1.5 * far - 2.5) * far**2 + 1, ((-0.5 * far + 2.5) * far - 4) * far + 2
    shares = torch.where(far < 1, inner, torch.where(far < 2, outer, 0.0))
    return (shares / shares.sum(dim=1, keepdim=True) * _ONE).round()


def _rounded(sums: Tensor) -> Tensor:
    """To levels of 8 bits."""
    return (sums / _ONE + 0.5).floor().clamp(0, 255)


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix."""
    return {"clip": Clip(settings)}


RENAMES = {
    "clip": {
        "token_embedding": "text.embedding",
        "positional_embedding": "text.positions",
        **block_names("transformer.resblocks", "text.blocks", layers=24),
        "ln_final": "text.last_norm",
        "text_projection": "text.project",
        **{f"visual.{name}": f"image.{own}" for name, own in transformer.NAMES.items()},
        **{f"visual.{name}": f"image.{own}" for name, own in modified_resnet.NAMES.items()},
        "logit_scale": "logit_scale",
    }
}
"""Names in the official network, with either image encoder -> ours."""
