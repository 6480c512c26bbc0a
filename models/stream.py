"""STREAM: a captioner that says, word by word, what a picture shows.

Source: MirrorGAN, Qiao et al. 2019, section 3.3; Vinyals et al. 2015. Official names
`CAPTION_CNN` and `CAPTION_RNN`.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from t2i.models.encoders import resnet, small


@dataclass(frozen=True)
class Settings:
    """Sizes of both networks; the defaults are the official code's."""

    vocabulary: int
    """V: token ids, that of the end (0) and of the unknown word included."""
    embedding: int = 256
    """E: channels of a word, and of a picture, which is read like a word."""
    state_size: int = 512
    """S: channels of the recurrent layer's output, and of its memory."""
    image: Literal["resnet", "small"] = "resnet"
    """Trunk that sees the picture: ResNet-152, or a small one."""
    image_width: int = 32
    """Channels of the small trunk's first layer; ResNet-152 has its own."""
    image_px: int = resnet.PX
    """Side to which pictures are resized first: ResNet 224, the small trunk a multiple of 8."""


class PictureReader(nn.Module):
    """Turn a picture into what is read before the first word.

    Shapes:
        images (B, 3, H, W) in [-1, 1] of any size -> (B, E)

    Source: official name `CAPTION_CNN`; ResNet-152 sees [-1, 1], without ImageNet's mean and
    deviation.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.trunk = _trunk(settings)
        self.code = nn.Sequential(
            nn.Linear(self.trunk.pooled_size, settings.embedding),
            nn.BatchNorm1d(settings.embedding, momentum=0.01),
        )

    def forward(self, images: Tensor) -> Tensor:
        _, pooled = self.trunk(images)
        return self.code(pooled)


class Captioner(nn.Module):
    """Say the next word, after a picture and the words so far.

    Shapes:
        picture (B, E), tokens (B, T) -> logits (B, T + 1, V); those at place t are of the word that
        follows t words, so padding, which trails, changes none that counts

    Source: official name `CAPTION_RNN`, which packs captions sorted by length.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.embedding = nn.Embedding(settings.vocabulary, settings.embedding)
        self.recurrent = nn.LSTM(settings.embedding, settings.state_size, batch_first=True)
        self.word = nn.Linear(settings.state_size, settings.vocabulary)

    def forward(self, picture: Tensor, tokens: Tensor) -> Tensor:
        read = torch.cat([picture.unsqueeze(1), self.embedding(tokens)], dim=1)
        states, _ = self.recurrent(read)
        return self.word(states)

    def step(self, picture: Tensor, word: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Say one word more; the last one (B,) is 0 at the beginning, and the picture is read.

        Shapes:
            state (B, 2, S): output and memory of the recurrent layer, zeros at the beginning
            -> logits (B, V), state (B, 2, S)
        """
        read = torch.where(word[:, None] == 0, picture, self.embedding(word))
        before = (state[:, 0].unsqueeze(0).contiguous(), state[:, 1].unsqueeze(0).contiguous())
        states, (output, memory) = self.recurrent(read.unsqueeze(1), before)
        return self.word(states[:, 0]), torch.stack([output[0], memory[0]], dim=1)


def _trunk(settings: Settings) -> resnet.ResNetTrunk | small.SmallTrunk:
    if settings.image == "small":
        return small.SmallTrunk(settings.image_width, settings.image_px)
    small.refuse_other_px("ResNet-152", resnet.PX, settings.image_px)
    return resnet.ResNetTrunk()


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix."""
    return {"image": PictureReader(settings), "caption": Captioner(settings)}


RENAMES = {
    "image": {
        **{f"resnet.{place}": f"trunk.{name}" for place, name in enumerate(resnet.NAMES) if name},
        "linear": "code.0",
        "bn": "code.1",
    },
    "caption": {"embed": "embedding", "lstm": "recurrent", "linear": "word"},
}
"""Names in the official `CAPTION_CNN` and `CAPTION_RNN` -> ours."""
