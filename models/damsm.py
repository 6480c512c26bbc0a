"""DAMSM: a text and an image encoder that meet in one space, word by region and sentence by image.

Source: AttnGAN, Xu et al. 2018, section 3.2. Its losses are in `train/losses/matching.py`.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import Tensor, nn

from t2i.models.blocks.recurrent import BidirectionalRecurrent, Cell
from t2i.models.encoders import inception, small


@dataclass(frozen=True)
class Settings:
    """Sizes of both encoders; the defaults are the paper's."""

    vocabulary: int
    """Token ids, that of the padding (0) and of the unknown word included."""
    embedding: int = 300
    """Channels of a word's own embedding, before its neighbours are read."""
    text_size: int = 256
    """E: channels of a word, a sentence, a region and an image in the shared space."""
    cell: Cell = "lstm"
    """Kind of recurrent layer."""
    dropout: float = 0.5
    """Share of embedding channels dropped in training."""
    image: Literal["inception", "small"] = "inception"
    """Trunk of the image encoder."""
    image_width: int = 32
    """Channels of the small trunk's first layer; Inception has its own."""
    image_px: int = 299
    """Side to which pictures are resized first: Inception 299, the small trunk a multiple of 8."""
    align_corners: bool = False
    """How Inception's resize counts; the released checkpoints need True."""

    @property
    def regions(self) -> int:
        """R: regions along a side of a picture."""
        return {"inception": inception.REGIONS, "small": self.image_px // small.STRIDE}[self.image]


class EncodedText(NamedTuple):
    """Sentence (B, E); words (B, E, T), zero at padding; mask (B, T) bool, True = a word.

    In the order in which a generator takes them.
    """

    sentence: Tensor
    words: Tensor
    mask: Tensor


class EncodedImage(NamedTuple):
    """Regions (B, E, R, R); code of the whole (B, E)."""

    regions: Tensor
    code: Tensor


class TextEncoder(nn.Module):
    """Read captions: tokens (B, T) int64, trailing zeros are padding.

    Source: official name `RNN_ENCODER`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.embedding = nn.Embedding(settings.vocabulary, settings.embedding)
        self.dropout = nn.Dropout(settings.dropout)
        self.recurrent = BidirectionalRecurrent(
            settings.cell, settings.embedding, settings.text_size // 2
        )
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)

    def forward(self, tokens: Tensor) -> EncodedText:
        mask = tokens != 0
        states = self.recurrent(self.dropout(self.embedding(tokens)), mask)
        return EncodedText(states.last, states.each.transpose(1, 2), mask)


class ImageEncoder(nn.Module):
    """See pictures (B, 3, H, W) in [-1, 1] of any size.

    Only the two heads are trained when the trunk is Inception.

    Source: official name `CNN_ENCODER`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.trunk = _trunk(settings)
        self.local = nn.Conv2d(self.trunk.map_size, settings.text_size, 1, bias=False)
        self.whole = nn.Linear(self.trunk.pooled_size, settings.text_size)
        for head in (self.local, self.whole):
            nn.init.uniform_(head.weight, -0.1, 0.1)

    def forward(self, images: Tensor) -> EncodedImage:
        maps, pooled = self.trunk(images)
        return EncodedImage(self.local(maps), self.whole(pooled))


def _trunk(settings: Settings) -> inception.InceptionTrunk | small.SmallTrunk:
    if settings.image == "small":
        return small.SmallTrunk(settings.image_width, settings.image_px)
    small.refuse_other_px("Inception", inception.PX, settings.image_px)
    return inception.InceptionTrunk(settings.align_corners)


def networks(settings: Settings) -> dict[str, TextEncoder | ImageEncoder]:
    """What a run saves and an export reads, by prefix."""
    return {"text": TextEncoder(settings), "image": ImageEncoder(settings)}


_RECURRENT = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")

RENAMES = {
    "text": {
        "encoder": "embedding",
        **{f"rnn.{name}": f"recurrent.ahead.{name}" for name in _RECURRENT},
        **{f"rnn.{name}_reverse": f"recurrent.back.{name}" for name in _RECURRENT},
    },
    "image": {
        **{name: f"trunk.{name}" for name in inception.NAMES},
        "emb_features": "local",
        "emb_cnn_code": "whole",
    },
}
"""Names in the official text and image encoders -> ours."""
