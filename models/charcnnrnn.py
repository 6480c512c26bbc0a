"""char-CNN-RNN: captions, read letter by letter, and pictures in one space.

Source: Reed et al., CVPR 2016 (arXiv 1605.05395). Official code: reedscot/cvpr2016, and
reedscot/icml2016 for the encoders of GAN-CLS. Its loss is in `train/losses/embedding.py`.
"""

from dataclasses import dataclass, fields
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models.encoders import inception, small
from t2i.runtime.text import ALPHABET, CHARACTERS

LENGTH = 201
"""Characters of a caption; a longer one is cut, a shorter one is followed by nothing."""
PLACES = tuple(ALPHABET.rindex(character) for character in CHARACTERS)
"""The column of each known token."""

Recurrence = Literal["relu", "gru"]


@dataclass(frozen=True)
class TextSettings:
    """Sizes of the text encoder; the defaults are those with which GAN-CLS reads CUB."""

    vocabulary: int
    """Token ids: the padding (0), the characters, the unknown one. The alphabet fixes it."""
    text_size: int = 1024
    """E: channels of a sentence."""
    first_width: int = 384
    """Channels of the first convolution."""
    second_width: int = 512
    """Channels of the second convolution."""
    recurrence: Recurrence = "gru"
    """The last layer: `gru` over 18 steps, or `relu`, a plain one, over 8."""
    recurrent_size: int = 512
    """Channels of the third convolution and of the recurrent layer (CVPR paper: 256)."""

    def text_sizes(self) -> dict[str, Any]:
        """These sizes alone, for a system that has the text encoder among its networks."""
        return {each.name: getattr(self, each.name) for each in fields(TextSettings)}


@dataclass(frozen=True)
class Settings(TextSettings):
    """Sizes of both encoders."""

    image: Literal["inception", "small"] = "inception"
    """Trunk of the image encoder."""
    image_width: int = 32
    """Channels of the small trunk's first layer; Inception has its own."""
    image_px: int = inception.PX
    """Side to which pictures are resized first: Inception 299, the small trunk a multiple of 8."""


class TextEncoder(nn.Module):
    """Read captions.

    Three convolutions find letters, pieces of words and phrases; a recurrent layer reads these in
    their order, and the mean of its states is the sentence.

    Shapes:
        tokens (B, T) int64, trailing zeros are padding -> sentence (B, E)

    Source: official name `HybridCNN`, and `HybridCNNLong` for `gru`.
    """

    lit: Tensor

    def __init__(self, settings: TextSettings) -> None:
        super().__init__()
        first, second, size = settings.first_width, settings.second_width, settings.recurrent_size
        self.scan = nn.Sequential(
            *(nn.Conv1d(len(ALPHABET), first, 4), nn.Threshold(1e-6, 0), nn.MaxPool1d(3)),
            *(nn.Conv1d(first, second, 4), nn.Threshold(1e-6, 0), nn.MaxPool1d(3)),
            *(nn.Conv1d(second, size, 4), nn.Threshold(1e-6, 0)),
            *([nn.MaxPool1d(3, stride=2)] if settings.recurrence == "relu" else []),
        )
        self.recurrent = {"relu": Plain, "gru": Gated}[settings.recurrence](size)
        self.project = nn.Linear(size, settings.text_size)
        # Padding (0) and the unknown character (the last) light nothing.
        lit = torch.zeros(len(CHARACTERS) + 2, len(ALPHABET))
        lit[torch.arange(len(CHARACTERS)) + 1, torch.tensor(PLACES)] = 1.0
        self.register_buffer("lit", lit, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        phrases = self.scan(self.columns(tokens)).transpose(1, 2)
        return self.project(self.recurrent(phrases).mean(dim=1))

    def columns(self, tokens: Tensor) -> Tensor:
        """One column of the alphabet lit at each character: (B, T) -> (B, 70, 201)."""
        whole = F.pad(tokens, (0, LENGTH))[:, :LENGTH]
        return F.embedding(whole, self.lit).transpose(1, 2)


class Plain(nn.Module):
    """h' = relu(W x + b + U h + c) from step to step; the first is relu(W x + b).

    Shapes:
        inputs (B, S, D) -> states (B, S, D)

    Source: official name `FixedRNN`.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.see = nn.Linear(size, size)
        self.keep = nn.Linear(size, size)

    def forward(self, inputs: Tensor) -> Tensor:
        first, *later = self.see(inputs).unbind(dim=1)
        states = [F.relu(first)]
        for seen in later:
            states.append(F.relu(seen + self.keep(states[-1])))
        return torch.stack(states, dim=1)


class Gated(nn.Module):
    """h' = u ∘ tanh(W x + b + U (r ∘ h) + c) + (1 - u) ∘ h; the first is tanh(W x + b).

    Not torch's GRU: there u keeps the old state, and r is applied after U.

    Shapes:
        inputs (B, S, D) -> states (B, S, D)

    Source: official name `FixedGRU`.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.see, self.keep = nn.Linear(size, size), nn.Linear(size, size)
        self.see_update, self.keep_update = nn.Linear(size, size), nn.Linear(size, size)
        self.see_reset, self.keep_reset = nn.Linear(size, size), nn.Linear(size, size)

    def forward(self, inputs: Tensor) -> Tensor:
        seen, updates, resets = self.see(inputs), self.see_update(inputs), self.see_reset(inputs)
        states = [torch.tanh(seen[:, 0])]
        for step in range(1, inputs.shape[1]):
            state = states[-1]
            update = torch.sigmoid(updates[:, step] + self.keep_update(state))
            reset = torch.sigmoid(resets[:, step] + self.keep_reset(state))
            new = torch.tanh(seen[:, step] + self.keep(reset * state))
            states.append(update * new + (1 - update) * state)
        return torch.stack(states, dim=1)


class ImageEncoder(nn.Module):
    """See pictures (B, 3, H, W) in [-1, 1] of any size: code (B, E).

    Source: official name `ImageEncoder`, which projects features that GoogLeNet made before.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.trunk = _trunk(settings)
        self.project = nn.Linear(self.trunk.pooled_size, settings.text_size)

    def forward(self, images: Tensor) -> Tensor:
        _, pooled = self.trunk(images)
        return self.project(pooled)


def _trunk(settings: Settings) -> inception.InceptionTrunk | small.SmallTrunk:
    if settings.image == "small":
        return small.SmallTrunk(settings.image_width, settings.image_px)
    small.refuse_other_px("Inception", inception.PX, settings.image_px)
    return inception.InceptionTrunk(align_corners=False)


def networks(settings: Settings) -> dict[str, TextEncoder | ImageEncoder]:
    """What a run saves and an export reads, by prefix."""
    return {"text": TextEncoder(settings), "image": ImageEncoder(settings)}


def initialise(encoder: TextEncoder) -> None:
    """Start with layers that pass on as much as they see, of whatever width.

    The official start, uniform in (-0.08, 0.08), does about that at the paper's widths; through
    narrow layers it lets all captions come out alike.

    Source: He et al. 2015, equation 10.
    """
    for module in encoder.modules():
        if isinstance(module, (nn.Conv1d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            assert module.bias is not None
            nn.init.zeros_(module.bias)


RENAMES = {
    "text": {
        "conv1": "scan.0",
        "conv2": "scan.3",
        "conv3": "scan.6",
        "rnn.i2h": "recurrent.see",
        "rnn.h2h": "recurrent.keep",
        **{f"rnn.i2h_{gate}": f"recurrent.see_{gate}" for gate in ("update", "reset")},
        **{f"rnn.h2h_{gate}": f"recurrent.keep_{gate}" for gate in ("update", "reset")},
        "emb_proj": "project",
    },
    "image": {**{name: f"trunk.{name}" for name in inception.NAMES}, "enc_image": "project"},
}
"""Names in the PyTorch port of the text encoder, and in torchvision's Inception-v3 -> ours."""
